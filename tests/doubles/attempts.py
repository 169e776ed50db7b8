"""Attempts, for tests that need one."""

from __future__ import annotations

from typing import Any

import msgspec

from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.ids import Position, SubscriptionId

A_SUBSCRIPTION = SubscriptionId("11111111-1111-4111-8111-111111111111")


def an_attempt(position: int = 1, **changes: Any) -> Attempt:
    """The first try to deliver the event at this position; it succeeded. `changes`: fields that differ."""
    attempt = Attempt(
        subscription=A_SUBSCRIPTION,
        position=Position(position),
        topic="/t",
        uuid=f"uuid-{position}",
        number=1,
        address="https://example.com/hook",
        started_ms=1_795_000_000_000 + position,
        duration_us=1500,
        outcome=AttemptOutcome.DELIVERED,
    )
    return msgspec.structs.replace(attempt, **changes) if changes else attempt
