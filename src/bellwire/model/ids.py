"""Typed ids. All are strings on the wire; positions are integers, ordered within a partition."""

from __future__ import annotations

from typing import NewType

AccountId = NewType("AccountId", str)
"""Decimal digits."""

ExtensionId = NewType("ExtensionId", str)
"""Decimal digits; unique over all accounts, so that a JWT's subject names one user."""

ClientId = NewType("ClientId", str)
"""An application's OAuth client id."""

SubscriptionId = NewType("SubscriptionId", str)
"""A UUID in its 36-character spelling."""

ReplayId = NewType("ReplayId", str)
"""A replay: one durable job that sends a stretch of history to one subscription again. A UUID."""

SessionId = NewType("SessionId", str)
"""An OAuth session: one login, all its token pairs."""

Partition = NewType("Partition", int)
"""A share of the event log; a function of the account. The embedded engine has one, 0."""

Position = NewType("Position", int)
"""A place in one partition's log. Opaque but for its order; 0 is before the first event."""

EMBEDDED_PARTITION = Partition(0)
LOG_START = Position(0)
