"""What retention asks of the engine's storage: how old and how large things are, and what is still needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bellwire.model.ids import Position, SubscriptionId
from bellwire.ports.backlog import BacklogTotals


@dataclass(frozen=True, slots=True)
class LogExtent:
    """`first`: the oldest event's position, or the one after the head. `used_bytes`: the file without free pages."""

    first: Position
    used_bytes: int


@dataclass(frozen=True, slots=True)
class AttemptHour:
    """An hour's attempts: when it ended, in milliseconds since the epoch, and about how large they are."""

    ended_ms: int
    size_bytes: int


class RetentionStore(Protocol):
    """Of one partition. Reads may be slow, and hold up neither appends nor commits."""

    async def note_time(self, now_ms: int) -> int | None:
        """Remember which position was the last to be logged by now: an event's own time is its producer's word.

        Returns:
            the latest time that was noted before; None without any.
        """
        ...

    async def logged_before(self, moment_ms: int) -> Position:
        """The highest position known to have been logged by that time; `LOG_START` without any. Forgets older notes."""
        ...

    async def log_extent(self) -> LogExtent: ...

    async def backlog_totals(self) -> Mapping[SubscriptionId, BacklogTotals]: ...

    async def needed(self, first: Position, last: Position) -> Sequence[int]:
        """Positions from `first` to `last` that rows of the backlog name, in order."""
        ...

    async def attempt_hours(self) -> list[AttemptHour]:
        """Oldest first; the last may not have ended."""
        ...

    async def drop_attempts_before(self, before_ms: int) -> int:
        """Delete the attempts of whole hours that ended by then, in small pieces. Returns how many hours go."""
        ...
