"""The event log: where published events become durable, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import Partition, Position


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The event is durable at this position."""

    position: Position


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """An event of the same account with the same chosen uuid is already durable at this position."""

    position: Position


class EventLog(Protocol):
    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        """Make the events durable, in order; one answer for each. Returns only when all of them are durable.

        An event whose `chosen` uuid is known (within the retention window, or earlier in the same call) is not
        logged again, and answered only once its original is durable.

        Raises:
            Overloaded: too much is waiting already; nothing of the call was logged.
            Unavailable: the disk is nearly full, or failed; nothing of the call was logged.
        """
        ...

    async def read(self, partition: Partition, after: Position, max_bytes: int) -> list[LoggedEvent]:
        """Durable events after a position, in order, at least one and at most about `max_bytes` of bodies.

        Waits until there is one. An event that is still in memory comes with its `facts`.
        """
        ...

    async def get(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, Event]:
        """The events at these positions, in the log or kept for the backlog. Unknown positions are left out."""
        ...

    def head(self, partition: Partition) -> Position:
        """The last position known to be durable; `LOG_START` when nothing was ever logged."""
        ...

    async def trim(self, partition: Partition, before: Position, max_events: int) -> int:
        """Delete at most `max_events` of the oldest events below a position; returns how many."""
        ...
