"""Places for attempts: how many may be under way, in all, at one host, and for whom some are kept free.

    all ──────────────────────────────┐   as many as the sender has connections for: an attempt that has a place here
    draining: at most half of all     │   never waits for one there
    one host ─────────────────────────┤   the same again for each scheme, host and port
    draining at that host: half of it ┘

Invariant: isolation. Draining lanes, failing ones among them, take at most half of either, so that first attempts find
the other half free. And one lane's share shrinks as places run out: with less than half of them free, a lane may have
as many attempts under way as twice its limit times the part that is free, and always one. Three hundred endpoints that
suddenly hang leave a tenth of a thousand places free this way, rather than none for the three seconds until they fail.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

W = TypeVar("W")
OriginKey = tuple[str, str, int]


class Gate(Generic[W]):
    """A number of places, and who waits for one, longest waiting first."""

    __slots__ = ("in_flight", "limit", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting: deque[W] = deque()

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.limit


class OriginPlaces(Generic[W]):
    """The places of one host, together with those of all. `live` and `draining`: what an attempt takes one of each."""

    __slots__ = ("draining", "lines", "live")

    def __init__(self, every: Gate[W], every_draining: Gate[W], limit: int) -> None:
        own: Gate[W] = Gate(limit)
        self.lines = 0
        """How many subscriptions send there."""
        self.live = (own, every)
        self.draining = (own, every, Gate[W](max(1, limit // 2)), every_draining)

    def share(self, parallel: int) -> int:
        """How many attempts a lane that has `parallel` at most may have under way now; 0 or less is as good as 1."""
        own, every = self.live
        if 2 * own.in_flight <= own.limit and 2 * every.in_flight <= every.limit:
            return parallel
        share = 2 * parallel * (every.limit - every.in_flight) // every.limit
        own_share = 2 * parallel * (own.limit - own.in_flight) // own.limit
        return own_share if own_share < share else share


class Places(Generic[W]):
    def __init__(self, limit: int, limit_per_origin: int) -> None:
        self.all: Gate[W] = Gate(limit)
        self.draining: Gate[W] = Gate(max(1, limit // 2))
        self._limit_per_origin = limit_per_origin
        self._origins: dict[OriginKey, OriginPlaces[W]] = {}

    def enter(self, origin: OriginKey) -> OriginPlaces[W]:
        """Another subscription sends there."""
        places = self._origins.get(origin)
        if places is None:
            places = self._origins[origin] = OriginPlaces(self.all, self.draining, self._limit_per_origin)
        places.lines += 1
        return places

    def leave(self, origin: OriginKey, places: OriginPlaces[W]) -> None:
        places.lines -= 1
        if not places.lines:
            self._origins.pop(origin, None)


def full_gate(gates: tuple[Gate[W], ...]) -> Gate[W] | None:
    """The first that has no place left; None when all have."""
    for gate in gates:
        if gate.in_flight >= gate.limit:
            return gate
    return None


def room_below(connections: int) -> int:
    """How many attempts may be under way for so many connections: an eighth stays free for those that are being closed
    or opened for nobody any more, so that no attempt's three seconds run out while it waits for a connection."""
    return max(1, connections - connections // 8)
