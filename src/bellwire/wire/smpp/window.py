"""The requests of ours that are not answered, by sequence number, and the numbers themselves."""

from __future__ import annotations

from collections.abc import Container
from typing import Generic, TypeVar

MAX_SEQUENCE = 0x7FFF_FFFF
"""Numbers go from 1 to here and begin again (SMPP 3.4, 3.2 and 5.1.4)."""

T = TypeVar("T")


class SequenceNumbers:
    """The next number for a request, never one that is in use."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def take(self, in_use: Container[int] = ()) -> int:
        while True:
            self._last = self._last + 1 if self._last < MAX_SEQUENCE else 1
            if self._last not in in_use:
                return self._last


class Window(Generic[T]):
    """At most `size` requests, each with what it is about; the oldest expire first."""

    def __init__(self, size: int, response_seconds: float) -> None:
        self._size = size
        self._response_seconds = response_seconds
        self._open: dict[int, tuple[float, T]] = {}
        """In the order of writing, and so of expiry."""

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._open

    @property
    def has_room(self) -> bool:
        return len(self._open) < self._size

    @property
    def next_expiry(self) -> float | None:
        return next((expires for expires, _ in self._open.values()), None)

    def store(self, sequence: int, request: T, now: float) -> None:
        assert self.has_room and sequence not in self._open
        self._open[sequence] = (now + self._response_seconds, request)

    def fetch(self, sequence: int) -> T | None:
        """Take out what the answer with this number is about; None: nothing, or nothing any more."""
        found = self._open.pop(sequence, None)
        return None if found is None else found[1]

    def expire(self, now: float) -> list[T]:
        """Take out what was not answered in time, the oldest first."""
        late = []
        for sequence, (expires, request) in list(self._open.items()):
            if expires > now:
                break
            late.append(request)
            del self._open[sequence]
        return late

    def drain(self) -> list[T]:
        """Take out all."""
        rest = [request for _, request in self._open.values()]
        self._open.clear()
        return rest
