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

Order: of one ordering key, one attempt at a time, in (position, topic) order; a failed head holds its key. Rows whose
key is held are passed over by the cursor and read again when the key is free (`_rewind`), so that what waits in memory
stays bounded however many rows a held key has.

This file decides and does no I/O: times are passed in, rows come in through `load`, and what has to be recorded goes to
the `Ledger`. The engine's shell (engine/deliver.py) starts attempts, reads rows and commits the ledger.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Protocol

from bellwire.delivery.schedule import Delivered, GiveUp, RetryAfter, Verdict
from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Position, SubscriptionId

Place = tuple[Position, str]
"""Position and topic: a notification's identity within its subscription, and its order."""

_LAST_TOPIC = "\U0010ffff"
_START: Place = (LOG_START, "")


class Mode(Enum):
    LIVE = "live"
    SPILLING = "spilling"
    DRAINING = "draining"


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


class Notification:
    """One event for one subscription, in memory.

    `event` is None where it could not be found any more. `has_row`: it is in the backlog, or will be with the commit
    that is being gathered. `routed_at`: running time, seconds.
    """

    __slots__ = (
        "event",
        "filter_index",
        "filter_version",
        "has_row",
        "key",
        "position",
        "routed_at",
        "size_bytes",
        "topic",
    )

    def __init__(  # noqa: PLR0917 - built at every match: keywords would cost more than the call
        self,
        position: Position,
        topic: str,
        key: str,
        filter_version: int,
        filter_index: int,
        event: Event | None,
        size_bytes: int,
        routed_at: float,
        has_row: bool = False,
    ) -> None:
        self.position = position
        self.topic = topic
        self.key = key
        self.filter_version = filter_version
        self.filter_index = filter_index
        self.event = event
        self.size_bytes = size_bytes
        self.routed_at = routed_at
        self.has_row = has_row

    @property
    def place(self) -> Place:
        return (self.position, self.topic)

    def row(self, subscription: SubscriptionId) -> BacklogRow:
        return BacklogRow(
            subscription=subscription,
            position=self.position,
            topic=self.topic,
            key=self.key,
            filter_version=self.filter_version,
            filter_index=self.filter_index,
            size_bytes=self.size_bytes,
        )


class Ledger(Protocol):
    """Gathers what the next commit records."""

    def put(self, subscription: SubscriptionId, notification: Notification) -> None:
        """The notification gets a backlog row; it is settled thereby."""
        ...

    def finish(self, subscription: SubscriptionId, notification: Notification) -> None:
        """The notification has its outcome: its row goes if it has one; otherwise it is settled by this."""
        ...


class Lane:
    """The state of one subscription's deliveries. All methods take constant time but where they say otherwise."""

    __slots__ = (
        "_at_end",
        "_bystanders",
        "_cursor",
        "_dropping",
        "_endpoint_free_at",
        "_failures",
        "_finished",
        "_finished_while_reading",
        "_fresh",
        "_fresh_bytes",
        "_generation",
        "_held",
        "_held_order",
        "_in_flight",
        "_ledger",
        "_limits",
        "_loaded",
        "_put_since_read_began",
        "_queues",
        "_ramp",
        "_read_generation",
        "_ready",
        "_rounds",
        "_rows",
        "_skipped_from",
        "_skipped_keys",
        "_tries",
        "_waiting",
        "_waiting_bytes",
        "_wanted",
        "closed",
        "mode",
        "paused",
        "progress_at",
        "reading",
        "subscription",
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
        self.reading = False
        self.closed = False
        self.progress_at = 0.0
        """When the endpoint last took something, or, if that is later, when it was last given something while idle."""
        self._ledger = ledger
        self._limits = limits
        self._queues: dict[str, deque[Notification]] = {}
        self._ready: deque[str] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._in_flight: dict[str, Notification] = {}
        self._tries: dict[Place, tuple[int, int]] = {}
        self._failures = 0
        self._rounds = 0
        self._bystanders: set[Place] = set()
        """Under way when the last round of failures began."""
        self._ramp = 1 if backlog_rows else limits.parallel
        self._endpoint_free_at = 0.0
        self._held: dict[str, float] = {}
        self._held_order: list[tuple[float, str]] = []
        self._rows = backlog_rows
        self._loaded: set[Place] = set()
        self._finished: set[Place] = set()
        self._finished_while_reading: list[Place] = []
        self._cursor = _START
        self._dropping = False
        self._at_end = False
        self._put_since_read_began = False
        self._skipped_from: Place | None = None
        self._skipped_keys: set[str] = set()
        self._wanted: set[Place] = set()
        self._fresh: deque[Notification] = deque()
        self._fresh_bytes = 0
        self._generation = 0
        self._read_generation = 0

    # What the lane holds

    @property
    def backlog_rows(self) -> int:
        """Rows in the backlog, those of the commit being gathered included."""
        return self._rows

    @property
    def waiting(self) -> int:
        """Notifications that wait in memory."""
        return self._waiting

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the bodies that wait in memory."""
        return self._waiting_bytes

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def failures_in_a_row(self, notification: Notification) -> int:
        """How many rounds of failures there are since the last success if this attempt fails now.

        Attempts that are under way together fail together: sixteen that meet an endpoint in the same bad moment are one
        round, and no reason to leave it alone as long as after sixteen tries one after the other.
        """
        return self._rounds + (notification.place not in self._bystanders)

    @property
    def is_idle(self) -> bool:
        """Nothing waits, runs or is on disk."""
        return not (self._waiting or self._in_flight or self._rows)

    @property
    def is_recorded(self) -> bool:
        """No row is left on disk of a notification that has its outcome."""
        return not self._finished

    def tries(self, notification: Notification) -> tuple[int, int]:
        """(failed attempts, refusals) of a notification so far, as far as this process knows."""
        return self._tries.get(notification.place, (0, 0)) if self._tries else (0, 0)

    # Routing

    def offer(self, notification: Notification) -> None:
        """Take a new match, in log order. It waits in memory while LIVE and there is room, else on disk."""
        if self.mode is Mode.LIVE:
            # Invariant: bounded memory. What does not fit goes to the disk, and never to the floor.
            limits = self._limits
            if not self._waiting or (
                self._waiting < limits.waiting and self._waiting_bytes + notification.size_bytes <= limits.waiting_bytes
            ):
                self._enqueue(notification)
                return
            self.spill()
        self._put(notification)
        self._remember(notification)

    # Attempts

    def next_start(self, now: float) -> Notification | None:
        """The notification to start an attempt for now, if one may start; it counts as in flight from here on."""
        if not self._ready or len(self._in_flight) >= self._window(now):
            return None
        while self._ready:
            key = self._ready.popleft()
            queue = self._queues.get(key)
            if queue is None or key in self._in_flight:
                continue
            notification = queue.popleft()
            if not queue:
                del self._queues[key]
            self._waiting -= 1
            self._waiting_bytes -= notification.size_bytes
            if not self._in_flight:
                self.progress_at = now
            # Invariant: order. A key's next notification starts when the one before it has its outcome.
            self._in_flight[key] = notification
            return notification
        return None

    def finished(self, notification: Notification, verdict: Verdict, now: float, *, refused: bool = False) -> None:
        """Take an attempt's outcome. `refused`: the endpoint answered that it does not want it."""
        del self._in_flight[notification.key]
        match verdict:
            case Delivered():
                self.progress_at = now
                self._forget_failures()
                self._ramp = min(self._ramp * 2, self._limits.parallel)
                self._complete(notification)
            case GiveUp():
                self._complete(notification)
            case RetryAfter(seconds, whole_endpoint):
                self._fail(notification, now + seconds, whole_endpoint=whole_endpoint, refused=refused)
        if self.mode is Mode.SPILLING and not self._in_flight:
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
                self._loaded.add(notification.place)
        self.mode = Mode.SPILLING
        if not self._in_flight:
            self._begin_draining()

    def spill_if_older(self, routed_before: float) -> bool:
        """Spill if a notification without a row was routed before that time; whether it did."""
        if self.mode is not Mode.LIVE:
            return False
        for notification in chain(self._in_flight.values(), *self._queues.values()):
            if not notification.has_row and notification.routed_at <= routed_before:
                self.spill()
                return True
        return False

    # Draining

    def wants_rows(self, now: float) -> int:
        """How many backlog rows to read now, after `cursor`; 0 for none. While failing, one: the probe."""
        if (
            self.mode is not Mode.DRAINING
            or self.paused
            or self.reading
            or self._at_end
            or self._rows <= len(self._loaded)
            or self._waiting > self._limits.page // 4
            or not self._window(now)
        ):
            return 0
        return self._limits.page if not self._failures else self._limits.parallel

    @property
    def cursor(self) -> Place:
        return self._cursor

    def begin_read(self) -> None:
        """Rows after `cursor` are being read; everything put so far must be committed before they are."""
        self.reading = True
        self._put_since_read_began = False
        self._read_generation = self._generation

    def wanted(self, rows: Sequence[BacklogRow]) -> list[BacklogRow]:
        """Which of the rows read could be loaded now: their events are worth fetching. Bounded in count and bytes."""
        chosen: list[BacklogRow] = []
        room = self._limits.page - self._waiting
        room_bytes = self._limits.page_bytes - self._waiting_bytes
        for row in rows:
            if room <= 0 or (room_bytes < row.size_bytes and chosen):
                break
            if self._is_loadable(row):
                chosen.append(row)
                room -= 1
                room_bytes -= row.size_bytes
        self._wanted = {(row.position, row.topic) for row in chosen}
        return chosen

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
        self.reading = False
        if complete and self.mode is Mode.DRAINING and self._read_generation == self._generation:
            self._take(rows, events, asked, now)
        self._forget_finished()
        self._go_live_if_caught_up()

    def committed(self, done: Iterable[Place]) -> None:
        """The removal of these rows is durable: no later read will show them."""
        if self.reading or self._dropping:
            self._finished_while_reading.extend(done)
        else:
            self._finished.difference_update(done)

    def tick(self, now: float) -> None:
        """Release the keys whose pause is over, or all of them when the endpoint's probe is due."""
        if self._failures >= self._limits.failures_before_hold:
            if self._held and now >= self._endpoint_free_at:
                self._held.clear()
                self._held_order.clear()
                self._rewind()
            return
        order = self._held_order
        released = False
        while order and order[0][0] <= now:
            at, key = heapq.heappop(order)
            if self._held.get(key) == at:
                del self._held[key]
                released = True
        if released:
            self._rewind()

    def next_wake(self) -> float | None:
        """When `tick` has something to do, in running time; None: not before the next outcome."""
        if self.paused or self.mode is not Mode.DRAINING:
            return None
        if self._failures >= self._limits.failures_before_hold or not self._held_order:
            return self._endpoint_free_at or None
        return max(self._held_order[0][0], self._endpoint_free_at)

    def _forget_finished(self) -> None:
        """Outcomes that are durable need not be remembered once no rows are held that were read before."""
        if self._finished_while_reading and not (self.reading or self._dropping):
            self._finished.difference_update(self._finished_while_reading)
            self._finished_while_reading.clear()

    # From outside

    def pause(self) -> None:
        """Start nothing more; what waits, and what comes, goes to the backlog."""
        self.paused = True
        self.spill()

    def resume(self) -> None:
        """Go on, forgetting pauses of keys and endpoint."""
        self.paused = False
        self._forget_failures()
        self._held.clear()
        self._held_order.clear()
        self._rewind()
        self._go_live_if_caught_up()

    def begin_drop(self) -> None:
        """Rows are being read in order to be dropped: outcomes from here on are remembered until `drop`."""
        self._dropping = True

    def drop(self, rows: Sequence[BacklogRow]) -> list[Notification]:
        """Give up rows of the backlog whose time is over, but for those that are under way or have their outcome.

        Takes time in proportion to what is in memory. Only while DRAINING: a LIVE lane is about to deliver them.

        Args:
            rows: read after `begin_drop`, when all puts were committed.

        Returns:
            what was given up; its removal is in the ledger.
        """
        try:
            return self._drop(rows) if self.mode is Mode.DRAINING and not self.closed else []
        finally:
            self._dropping = False
            self._forget_finished()

    def _drop(self, rows: Sequence[BacklogRow]) -> list[Notification]:
        self._drop_waiting()
        self._rewind()
        under_way = {notification.place for notification in self._in_flight.values()}
        dropped: list[Notification] = []
        for row in rows:
            place = (row.position, row.topic)
            if place in under_way or place in self._finished:
                continue
            notification = Notification(
                row.position,
                row.topic,
                row.key,
                row.filter_version,
                row.filter_index,
                None,
                row.size_bytes,
                0.0,
                has_row=True,
            )
            self._ledger.finish(self.subscription, notification)
            self._tries.pop(place, None)
            self._rows -= 1
            self._finished.add(place)
            dropped.append(notification)
        self._fresh = deque(notification for notification in self._fresh if notification.place not in self._finished)
        self._fresh_bytes = sum(notification.size_bytes for notification in self._fresh)
        return dropped

    def close(self) -> None:
        """The subscription is no more: what it held counts as settled. Outcomes of attempts under way are ignored."""
        for queue in self._queues.values():
            for notification in queue:
                self._ledger.finish(self.subscription, notification)
        for notification in self._in_flight.values():
            self._ledger.finish(self.subscription, notification)
        self._queues.clear()
        self._ready.clear()
        self._in_flight.clear()
        self._waiting = self._waiting_bytes = self._rows = 0
        self._forget_fresh()
        self.paused = self.closed = True

    # Steps

    def _window(self, now: float) -> int:
        """How many attempts may be under way now."""
        if self.paused or self.mode is Mode.SPILLING:
            return 0
        if self.mode is Mode.LIVE:
            return self._limits.parallel
        if now < self._endpoint_free_at or len(self._held) > self._limits.held_keys:
            return 0
        return 1 if self._failures else self._ramp

    def _enqueue(self, notification: Notification) -> None:
        key = notification.key
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((notification,))
            if key not in self._in_flight:
                self._ready.append(key)
        else:
            queue.append(notification)
        self._waiting += 1
        self._waiting_bytes += notification.size_bytes

    def _put(self, notification: Notification) -> None:
        self._ledger.put(self.subscription, notification)
        notification.has_row = True
        self._rows += 1
        self._at_end = False
        self._put_since_read_began = True

    def _remember(self, notification: Notification) -> None:
        """Keep the last few rows put while draining, so that the lane can catch up with what is not committed yet."""
        self._fresh.append(notification)
        self._fresh_bytes += notification.size_bytes
        while len(self._fresh) > self._limits.waiting or (
            self._fresh_bytes > self._limits.waiting_bytes and len(self._fresh) > 1
        ):
            self._fresh_bytes -= self._fresh.popleft().size_bytes

    def _forget_fresh(self) -> None:
        self._fresh.clear()
        self._fresh_bytes = 0

    def _complete(self, notification: Notification) -> None:
        place = notification.place
        if self._tries:
            self._tries.pop(place, None)
        self._ledger.finish(self.subscription, notification)
        if notification.has_row:
            self._rows -= 1
            self._loaded.discard(place)
            self._finished.add(place)
        key = notification.key
        if key in self._queues:
            self._ready.append(key)
        if self.mode is Mode.DRAINING:
            self._go_live_if_caught_up()

    def _fail(self, notification: Notification, retry_at: float, *, whole_endpoint: bool, refused: bool) -> None:
        place = notification.place
        failed, refusals = self._tries.get(place, (0, 0))
        self._tries[place] = (failed + 1, refusals + refused)
        self._failures += 1
        if place in self._bystanders:
            self._bystanders.discard(place)
        else:
            self._rounds += 1
            self._bystanders = {other.place for other in self._in_flight.values()}
        self._ramp = 1
        self.spill()
        if not notification.has_row:
            self._put(notification)
        self._loaded.discard(place)
        key = notification.key
        self._held[key] = retry_at
        heapq.heappush(self._held_order, (retry_at, key))
        self._unload(key)
        self._skip(key, place)
        if self._failures >= self._limits.failures_before_hold:
            self._endpoint_free_at = max(self._endpoint_free_at, retry_at)
            if self.mode is Mode.DRAINING:
                self._drop_waiting()
                self._rewind()
        elif whole_endpoint:
            self._endpoint_free_at = max(self._endpoint_free_at, retry_at)

    def _forget_failures(self) -> None:
        self._failures = self._rounds = 0
        self._endpoint_free_at = 0.0
        self._bystanders.clear()

    def _begin_draining(self) -> None:
        self.mode = Mode.DRAINING
        self._restart_cursor(_START)
        self._go_live_if_caught_up()

    def _drop_waiting(self) -> None:
        """Let go of what waits in memory; what has no row gets one."""
        for queue in self._queues.values():
            for notification in queue:
                if notification.has_row:
                    self._loaded.discard(notification.place)
                    self._skip(notification.key, notification.place)
                else:
                    self._put(notification)
        self._queues.clear()
        self._ready.clear()
        self._waiting = self._waiting_bytes = 0

    def _unload(self, key: str) -> None:
        """Let go of what waits behind a key that is held now; the cursor comes back to it."""
        queue = self._queues.pop(key, None)
        if queue is None:
            return
        for notification in queue:
            assert notification.has_row, "outside LIVE all that waits is on disk"
            self._loaded.discard(notification.place)
            self._waiting -= 1
            self._waiting_bytes -= notification.size_bytes

    def _skip(self, key: str, place: Place) -> None:
        self._skipped_keys.add(key)
        if self._skipped_from is None or place < self._skipped_from:
            self._skipped_from = place

    def _rewind(self) -> None:
        """Read again from the first row that was passed over."""
        if self._skipped_from is not None:
            position = self._skipped_from[0]
            self._restart_cursor(min(self._cursor, (Position(position - 1), _LAST_TOPIC)))

    def _restart_cursor(self, cursor: Place) -> None:
        self._cursor = cursor
        self._at_end = False
        self._skipped_from = None
        self._skipped_keys.clear()
        self._generation += 1

    def _is_loadable(self, row: BacklogRow) -> bool:
        # Invariant: bounded duplicates. What is in memory, under way, or has an outcome that its row may outlive until
        # the next commit is not loaded once more, whatever modes the lane passes through.
        place = (row.position, row.topic)
        return not (
            place in self._loaded or place in self._finished or row.key in self._held or row.key in self._skipped_keys
        )

    def _take(self, rows: Sequence[BacklogRow], events: Mapping[Position, Event], asked: int, now: float) -> None:
        for row in rows:
            place = (row.position, row.topic)
            if place in self._loaded or place in self._finished:
                pass
            elif row.key in self._held or row.key in self._skipped_keys:
                self._skip(row.key, place)
            elif place not in self._wanted:
                return  # it became loadable after its event was asked for, or there was no room: next time
            else:
                self._loaded.add(place)
                self._enqueue(
                    Notification(
                        row.position,
                        row.topic,
                        row.key,
                        row.filter_version,
                        row.filter_index,
                        events.get(row.position),
                        row.size_bytes,
                        now,
                        has_row=True,
                    )
                )
            self._cursor = place
            while self._fresh and self._fresh[0].place <= place:
                self._fresh_bytes -= self._fresh.popleft().size_bytes
        self._at_end = len(rows) < asked and not self._put_since_read_began

    def _go_live_if_caught_up(self) -> None:
        if (
            self.mode is Mode.DRAINING
            and not self.paused
            and not self.reading
            and not self._failures
            and not self._held
            and self._skipped_from is None
            and self._load_rest_from_memory()
        ):
            self.mode = Mode.LIVE
            self._cursor = _START
            self._forget_fresh()

    def _load_rest_from_memory(self) -> bool:
        """Load the rows put last from memory, if that leaves none unread; whether all are in memory now."""
        unread = self._rows - len(self._loaded)
        if self._waiting + unread > self._limits.waiting:
            return False
        if unread:
            # What is remembered lies beyond every row the cursor has met, so it is unread; equal counts, equal sets.
            if len(self._fresh) != unread:
                return False
            for notification in self._fresh:
                self._loaded.add(notification.place)
                self._enqueue(notification)
        return True
