"""The newest events, in memory: the very objects that were appended, facts included, so that routing a fresh event
reads no disk and parses no body."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import Position

EVENT_OVERHEAD_BYTES = 600
"""What an event costs beside its body: the structs, the strings, its facts. An estimate, on the high side."""

_position = attrgetter("position")


def cost_of(event: Event) -> int:
    return len(event.body) + EVENT_OVERHEAD_BYTES


class Tail:
    """Whole groups go in at the end, the oldest events go out at the front.

    Invariant: it holds every event of the log with a position above `start`.
    """

    def __init__(self, start: Position, max_events: int, max_bytes: int) -> None:
        self.start = start
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: list[LoggedEvent] = []
        self._first = 0
        """Index of the oldest event that counts; those before it are removed many at a time."""
        self._size = 0

    def __len__(self) -> int:
        return len(self._events) - self._first

    def extend(self, events: Sequence[LoggedEvent]) -> None:
        """Add events that follow the newest; forget the oldest that are beyond the bounds."""
        self._events += events
        self._size += sum([len(logged.event.body) for logged in events]) + EVENT_OVERHEAD_BYTES * len(events)
        excess = len(self) - self._max_events
        if excess > 0:
            self._forget(self._first + excess)
        last = self._first
        size = self._size
        while size > self._max_bytes and last < len(self._events):
            size -= cost_of(self._events[last].event)
            last += 1
        if last > self._first:
            self._forget(last)

    def forget_before(self, position: Position) -> None:
        """Forget events below a position: they are trimmed from the log."""
        self._forget(bisect_left(self._events, position, lo=self._first, key=_position))

    def after(self, position: Position, max_bytes: int, max_events: int) -> list[LoggedEvent]:
        """Events above a position that is not below `start`: at least one if there is any, about `max_bytes`."""
        begin = bisect_right(self._events, position, lo=self._first, key=_position)
        end = begin
        limit = min(len(self._events), begin + max_events)
        size = 0
        while end < limit:
            size += len(self._events[end].event.body)
            if size > max_bytes and end > begin:
                break
            end += 1
        return self._events[begin:end]

    def get(self, position: Position) -> Event | None:
        index = bisect_left(self._events, position, lo=self._first, key=_position)
        if index < len(self._events) and self._events[index].position == position:
            return self._events[index].event
        return None

    def _forget(self, first: int) -> None:
        if first <= self._first:
            return
        forgotten = self._events[self._first : first]
        self._size -= sum([cost_of(logged.event) for logged in forgotten])
        self.start = forgotten[-1].position
        self._first = first
        # Removing from the front of a list moves the rest: only when as much is gone as is left.
        if self._first > len(self._events) - self._first:
            del self._events[: self._first]
            self._first = 0
