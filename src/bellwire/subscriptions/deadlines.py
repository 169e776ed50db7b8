"""What is due by when, for very many things of which few are due at a time.

Deadlines of later stand in slots of a minute each, where one takes eight bytes; those of the minutes that have begun
stand in a heap. Both forget lazily: an entry whose deadline moved is passed over when its time comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta

from bellwire.model.ids import SubscriptionId
from bellwire.model.instants import EPOCH

_SLACK = 64
"""Outdated entries that are not worth sweeping."""

_SLOT = timedelta(minutes=1)


class Deadlines:
    """One deadline for each subscription at most. It is kept by the caller; here is only the order.

    Args:
        current: a subscription's deadline as it is now; None when it has none any more.
        live: how many have one now, or at most so many.
    """

    def __init__(self, current: Callable[[SubscriptionId], datetime | None], live: Callable[[], int]) -> None:
        self._current = current
        self._live = live
        self._soon: list[tuple[datetime, SubscriptionId]] = []
        """A heap: the deadlines of the slots that have begun."""
        self._later: dict[int, list[SubscriptionId]] = {}
        self._slots: list[int] = []
        """A heap of the keys of `_later`."""
        self._begun = 0
        """The last slot that has begun: what is due in it or before stands in `_soon`."""
        self._entries = 0

    def __len__(self) -> int:
        """Entries held, outdated ones included."""
        return self._entries

    def put(self, subscription: SubscriptionId, at: datetime) -> None:
        """Note a deadline, new or moved."""
        self._put(subscription, at)
        if self._entries > 2 * self._live() + _SLACK:
            self._sweep()

    def take_due(self, now: datetime) -> list[SubscriptionId]:
        """The subscriptions whose deadline is reached, earliest first; each is given once for a deadline."""
        self._begin(_slot_of(now))
        due: dict[SubscriptionId, None] = {}
        while self._soon and self._soon[0][0] <= now:
            at, subscription = heapq.heappop(self._soon)
            self._entries -= 1
            if self._current(subscription) == at:
                due[subscription] = None
        return list(due)

    def _put(self, subscription: SubscriptionId, at: datetime) -> None:
        self._entries += 1
        slot = _slot_of(at)
        if slot <= self._begun:
            heapq.heappush(self._soon, (at, subscription))
            return
        entries = self._later.get(slot)
        if entries is None:
            self._later[slot] = [subscription]
            heapq.heappush(self._slots, slot)
        else:
            entries.append(subscription)

    def _begin(self, slot: int) -> None:
        """Move what is due in slots up to this one, and is not outdated, into the heap."""
        self._begun = max(self._begun, slot)
        while self._slots and self._slots[0] <= slot:
            begun = heapq.heappop(self._slots)
            entries = self._later.pop(begun)
            self._entries -= len(entries)
            for subscription in entries:
                at = self._current(subscription)
                if at is not None and _slot_of(at) == begun:
                    self._entries += 1
                    heapq.heappush(self._soon, (at, subscription))

    def _sweep(self) -> None:
        """Drop what is outdated, and second entries of what is not."""
        known = {subscription for _, subscription in self._soon}.union(*self._later.values())
        self._soon, self._later, self._slots, self._entries = [], {}, [], 0
        for subscription in known:
            at = self._current(subscription)
            if at is not None:
                self._put(subscription, at)


def _slot_of(moment: datetime) -> int:
    return (moment - EPOCH) // _SLOT
