"""How often one user may call through one application: a sliding minute for each group (wire contract, 2.4).

A request over the limit starts a penalty of 60 s, and each request within the penalty starts it again. Pure: time
comes in. A track counts in sixty buckets of a second, so that it costs the same for 5 requests a minute as for 5,000;
the least recently seen tracks are dropped when there are too many.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from bellwire.errors import TooManyRequests

WINDOW_SECONDS = 60
PENALTY_SECONDS = 60


class RateGroup(Enum):
    """A group of operations with its name in headers and its limit a minute; 0 is unlimited."""

    LIGHT = ("light", 50)
    MEDIUM = ("medium", 40)
    HEAVY = ("heavy", 10)
    AUTH = ("auth", 5)
    SOCKET_TOKEN = ("socket-token", 60)
    """Our own: a flapping client asks for a socket token every few seconds."""
    NONE = ("none", 0)

    def __init__(self, label: str, per_minute: int) -> None:
        self.label = label
        self.per_minute = per_minute


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a request; for the `X-Rate-Limit-…` headers."""

    group: RateGroup
    limit: int
    remaining: int
    retry_after_seconds: int | None = None
    """None: the request is let through."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-rate-limit-group", self.group.label.encode()),
            (b"x-rate-limit-limit", b"%d" % self.limit),
            (b"x-rate-limit-remaining", b"%d" % self.remaining),
            (b"x-rate-limit-window", b"%d" % WINDOW_SECONDS),
        ]

    def require(self) -> None:
        """Raises: TooManyRequests: CMN-301, when the request is over the limit."""
        if self.retry_after_seconds is not None:
            raise TooManyRequests(
                "CMN-301",
                f"Request rate exceeded: {self.limit} requests of group {self.group.label} in {WINDOW_SECONDS} s",
                retry_after_seconds=self.retry_after_seconds,
            )


class _Track:
    """The last minute of one caller in one group."""

    __slots__ = ("_buckets", "_second", "_total", "blocked_until")

    def __init__(self, now: float) -> None:
        self._buckets = array("L", bytes(WINDOW_SECONDS * array("L").itemsize))
        self._second = int(now)
        self._total = 0
        self.blocked_until = now

    def count(self, now: float) -> int:
        """Requests let through in the last 60 s."""
        second = int(now)
        for passed in range(self._second + 1, min(second, self._second + WINDOW_SECONDS) + 1):
            place = passed % WINDOW_SECONDS
            self._total -= self._buckets[place]
            self._buckets[place] = 0
        self._second = max(self._second, second)
        return self._total

    def add(self) -> None:
        self._buckets[self._second % WINDOW_SECONDS] += 1
        self._total += 1

    def clear(self) -> None:
        for place in range(WINDOW_SECONDS):
            self._buckets[place] = 0
        self._total = 0


class RateLimits:
    """The limits of all callers, in bounded memory: at most `max_tracks` of each group (about 600 bytes each)."""

    def __init__(self, *, max_tracks: int = 20_000) -> None:
        self._max_tracks = max_tracks
        self._tracks: dict[RateGroup, OrderedDict[Hashable, _Track]] = {group: OrderedDict() for group in RateGroup}

    def hit(self, who: Hashable, group: RateGroup, *, factor: float, now: float) -> Standing | None:
        """Count one request.

        Args:
            who: user and application, or what stands for them.
            factor: times the documented limit; the limit is at least 1.
            now: running time in seconds.

        Returns:
            where the caller stands; None for a group without limit.
        """
        if not group.per_minute:
            return None
        limit = max(1, int(group.per_minute * factor))
        track = self._track(who, group, now)
        if now < track.blocked_until or track.count(now) >= limit:
            track.blocked_until = now + PENALTY_SECONDS
            track.clear()
            return Standing(group, limit, 0, PENALTY_SECONDS)
        track.add()
        return Standing(group, limit, limit - track.count(now))

    def _track(self, who: Hashable, group: RateGroup, now: float) -> _Track:
        tracks = self._tracks[group]
        track = tracks.get(who)
        if track is None:
            track = tracks[who] = _Track(now)
            if len(tracks) > self._max_tracks:
                tracks.popitem(last=False)
        else:
            tracks.move_to_end(who)
        return track
