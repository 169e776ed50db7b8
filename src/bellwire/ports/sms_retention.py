"""Forgetting High Volume SMS by age, in steps that are small enough for others to have their turn between two."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bellwire.model.sms import MessageId
from bellwire.ports.sms_store import BatchKey


class SmsRetention(Protocol):
    async def over_batch(self, *, before: datetime) -> BatchKey | None:
        """A batch that was completed before that time and of whose messages nothing more is to come; None: none is."""
        ...

    async def forget_batch(self, key: BatchKey, *, limit: int) -> bool:
        """From the first step on nobody sees the batch. Returns whether there is more of it to be forgotten."""
        ...

    async def forget_single(self, *, before: datetime, after: MessageId | None, limit: int) -> MessageId | None:
        """Messages without a batch, which are inbound ones and automatic replies, of before that time; those of which
        more is to come stay. Looks at so many after `after`, and returns the last of them; None: there are no more.
        """
        ...

    async def forget_changes(self, *, before: datetime, after: int, limit: int) -> int | None:
        """Changes of consents of before that time, but for the last of each pair, which tells how it came to be as it
        is. Looks on from the change with the number `after`; returns the number to go on from; None: there are no more.
        """
        ...
