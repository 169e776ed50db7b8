"""High Volume SMS in the records: accepting batches, the messages on their way, and what clients read.

Reading pages: each list is in ascending order of its cursor and a page begins after one (`Slice`), so that a reader
who follows the cursor of each page's last record meets every record once, whatever is added meanwhile. Batches are
ordered by `(created_at, key)`, messages by `(created_at, id)`; the cursor is that pair (`Cursor`). A batch and its
messages are there for readers from `accept` on, all at once; all of them were created when the batch was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NewType, Protocol, TypeVar

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, BatchStatus, MessageDirection, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.slices import Slice

R = TypeVar("R", Batch, Message)

BatchKey = NewType("BatchKey", int)
"""What the records call a batch among themselves."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One accepted entry of a batch."""

    recipient: str
    text: str | None
    """None: its batch's."""
    segments: int | None
    """None: its batch's."""


class BatchIntake(Protocol):
    """Taking a batch in, chunk by chunk; nobody sees any of it before `accept`."""

    async def begin(self, batch: Batch) -> BatchKey:
        """Room for a batch. Its `sender` may be empty yet; `size` and `modified_at` are set by `accept`."""
        ...

    async def add(self, key: BatchKey, batch: Batch, messages: Sequence[NewMessage]) -> None:
        """Store some of its messages, in order; a few thousand at most, so that other changes have their turn."""
        ...

    async def name_sender(self, key: BatchKey, sender: str) -> None:
        """For a request that names its sender after its messages: write it into those stored, in small steps."""
        ...

    async def accept(self, key: BatchKey, batch: Batch, *, text: str | None, segments: int | None) -> None:
        """Make the batch and its messages visible, with the event that says so; durable when it returns.

        Args:
            batch: with its sender and size; one of no messages is completed.
            text: for the messages that have none of their own.
            segments: of that text.
        """
        ...

    async def discard(self, key: BatchKey) -> None:
        """The batch won't come: delete what there is of it, in small steps."""
        ...

    async def discard_leftovers(self) -> int:
        """At the start: delete what a crash left of batches that were never accepted; returns how many batches."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after the record with this place."""

    created_at: datetime
    serial: int
    """A batch's key, or a message's id as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQuery:
    """Which batches; the bounds of time are inclusive."""

    since: datetime | None = None
    until: datetime | None = None
    sender: str | None = None
    statuses: frozenset[BatchStatus] | None = None
    """None: all. Empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """Which messages; the bounds of time are inclusive."""

    batch: BatchId | None = None
    directions: frozenset[MessageDirection] | None = None
    """None: both."""
    since: datetime | None = None
    until: datetime | None = None
    numbers: tuple[str, ...] = ()
    """E.164; a message matches when its sender or its recipient is one of them. Empty: all."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[R]):
    """A record of a page, and where it is."""

    record: R
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class StatusCount:
    """Messages of one status."""

    count: int = 0
    cost_micros: int = 0
    error_codes: Mapping[str, int] = field(default_factory=dict)


class SmsReading(Protocol):
    """What clients read; implemented in `storage/records/sms_reading.py`."""

    async def batches(self, account: AccountId, query: BatchQuery, part: Slice[Cursor]) -> list[Placed[Batch]]: ...

    async def batch(self, account: AccountId, batch: BatchId) -> Batch | None: ...

    async def messages(
        self, account: AccountId, query: MessageQuery, part: Slice[Cursor], *, with_text: bool
    ) -> list[Placed[Message]]: ...

    async def message(self, account: AccountId, message: MessageId) -> Message | None:
        """With its text."""
        ...

    async def statuses(self, account: AccountId, query: MessageQuery) -> Mapping[MessageStatus, StatusCount]:
        """Statuses that no message has may be left out."""
        ...
