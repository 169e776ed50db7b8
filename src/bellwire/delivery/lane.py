"""One subscription's notifications on their way out: what may start now, what waits, what is on disk.

                    overflow, a failure,                 running attempts
        ┌──────┐    2 s of age, a pause     ┌──────────┐     ended          ┌──────────┐
        │ LIVE │ ─────────────────────────▶ │ SPILLING │ ─────────────────▶ │ DRAINING │
        └──────┘                            └──────────┘                    └──────────┘
            ▲            what is left fits the memory queue, no key is held       │
            └─────────────────────────────────────────────────────────────────────┘

LIVE: notifications wait in memory. Leaving LIVE puts *every* unsettled notification of the subscription into the
backlog at once; moving only the one that overflowed would break the order within a key. While not LIVE, new matches
go to the backlog directly. DRAINING reads the backlog in (position, topic) order with a cursor (engine.md, Deliver and
settle).

Order: of one ordering key, one attempt at a time, in (position, topic) order; a failed head holds its key.

The lane decides in which mode it is; what waits in memory is in `waiting.py`, pauses after failures are in `pauses.py`,
and how the backlog is read is in `backlog_cursor.py`. None of them does I/O: times are passed in, rows come in through
`load`, and what has to be recorded goes to the `Ledger`. The engine's shell (engine/deliver.py) starts attempts, reads
rows and commits the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from bellwire.delivery.backlog_cursor import BacklogCursor
from bellwire.delivery.notification import Ledger, Notification, Place
from bellwire.delivery.pauses import Pauses
from bellwire.delivery.schedule import Delivered, GiveUp, RetryAfter, Verdict
from bellwire.delivery.waiting import Waiting
from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event
from bellwire.model.ids import Position, SubscriptionId


class Mode(Enum):
    LIVE = "live"
    SPILLING = "spilling"
    DRAINING = "draining"


_LIVE, _SPILLING, _DRAINING = Mode.LIVE, Mode.SPILLING, Mode.DRAINING
"""By names of this module's own: a look into an enumeration costs three times as much."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    waiting: int = 64
    """Notifications of one LIVE subscription that wait in memory."""
    waiting_bytes: int = 1 << 20
    """Bytes of their bodies."""
    parallel: int = 16
    """Attempts under way at once."""
    page: int = 256
    """Backlog rows in memory while DRAINING."""
    page_bytes: int = 4 << 20
    held_keys: int = 1000
    """More keys held than this: the subscription starts nothing else."""
    failures_before_hold: int = 3
    """So many failures in a row hold the whole subscription, but for one probe at a time."""


class Lane:
    """The state of one subscription's deliveries. All methods take constant time but where they say otherwise."""

    __slots__ = (
        "_backlog",
        "_in_flight",
        "_ledger",
        "_limits",
        "_pauses",
        "_tries",
        "_waiting",
        "closed",
        "mode",
        "paused",
        "progress_at",
        "ready",
        "subscription",
        "under_way",
    )

    def __init__(
        self,
        subscription: SubscriptionId,
        ledger: Ledger,
        limits: LaneLimits,
        *,
        backlog_rows: int = 0,
        paused: bool = False,
    ) -> None:
        """`backlog_rows`: how many rows the backlog held at start; with any, the lane starts DRAINING."""
        self.subscription = subscription
        self.mode = Mode.DRAINING if backlog_rows else Mode.LIVE
        self.paused = paused
        self.closed = False
        self.progress_at = 0.0
        """When the endpoint last took something, or, if that is later, when it was last given something while idle."""
        self._ledger = ledger
        self._limits = limits
        self._waiting = Waiting()
        self._in_flight = self._waiting.in_flight
        self.ready: Sized = self._waiting.ready
        """Empty: `next_start` finds nothing. Always the same object, to be asked on the hot path."""
        self.under_way: Sized = self._in_flight
        """Those that have an attempt under way. Always the same object, as `ready`."""
        self._tries: dict[Place, tuple[int, int]] = {}
        self._pauses = Pauses(
            parallel=limits.parallel,
            failures_before_hold=limits.failures_before_hold,
            held_keys=limits.held_keys,
            at_once=1 if backlog_rows else limits.parallel,
        )
        self._backlog = BacklogCursor(backlog_rows, remember=limits.waiting, remember_bytes=limits.waiting_bytes)

    # What the lane holds

    @property
    def backlog_rows(self) -> int:
        """Rows in the backlog, those of the commit being gathered included."""
        return self._backlog.rows

    @property
    def waiting(self) -> int:
        """Notifications that wait in memory."""
        return self._waiting.count

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the bodies that wait in memory."""
        return self._waiting.size_bytes

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def failures_in_a_row(self, notification: Notification) -> int:
        """How many there are since the last success if this attempt fails now; those that fail together count once."""
        return self._pauses.rounds_with(notification.key)

    @property
    def reading(self) -> bool:
        """Rows of the backlog are being read."""
        return self._backlog.reading

    @property
    def is_idle(self) -> bool:
        """Nothing waits, runs or is on disk."""
        return not (self._waiting.count or self._in_flight or self._backlog.rows)

    @property
    def is_recorded(self) -> bool:
        """No row is left on disk of a notification that has its outcome."""
        return self._backlog.is_recorded

    def tries(self, notification: Notification) -> tuple[int, int]:
        """(failed attempts, refusals) of a notification so far, as far as this process knows."""
        return self._tries.get(notification.place, (0, 0)) if self._tries else (0, 0)

    # Routing

    def offer(self, notification: Notification) -> None:
        """Take a new match, in (position, topic) order. It waits in memory while LIVE and there is room, else on
        disk."""
        if self.mode is _LIVE:
            # Invariant: bounded memory. What does not fit goes to the disk, and never to the floor.
            limits, waiting = self._limits, self._waiting
            if not waiting.count or (
                waiting.count < limits.waiting and waiting.size_bytes + notification.size_bytes <= limits.waiting_bytes
            ):
                waiting.add(notification)
                return
            self.spill()
        self._put(notification)
        self._backlog.remember(notification)

    # Attempts

    def next_start(self, now: float) -> Notification | None:
        """The notification to start an attempt for now, if one may start; it counts as in flight from here on."""
        in_flight = self._in_flight
        if not self.ready or len(in_flight) >= self._window(now):
            return None
        was_idle = not in_flight
        notification = self._waiting.start()
        if was_idle and notification is not None:
            self.progress_at = now
        return notification

    def delivered(self, notification: Notification, now: float) -> None:
        """The endpoint took it: `finished` with that verdict, on the hot path."""
        key = notification.key
        del self._in_flight[key]
        self.progress_at = now
        pauses = self._pauses
        if not pauses.is_steady:
            pauses.delivered()
        if self.mode is _LIVE and not notification.has_row and not self._tries:  # nearly always
            self._ledger.finish(self.subscription, notification)
            if self._waiting.count:
                self._waiting.free(key)
            return
        self._complete(notification)
        if self.mode is _SPILLING and not self._in_flight:
            self._begin_draining()

    def finished(self, notification: Notification, verdict: Verdict, now: float, *, refused: bool = False) -> None:
        """Take an attempt's outcome. `refused`: the endpoint answered that it does not want it."""
        if isinstance(verdict, Delivered):
            self.delivered(notification, now)
            return
        del self._in_flight[notification.key]
        match verdict:
            case GiveUp():
                self._pauses.gave_up(notification.key)
                self._complete(notification)
            case RetryAfter(seconds, whole_endpoint):
                self._fail(notification, now + seconds, whole_endpoint=whole_endpoint, refused=refused)
        if self.mode is _SPILLING and not self._in_flight:
            self._begin_draining()

    def spill(self) -> None:
        """Leave LIVE: every unsettled notification goes to the backlog. Running attempts go on.

        Takes time in proportion to what is in memory, which `LaneLimits` bounds.
        """
        if self.mode is not Mode.LIVE:
            return
        self._drop_waiting()
        for notification in self._in_flight.values():
            if not notification.has_row:
                self._put(notification)
                self._backlog.loaded(notification.place)
        self.mode = Mode.SPILLING
        if not self._in_flight:
            self._begin_draining()

    def spill_if_older(self, routed_before: float) -> bool:
        """Spill if a notification without a row was routed before that time; whether it did."""
        if self.mode is not Mode.LIVE:
            return False
        for notification in chain(self._in_flight.values(), self._waiting):
            if not notification.has_row and notification.routed_at <= routed_before:
                self.spill()
                return True
        return False

    # Draining

    def wants_rows(self, now: float) -> int:
        """How many backlog rows to read now, after `cursor`; 0 for none. While failing, few: the probe is one."""
        if (
            self.mode is not Mode.DRAINING
            or self.paused
            or self.reading
            or not self._backlog.has_more
            or self._waiting.count > self._limits.page // 4
            or not self._window(now)
        ):
            return 0
        return self._limits.page if not self._pauses.failures else self._limits.parallel

    @property
    def cursor(self) -> Place:
        return self._backlog.place

    def begin_read(self) -> None:
        """Rows after `cursor` are being read; everything put so far must be committed before they are."""
        self._backlog.begin_read()

    def wanted(self, rows: Sequence[BacklogRow]) -> list[BacklogRow]:
        """Which of the rows read could be loaded now: their events are worth fetching. Bounded in count and bytes."""
        return self._backlog.choose(
            rows,
            self._pauses.held,
            self._limits.page - self._waiting.count,
            self._limits.page_bytes - self._waiting.size_bytes,
        )

    def load(
        self, rows: Sequence[BacklogRow], events: Mapping[Position, Event], asked: int, now: float, *, complete: bool
    ) -> None:
        """Take the rows that were read, with the events of those that `wanted` named.

        Args:
            rows: as read, in order.
            events: by position; a position of a wanted row that is absent means that the event is gone.
            asked: how many rows were asked for.
            complete: False when the read failed; nothing is taken, and the rows are asked for again.
        """
        if complete and self.mode is Mode.DRAINING:
            for notification in self._backlog.take(rows, events, self._pauses.held, asked, now):
                self._waiting.add(notification)
        self._backlog.end_read()
        self._go_live_if_caught_up()

    def committed(self, done: Iterable[Place]) -> None:
        """The removal of these rows is durable: no later read will show them."""
        self._backlog.committed(done)

    def tick(self, now: float) -> None:
        """Release the keys whose pause is over, or all of them when the endpoint's probe is due."""
        if self._pauses.release_due(now):
            self._backlog.rewind()

    def next_wake(self) -> float | None:
        """When `tick` has something to do, in running time; None: not before the next outcome."""
        if self.paused or self.mode is not Mode.DRAINING:
            return None
        return self._pauses.next_wake()

    # From outside

    def pause(self) -> None:
        """Start nothing more; what waits, and what comes, goes to the backlog."""
        self.paused = True
        self.spill()

    def resume(self) -> None:
        """Go on, forgetting pauses of keys and endpoint."""
        self.paused = False
        self._pauses.forget()
        self._backlog.rewind()
        self._go_live_if_caught_up()

    def begin_drop(self) -> None:
        """Rows are being read in order to be dropped: outcomes from here on are remembered until `drop`."""
        self._backlog.begin_drop()

    def drop(self, rows: Sequence[BacklogRow]) -> list[Notification]:
        """Give up rows of the backlog whose time is over, but for those that are under way or have their outcome.

        Takes time in proportion to what is in memory. Only while DRAINING: a LIVE lane is about to deliver them.

        Args:
            rows: read after `begin_drop`, when all puts were committed.

        Returns:
            what was given up; its removal is in the ledger.
        """
        dropped: list[Notification] = []
        if self.mode is Mode.DRAINING and not self.closed:
            self._drop_waiting()
            self._backlog.rewind()
            dropped = self._backlog.drop(rows, {notification.place for notification in self._in_flight.values()})
            for notification in dropped:
                self._ledger.finish(self.subscription, notification)
                self._tries.pop(notification.place, None)
        self._backlog.end_drop()
        return dropped

    def close(self) -> None:
        """The subscription is no more: what it held counts as settled. Outcomes of attempts under way are ignored."""
        for notification in chain(self._waiting, self._in_flight.values()):
            self._ledger.finish(self.subscription, notification)
        self._waiting.clear()
        self._in_flight.clear()
        self._backlog.rows = 0
        self._backlog.forget_fresh()
        self.paused = self.closed = True

    # Steps

    def _window(self, now: float) -> int:
        """How many attempts may be under way now."""
        if self.paused or self.mode is _SPILLING:
            return 0
        return self._limits.parallel if self.mode is _LIVE else self._pauses.window(now)

    def _put(self, notification: Notification) -> None:
        self._ledger.put(self.subscription, notification)
        notification.has_row = True
        self._backlog.put()

    def _complete(self, notification: Notification) -> None:
        if self._tries:
            self._tries.pop(notification.place, None)
        self._ledger.finish(self.subscription, notification)
        if notification.has_row:
            self._backlog.completed(notification.place)
        self._waiting.free(notification.key)
        if self.mode is _DRAINING:
            self._go_live_if_caught_up()

    def _fail(self, notification: Notification, retry_at: float, *, whole_endpoint: bool, refused: bool) -> None:
        place, key = notification.place, notification.key
        failed, refusals = self._tries.get(place, (0, 0))
        self._tries[place] = (failed + 1, refusals + refused)
        self._pauses.failed(key, retry_at, whole_endpoint=whole_endpoint, under_way=self._in_flight)
        self.spill()
        if not notification.has_row:
            self._put(notification)
        self._backlog.unloaded(place)
        for behind in self._waiting.take_key(key):  # the cursor comes back to it
            assert behind.has_row, "outside LIVE all that waits is on disk"
            self._backlog.unloaded(behind.place)
        self._backlog.skip(key, place)
        if self._pauses.holds_endpoint and self.mode is Mode.DRAINING:
            self._drop_waiting()
            self._backlog.rewind()

    def _begin_draining(self) -> None:
        self.mode = Mode.DRAINING
        self._backlog.restart()
        self._go_live_if_caught_up()

    def _drop_waiting(self) -> None:
        """Let go of what waits in memory; what has no row gets one."""
        for notification in self._waiting:
            if notification.has_row:
                self._backlog.unloaded(notification.place)
                self._backlog.skip(notification.key, notification.place)
            else:
                self._put(notification)
        self._waiting.clear()

    def _go_live_if_caught_up(self) -> None:
        if (
            self.mode is not Mode.DRAINING
            or self.paused
            or self.reading
            or self._pauses.failures
            or self._pauses.held
            or self._backlog.passed_over_some
        ):
            return
        rest = self._backlog.catch_up(self._limits.waiting - self._waiting.count)
        if rest is None:
            return
        for notification in rest:
            self._waiting.add(notification)
        self.mode = Mode.LIVE
        self._backlog.stand_still()
