"""After failures: which ordering keys are held, when the endpoint may be asked again, and how many attempts at once.

A failed head holds its key. Three failures in a row, or an answer that concerns the whole endpoint (429 with
`Retry-After`), hold everything, but for one probe at a time. An endpoint that answers again is given 1, 2, 4 … attempts
at once, so that its backlog does not knock it over (engine.md, Order and Herds).

Attempts that are under way together fail together: sixteen that meet an endpoint in the same bad moment are one round
of failures, and no reason to leave it alone as long as after sixteen tries one after the other.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection


class Pauses:
    """Times are running time in seconds."""

    __slots__ = (
        "_bystanders",
        "_endpoint_free_at",
        "_failures_before_hold",
        "_held_order",
        "_most_held",
        "_parallel",
        "_ramp",
        "_rounds",
        "failures",
        "held",
        "is_steady",
    )

    def __init__(self, *, parallel: int, failures_before_hold: int, held_keys: int, at_once: int) -> None:
        """`held_keys`: with more of them held, nothing else starts. `at_once`: how many attempts to begin with."""
        self.failures = 0
        """Failed attempts since the last success."""
        self.held: dict[str, float] = {}
        """Keys that wait for their next try, and its time."""
        self._held_order: list[tuple[float, str]] = []
        self._rounds = 0
        self._bystanders: set[str] = set()
        """Keys that had an attempt under way when the last round of failures began, and still have it."""
        self._endpoint_free_at = 0.0
        self._ramp = at_once
        self.is_steady = at_once >= parallel
        """Nothing failed lately: `delivered` changes nothing."""
        self._parallel = parallel
        self._failures_before_hold = failures_before_hold
        self._most_held = held_keys

    @property
    def holds_endpoint(self) -> bool:
        """So many failures in a row that nothing goes out but one probe at a time."""
        return self.failures >= self._failures_before_hold

    def window(self, now: float) -> int:
        """How many attempts may be under way now."""
        if now < self._endpoint_free_at or len(self.held) > self._most_held:
            return 0
        return 1 if self.failures else self._ramp

    def rounds_with(self, key: str) -> int:
        """How many rounds of failures there are since the last success if the key's attempt fails now."""
        return self._rounds + (key not in self._bystanders)

    def delivered(self) -> None:
        """The endpoint took something."""
        if self.failures:
            self._forget_failures()
        if self._ramp < self._parallel:
            self._ramp = min(self._ramp * 2, self._parallel)
        self.is_steady = self._ramp >= self._parallel

    def gave_up(self, key: str) -> None:
        """The key's attempt has ended, and nothing is held for it."""
        self._bystanders.discard(key)

    def failed(self, key: str, retry_at: float, *, whole_endpoint: bool, under_way: Collection[str]) -> None:
        """The key is held until then, and the endpoint too if it says so or fails again and again.

        Args:
            under_way: the other keys that have an attempt under way.
        """
        self.failures += 1
        self.is_steady = False
        if key in self._bystanders:
            self._bystanders.discard(key)
        else:
            self._rounds += 1
            self._bystanders = set(under_way)
        self._ramp = 1
        self.held[key] = retry_at
        heapq.heappush(self._held_order, (retry_at, key))
        if whole_endpoint or self.holds_endpoint:
            self._endpoint_free_at = max(self._endpoint_free_at, retry_at)

    def release_due(self, now: float) -> bool:
        """Free the keys whose pause is over, or all of them when the endpoint's probe is due; whether any was."""
        if self.holds_endpoint:
            if not self.held or now < self._endpoint_free_at:
                return False
            self._release_all()
            return True
        order = self._held_order
        released = False
        while order and order[0][0] <= now:
            at, key = heapq.heappop(order)
            if self.held.get(key) == at:
                del self.held[key]
                released = True
        return released

    def next_wake(self) -> float | None:
        """When `release_due` has something to do; None: not before the next outcome."""
        if self.holds_endpoint or not self._held_order:
            return self._endpoint_free_at or None
        return max(self._held_order[0][0], self._endpoint_free_at)

    def forget(self) -> None:
        """End all pauses, as if nothing had failed."""
        self._forget_failures()
        self._release_all()

    def _forget_failures(self) -> None:
        self.failures = self._rounds = 0
        self._bystanders.clear()
        self._endpoint_free_at = 0.0

    def _release_all(self) -> None:
        self.held.clear()
        self._held_order.clear()
