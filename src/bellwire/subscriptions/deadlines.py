"""What is due by when, for very many things of which few are due at a time: a heap that forgets lazily."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime

from bellwire.model.ids import SubscriptionId

_SLACK = 64
"""Outdated entries that are not worth sweeping."""


class Deadlines:
    """One deadline for each subscription at most. It is kept by the caller; here is only the order.

    Args:
        current: a subscription's deadline as it is now; None when it has none any more.
    """

    def __init__(self, current: Callable[[SubscriptionId], datetime | None]) -> None:
        self._current = current
        self._heap: list[tuple[datetime, SubscriptionId]] = []
        self._swept = 0
        """Entries that were left after the last sweep."""

    def __len__(self) -> int:
        """Entries held, outdated ones included."""
        return len(self._heap)

    def put(self, subscription: SubscriptionId, at: datetime) -> None:
        """Note a deadline, new or moved."""
        heapq.heappush(self._heap, (at, subscription))
        if len(self._heap) > 2 * self._swept + _SLACK:
            live = {entry for entry in self._heap if self._current(entry[1]) == entry[0]}
            self._heap = sorted(live)  # a sorted list is a heap
            self._swept = len(self._heap)

    def take_due(self, now: datetime) -> list[SubscriptionId]:
        """The subscriptions whose deadline is reached, earliest first; each is given once for a deadline."""
        due: dict[SubscriptionId, None] = {}
        while self._heap and self._heap[0][0] <= now:
            at, subscription = heapq.heappop(self._heap)
            if self._current(subscription) == at:
                due[subscription] = None
        return list(due)
