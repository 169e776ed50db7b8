"""One replay's notifications on their way out: a window that moves over the log. No I/O; times are passed in.

A few notifications are in the window at a time; of one ordering key, one after the other. What is done is remembered by
the cursor, below which all is, and by the few places above it; stored together with the attempts, they let a
replay go on after a crash without sending again what was recorded.

A replay bends to its endpoint: while it fails, one attempt at a time, with growing pauses, and another notification
each time, so that one that the endpoint chokes on does not stand in the way of the rest. A failure counts against its
notification only if the endpoint took another since the failure before, or answered that it does not want this one: a
dead endpoint makes a replay wait, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bellwire.delivery.notification import Notification, Place
from bellwire.delivery.schedule import RetryPolicy
from bellwire.model.ids import Position


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    window: int = 64
    """Notifications that were read and are not done, or are done above the cursor; more are read when half are."""
    window_bytes: int = 1 << 20
    """Of their events' bodies; one more read may go beyond."""
    parallel: int = 4
    """Attempts under way at once."""
    give_up_after: int = 10
    """Failures of one notification that count against it."""
    most_tries: int = 100
    """Attempts of one notification, whatever they came to: with the pauses between them, about half a day."""


class Came(Enum):
    """What came of an attempt."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The endpoint answered that it does not want this one."""
    FAILED = "failed"


class _Item:
    __slots__ = ("counted", "is_in_flight", "notification", "retry_at", "taken_before", "tries")

    def __init__(self, notification: Notification, taken: int) -> None:
        self.notification = notification
        self.tries = 0
        self.counted = 0
        self.retry_at = 0.0
        self.taken_before = taken
        """How many the endpoint had taken when this one was tried last, or came."""
        self.is_in_flight = False


class ReplayWindow:
    def __init__(
        self,
        cursor: Position,
        until: Position,
        done: Sequence[Place] = (),
        *,
        limits: ReplayLimits | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        """
        Args:
            cursor: up to there, all is done.
            done: places above it that are done, too.
        """
        self.reached = cursor
        """Up to there, all was read."""
        self._until = until
        self._limits = limits or ReplayLimits()
        self._policy = policy or RetryPolicy()
        self._items: dict[Place, _Item] = {}
        self._done: set[Place] = set(done)
        self._size = 0
        self._in_flight = 0
        self._taken = 0
        self._failures = 0
        self._endpoint_free_at = 0.0

    @property
    def cursor(self) -> Position:
        """Up to there, all is done."""
        return Position(next(iter(self._items))[0] - 1) if self._items else self.reached

    @property
    def done(self) -> tuple[Place, ...]:
        """What is done above the cursor."""
        return tuple(sorted(self._done))

    @property
    def is_finished(self) -> bool:
        return not self._items and self.reached >= self._until

    @property
    def wants_more(self) -> bool:
        if self.reached >= self._until:
            return False
        if not self._items:  # after a restart, what is done lies beyond what was read
            return True
        is_half_empty = len(self._items) + len(self._done) <= self._limits.window // 2
        return is_half_empty and self._size < self._limits.window_bytes

    def read(self, notifications: Sequence[Notification], reached: Position) -> None:
        """Take what was found up to a position, in (position, topic) order."""
        for notification in notifications:
            if notification.place not in self._done:
                self._items[notification.place] = _Item(notification, self._taken)
                self._size += notification.size_bytes
        self.reached = reached
        self._forget_done()

    def next_start(self, now: float) -> Notification | None:
        """A notification that is to be tried now; it is under way from here on."""
        if self._in_flight >= (1 if self._failures else self._limits.parallel) or now < self._endpoint_free_at:
            return None
        chosen: _Item | None = None
        keys: set[str] = set()
        for item in self._items.values():
            key = item.notification.key
            if key in keys:
                continue
            keys.add(key)
            if not item.is_in_flight and item.retry_at <= now and (chosen is None or item.retry_at < chosen.retry_at):
                chosen = item
        if chosen is None:
            return None
        chosen.is_in_flight = True
        self._in_flight += 1
        return chosen.notification

    def tries(self, notification: Notification) -> int:
        """Attempts that came to an end so far."""
        return self._items[notification.place].tries

    def finished(self, notification: Notification, came: Came, now: float, *, jitter: float) -> float | None:
        """Note what came of an attempt.

        Args:
            jitter: 0 to 1, uniform.

        Returns:
            after how many seconds it is tried again; None: it is done, taken or given up.
        """
        item = self._items[notification.place]
        item.is_in_flight = False
        item.tries += 1
        self._in_flight -= 1
        if came is Came.TAKEN:
            self._taken += 1
            self._failures = 0
            self._endpoint_free_at = 0.0
            self._complete(notification.place)
            return None
        if came is Came.REFUSED or self._taken > item.taken_before:
            item.counted += 1
        item.taken_before = self._taken
        if item.counted >= self._limits.give_up_after or item.tries >= self._limits.most_tries:
            self._complete(notification.place)
            return None
        pause = self._policy.pause(item.tries, jitter)
        item.retry_at = now + pause
        if came is Came.FAILED:
            self._failures += 1
            self._endpoint_free_at = now + self._policy.pause(self._failures, jitter)
        return max(item.retry_at, self._endpoint_free_at) - now

    def skip(self, notification: Notification) -> None:
        """It is not wanted any more, after all: it counts as done without an attempt."""
        self._in_flight -= 1
        self._complete(notification.place)

    def put_back(self, notification: Notification) -> None:
        """No attempt was made, after all, or nobody knows what came of it: it goes again."""
        self._in_flight -= 1
        self._items[notification.place].is_in_flight = False

    def next_wake(self, now: float) -> float | None:
        """Seconds until something may start that may not now; None: not before an attempt has ended."""
        if self._in_flight >= (1 if self._failures else self._limits.parallel):
            return None
        waiting = [item.retry_at for item in self._items.values() if not item.is_in_flight]
        if not waiting:
            return None
        return max(0.0, max(min(waiting), self._endpoint_free_at) - now)

    def _complete(self, place: Place) -> None:
        self._size -= self._items.pop(place).notification.size_bytes
        self._done.add(place)
        self._forget_done()

    def _forget_done(self) -> None:
        cursor = self.cursor
        self._done = {place for place in self._done if place[0] > cursor}
