"""The watermark: up to which log position every notification is settled.

A notification is settled when its outcome or its backlog row is in a commit. Positions are routed in order; each is
*open* while notifications of it are unsettled. The watermark is just below the oldest open position, or the last
routed one when none is open (engine.md, Deliver and settle, 8).
"""

from __future__ import annotations

from collections import deque

from bellwire.model.ids import Position


class Settling:
    """Counts unsettled notifications by position. All steps take constant time, amortised."""

    __slots__ = ("_open", "_order", "_routed")

    def __init__(self, watermark: Position) -> None:
        self._routed = watermark
        self._open: dict[Position, int] = {}
        self._order: deque[tuple[Position, float]] = deque()

    @property
    def routed(self) -> Position:
        """The last position that was routed."""
        return self._routed

    def route(self, position: Position, notifications: int, now: float) -> None:
        """Note that a position, higher than all before, was matched and produced so many notifications."""
        assert position > self._routed
        self._routed = position
        if notifications:
            self._open[position] = notifications
            self._order.append((position, now))

    def settle(self, position: Position) -> None:
        """Note that one notification of the position is in the commit being gathered."""
        left = self._open[position] - 1
        if left:
            self._open[position] = left
        else:
            del self._open[position]

    def watermark(self) -> Position:
        """The highest position up to which all is settled."""
        oldest = self._oldest()
        return self._routed if oldest is None else Position(oldest[0] - 1)

    def open_since(self) -> float | None:
        """When the oldest open position was routed; None when all is settled."""
        oldest = self._oldest()
        return None if oldest is None else oldest[1]

    def __len__(self) -> int:
        """How many positions are open."""
        return len(self._open)

    def _oldest(self) -> tuple[Position, float] | None:
        order = self._order
        while order:
            if order[0][0] in self._open:
                return order[0]
            order.popleft()
        return None
