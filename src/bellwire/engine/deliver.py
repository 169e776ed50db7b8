"""Delivering: the shell around the lanes. It starts attempts, reads the backlog, and commits what became of them.

Decisions are the lanes' (delivery/lane.py) and the schedule's (delivery/schedule.py); this file hands them times, rows
and results. What no single lane can see, how many attempts may be under way in all and at one host, is in `places.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

import structlog

from bellwire.delivery.lane import Lane, LaneLimits, Mode, Notification
from bellwire.delivery.schedule import (
    DELIVERED,
    GIVE_UP,
    Delivered,
    GiveUp,
    RetryAfter,
    RetryPolicy,
    Verdict,
    after_attempt,
    is_refusal,
)
from bellwire.delivery.settling import Settling
from bellwire.engine.ledger import CommitLedger
from bellwire.engine.places import Gate, OriginPlaces, Places, full_gate
from bellwire.errors import Fenced, Unavailable
from bellwire.model.attempt import Attempt, AttemptOutcome, AttemptResult, BacklogRow, FailureCode
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.ports.backlog import Backlog, BacklogTotals, Lease
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.webhook_sender import Endpoint, WebhookSender

LEAST_TIMER_SECONDS = 0.001
"""uvloop's timers count in milliseconds, and a shorter one would fire at once, again and again."""

_OUTCOMES = {
    Delivered: AttemptOutcome.DELIVERED,
    GiveUp: AttemptOutcome.GIVEN_UP,
    RetryAfter: AttemptOutcome.FAILED,
}
"""Verdicts as history records them."""

_log = structlog.get_logger("bellwire.deliver")


class Unreadable(Exception):
    """A notification that can't be written; the text is one plain sentence for people."""


class Destination(Protocol):
    """One subscription as its deliveries see it."""

    @property
    def id(self) -> SubscriptionId: ...

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def address(self) -> str:
        """As the subscriber wrote it."""
        ...

    @property
    def is_held(self) -> bool:
        """Its record says that nothing may be sent: it is paused, or its address is blacklisted."""
        ...

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        """The notification's uuid, the request head and the body.

        Raises:
            Unreadable: the event filter that it was matched by is not known any more.
        """
        ...


Observe = Callable[[Destination, Attempt, Event | None], None]
"""Is told of each attempt, from the event loop; must be quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """Counts; times in seconds."""

    in_flight: int = 1024
    in_flight_per_origin: int = 64
    lane: LaneLimits = field(default_factory=LaneLimits)
    commit_every: float = 0.05
    settle_within: float = 2.0
    """No notification holds the watermark back for longer: then its subscription spills."""
    sweep_every: float = 0.25
    reads_at_once: int = 8
    apart_at_once: int = 32
    """Attempts outside the lanes: tests and replays."""
    gathered: int = 20_000
    """Entries of an uncommitted batch at which the router waits for the commit."""
    patience: float = 0.05
    """The router waits so long for a LIVE lane that is half full; one that stays so is left to overflow."""
    patience_again_after: float = 0.5
    """After it has waited that long in vain, the router waits for nobody for this long: slow lanes cost it a tenth."""
    memory_bytes: int = 128 << 20
    """Bodies that wait in memory, over all lanes."""
    purge_again_after: float = 1.0
    """A backlog that could not be dropped, since the disk failed, is tried again after this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A subscription's notifications as they are now. `mode`: live, spilling or draining."""

    mode: Mode
    is_held: bool
    is_trying: bool
    """An attempt is under way or about to begin."""
    waiting: int
    """In memory."""
    in_flight: int
    backlog_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Rows of a backlog that were given up, and the positions of the first and the last."""

    rows: int
    first: Position
    last: Position


class _Line:
    """A destination with its lane and its timer."""

    __slots__ = ("cancels", "destination", "is_slow", "lane", "places", "starved_at", "timer", "wake_at")

    def __init__(self, destination: Destination, lane: Lane, places: OriginPlaces[_Line]) -> None:
        self.destination = destination
        self.lane = lane
        self.places = places
        self.timer: asyncio.TimerHandle | None = None
        self.wake_at = 0.0
        self.starved_at: Gate[_Line] | None = None
        """The gate at which it waits for a place."""
        self.is_slow = False
        """It stayed half full for longer than the router's patience, and was not nearly empty since."""
        self.cancels: dict[Notification, Callable[[], None]] = {}


class Deliveries:
    """All lanes of one partition. Owned by one event loop; nothing here is thread-safe."""

    def __init__(
        self,
        *,
        partition: Partition,
        log: EventLog,
        backlog: Backlog,
        sender: WebhookSender,
        clock: Clock,
        random: Random,
        observe: Observe,
        limits: DeliveryLimits | None = None,
        policy: RetryPolicy | None = None,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._partition = partition
        self._event_log = log
        self._backlog = backlog
        self._sender = sender
        self._clock = clock
        self._random = random
        self._observe = observe
        self._limits = limits or DeliveryLimits()
        self._policy = policy or RetryPolicy()
        self._on_fatal = on_fatal
        self._lines: dict[SubscriptionId, _Line] = {}
        self._active: dict[SubscriptionId, _Line] = {}
        self._places: Places[_Line] = Places(self._limits.in_flight, self._limits.in_flight_per_origin)
        self._patient_again_at = 0.0
        self._pressed: dict[_Line, float] = {}
        self._relieved = asyncio.Event()
        self._parallel = self._limits.lane.parallel
        self._high_water = max(1, self._limits.lane.waiting // 2)
        self._low_water = self._limits.lane.waiting // 4
        self._dirty = asyncio.Event()
        self._commit_lock = asyncio.Lock()
        self._reads = asyncio.Semaphore(self._limits.reads_at_once)
        self._apart = asyncio.Semaphore(self._limits.apart_at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._totals: dict[SubscriptionId, BacklogTotals] = {}
        self._stopping = False
        self._lease: Lease
        self._ledger: CommitLedger
        self._settled: frozenset[tuple[SubscriptionId, Position, str]] = frozenset()
        self._settled_up_to = Position(0)
        self._committed_watermark = LOG_START

    # Life

    async def claim(self) -> Position:
        """Take over the partition and learn what was settled before; returns the watermark to route from."""
        began = self._clock.monotonic()
        self._lease = await self._backlog.claim(self._partition)
        recovery = await self._backlog.load(self._lease)
        self._ledger = CommitLedger(Settling(recovery.watermark))
        self._committed_watermark = recovery.watermark
        self._settled = recovery.settled
        self._settled_up_to = max((place[1] for place in recovery.settled), default=Position(0))
        self._totals = dict(recovery.totals)
        _log.info(
            "deliveries.claimed",
            partition=self._partition,
            epoch=self._lease.epoch,
            watermark=recovery.watermark,
            settled_above=len(recovery.settled),
            backlog_subscriptions=len(recovery.totals),
            backlog_rows=sum(totals.rows for totals in recovery.totals.values()),
            backlog_oldest=min((totals.oldest for totals in recovery.totals.values()), default=None),
            log_head=self._event_log.head(self._partition),
            seconds=round(self._clock.monotonic() - began, 3),
        )
        return recovery.watermark

    def start(self) -> None:
        """Begin to commit and to sweep, and drain what was found. All subscriptions known at start are open by now."""
        self._spawn(self._commit_when_dirty())
        self._spawn(self._sweep())
        for orphan, totals in self._totals.items():
            _log.info(
                "backlog.dropped",
                subscription_id=orphan,
                rows=totals.rows,
                from_position=totals.oldest,
                reason="its subscription is unknown: it ended just before the last stop",
            )
            self._spawn(self._purge(orphan))
        self._totals.clear()
        for line in list(self._lines.values()):
            self._pump(line)

    async def stop(self, *, drain_seconds: float) -> None:
        """Start nothing more, wait a bounded time for attempts under way, and make everything durable."""
        self._stopping = True
        began, waited_for = self._clock.monotonic(), self._places.all.in_flight
        for line in self._lines.values():
            line.lane.pause()
        until = self._clock.monotonic() + drain_seconds
        places = self._places.all
        while places.in_flight and self._clock.monotonic() < until:  # noqa: ASYNC110 - bounded, and once a life
            await asyncio.sleep(0.01)
        left = places.in_flight
        for line in self._lines.values():
            for cancel in list(line.cancels.values()):
                cancel()
        await asyncio.sleep(0)  # the abandoned attempts are recorded in the next turn of the loop
        async with self._commit_lock:  # no commit is cut off half-way
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.commit()
        _log.info(
            "deliveries.stopped",
            watermark=self._committed_watermark,
            routed=self._ledger.settling.routed,
            attempts_waited_for=waited_for,
            attempts_cut_off=left,
            backlog_rows=sum(line.lane.backlog_rows for line in self._lines.values()),
            is_durable=not len(self._ledger),
            seconds=round(self._clock.monotonic() - began, 3),
        )

    # Attempts outside the lanes

    async def send_apart(
        self, subscription: SubscriptionId, notification: Notification, *, headers: bytes = b""
    ) -> Attempt | None:
        """One attempt of a notification that its lane knows nothing of, past holds, queues and order.

        The caller records what comes of it; a failure is final as far as the deliveries are concerned. At most
        `DeliveryLimits.apart_at_once` at a time, others wait.

        Args:
            notification: with its event.
            headers: lines that go out beside the others, each ended by CRLF.

        Returns:
            None if the subscription is no more.
        """
        assert notification.event is not None
        async with self._apart:
            line = self._lines.get(subscription)
            if line is None or self._stopping:
                return None
            destination, gates = line.destination, line.places.draining
            uuid, head, body = destination.request(notification, notification.event)
            outcome: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
            started_ms = self._clock.now_ms()
            for gate in gates:
                gate.in_flight += 1
            cancel = self._sender.post(destination.endpoint, head + headers, body, partial(_resolve, outcome))
            try:
                result = await outcome
            finally:
                for gate in gates:
                    gate.in_flight -= 1
                    self._admit(gate)
                cancel()
        attempt = Attempt(
            subscription=subscription,
            position=notification.position,
            topic=notification.topic,
            uuid=uuid,
            number=1,
            address=destination.address,
            started_ms=started_ms,
            duration_us=int(result.duration_seconds * 1_000_000),
            outcome=AttemptOutcome.DELIVERED if result.failure is None else AttemptOutcome.GIVEN_UP,
            failure=result.failure,
            status=result.status,
            detail=result.detail,
        )
        self._observe(destination, attempt, notification.event)
        return attempt

    def record(self, attempt: Attempt) -> None:
        """Put an attempt that was made apart into history, with the next commit. It settles nothing as long as its
        position is not above the watermark."""
        self._ledger.record(attempt)
        self._dirty.set()

    # What the router and the subscriptions ask

    @property
    def settling(self) -> Settling:
        return self._ledger.settling

    @property
    def committed_watermark(self) -> Position:
        """The position up to which everything is settled, durably."""
        return self._committed_watermark

    def was_settled(self, subscription: SubscriptionId, position: Position, topic: str) -> bool:
        """Whether an earlier process settled it already (only above the watermark it left)."""
        if position > self._settled_up_to:
            return False
        return (subscription, position, topic) in self._settled

    def open(self, destination: Destination, *, held: bool) -> None:
        """A subscription exists from now on. `held`: start nothing until `release`."""
        totals = self._totals.pop(destination.id, None)
        lane = Lane(
            destination.id,
            self._ledger,
            self._limits.lane,
            backlog_rows=totals.rows if totals else 0,
            paused=held,
        )
        line = _Line(destination, lane, self._places.enter(destination.endpoint.origin))
        self._lines[destination.id] = line
        if totals:
            self._active[destination.id] = line

    def release(self, subscription: SubscriptionId) -> None:
        """End a hold: go on, without waiting for pauses after failures. Not while the record says that nothing may be
        sent: whoever ends one reason for a hold need not know of the others."""
        line = self._lines.get(subscription)
        if line is None:
            return
        if line.destination.is_held:
            line.lane.pause()
            self._dirty.set()
        else:
            line.lane.resume()
            self._pump(line)

    def hold(self, subscription: SubscriptionId) -> None:
        """Start nothing more for a subscription; its notifications gather in the backlog."""
        line = self._lines.get(subscription)
        if line is not None:
            line.lane.pause()
            self._dirty.set()

    def close(self, subscription: SubscriptionId) -> None:
        """The subscription is no more: attempts under way are abandoned, its backlog is dropped."""
        line = self._lines.pop(subscription, None)
        self._active.pop(subscription, None)
        if line is None:
            return
        rows = line.lane.backlog_rows
        line.lane.close()
        self._relieve(line)
        if line.timer is not None:
            line.timer.cancel()
        self._places.leave(line.destination.endpoint.origin, line.places)
        for cancel in list(line.cancels.values()):
            cancel()
        self._dirty.set()
        if rows:
            _log.info("backlog.dropped", subscription_id=subscription, rows=rows, reason="the subscription ended")
        self._spawn(self._purge(subscription))

    def offer(self, subscription: SubscriptionId, notification: Notification) -> None:
        """Take a match, in log order."""
        line = self._lines.get(subscription)
        if line is None:  # closed between matching and here: nothing is owed any more
            self._ledger.settling.settle(notification.position)
            return
        lane = line.lane
        lane.offer(notification)
        self._active[subscription] = line
        self._pump(line)
        if lane.mode is not Mode.LIVE:
            self._dirty.set()
        elif lane.waiting >= self._high_water and not line.is_slow and line not in self._pressed:
            self._press(line)

    def wake(self) -> None:
        """The router moved on: the watermark may be committed."""
        self._dirty.set()

    def view(self, subscription: SubscriptionId) -> LaneView:
        """How a subscription's notifications stand; idle for one that is unknown."""
        line = self._lines.get(subscription)
        if line is None:
            return LaneView(mode=Mode.LIVE, is_held=False, is_trying=False, waiting=0, in_flight=0, backlog_rows=0)
        lane = line.lane
        return LaneView(
            mode=lane.mode,
            is_held=lane.paused,
            is_trying=bool(lane.in_flight or lane.reading or lane.waiting),
            waiting=lane.waiting,
            in_flight=lane.in_flight,
            backlog_rows=lane.backlog_rows,
        )

    def look_again(self) -> None:
        """The clock was moved ahead: pauses that timers still wait for may be over."""
        for line in list(self._active.values()):
            if line.timer is not None:
                line.timer.cancel()
                self._pump(line)

    async def room(self) -> None:
        """Wait while more is gathered than a batch should hold, or while lanes that keep up are half full.

        Without this a publisher quicker than the deliveries would send every healthy subscription by way of the disk.
        A lane that stays half full for longer than `patience` is not waited for again until it was nearly empty, so a
        slow endpoint holds the others up once, for that long; one that takes nothing at all is not waited for.
        """
        if len(self._ledger) > self._limits.gathered:
            await self.commit()
        while self._pressed:
            now = self._clock.monotonic()
            for line, until in list(self._pressed.items()):
                if until <= now:
                    line.is_slow = True
                    del self._pressed[line]
                    self._patient_again_at = now + self._limits.patience_again_after
            if not self._pressed:
                return
            self._relieved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._pressed.values()) - now):
                    await self._relieved.wait()

    def is_owed(self, subscription: SubscriptionId) -> bool:
        """Whether anything waits for the subscription, in memory, under way or in the backlog, or would after a crash
        at this moment."""
        line = self._lines.get(subscription)
        return line is not None and not (line.lane.is_idle and line.lane.is_recorded)

    def figures(self) -> dict[str, float]:
        """Gauges for metrics."""
        since = self._ledger.settling.open_since()
        return {
            "in_flight": self._places.all.in_flight,
            "draining_in_flight": self._places.draining.in_flight,
            "lanes": len(self._lines),
            "backlog_rows": sum(line.lane.backlog_rows for line in self._lines.values()),
            "uncommitted": len(self._ledger),
            "watermark": self._committed_watermark,
            "open_positions": len(self._ledger.settling),
            "oldest_open_seconds": 0.0 if since is None else self._clock.monotonic() - since,
        }

    # Attempts

    def _pump(self, line: _Line) -> None:
        """Do all that the line's lane allows now: start, read, or set its timer."""
        if self._stopping:
            return
        lane = line.lane
        now = self._clock.monotonic()
        if lane.mode is Mode.DRAINING:
            lane.tick(now)
        places = line.places
        while True:
            gates = places.live if lane.mode is Mode.LIVE else places.draining
            full = full_gate(gates)
            if full is not None:
                if line.starved_at is not full:  # what it waited for in another mode may never come
                    line.starved_at = full
                    full.waiting.append(line)
                break
            running = lane.in_flight
            if running and running >= places.share(self._parallel):
                break  # it goes on when one of its own has ended
            notification = lane.next_start(now)
            if notification is None:
                break
            self._attempt(line, notification)
        if lane.mode is Mode.DRAINING:
            if lane.wants_rows(now):
                lane.begin_read()
                self._spawn(self._read(line))
            self._set_timer(line, lane.next_wake(), now)

    def _attempt(self, line: _Line, notification: Notification) -> None:
        event = notification.event
        if event is None:
            self._lost(line, notification, "The event is no longer kept, so it can't be delivered.")
            return
        destination = line.destination
        try:
            uuid, head, body = destination.request(notification, event)
        except Unreadable as problem:
            self._lost(line, notification, str(problem))
            return
        gates = line.places.live if line.lane.mode is Mode.LIVE else line.places.draining
        for gate in gates:
            gate.in_flight += 1
        done = partial(self._attempted, line, notification, uuid, self._clock.now_ms(), gates)
        line.cancels[notification] = self._sender.post(destination.endpoint, head, body, done)

    def _attempted(  # noqa: PLR0917 - bound by `partial` at every attempt
        self,
        line: _Line,
        notification: Notification,
        uuid: str,
        started_ms: int,
        gates: tuple[Gate[_Line], ...],
        result: AttemptResult,
    ) -> None:
        for gate in gates:
            gate.in_flight -= 1
        line.cancels.pop(notification, None)
        lane = line.lane
        failed, refusals = lane.tries(notification)
        if result.failure is None:  # the usual case, and the hot path: no judging needed
            verdict: Verdict = DELIVERED
            refused = False
        else:
            refused = is_refusal(result)
            verdict = after_attempt(
                result,
                failures=max(failed + 1, lane.failures_in_a_row(notification)),
                refusals=refusals + refused,
                policy=self._policy,
                jitter=self._random.random(),
            )
        attempt = Attempt(
            subscription=lane.subscription,
            position=notification.position,
            topic=notification.topic,
            uuid=uuid,
            number=failed + 1,
            address=line.destination.address,
            started_ms=started_ms,
            duration_us=int(result.duration_seconds * 1_000_000),
            outcome=_OUTCOMES[type(verdict)],
            failure=result.failure,
            status=result.status,
            detail=result.detail,
            next_try_ms=(
                self._clock.now_ms() + int(verdict.seconds * 1000) if isinstance(verdict, RetryAfter) else None
            ),
        )
        # Invariant: nothing without a trace. The record is in the same commit as what it means for the notification.
        self._ledger.record(attempt)
        self._observe(line.destination, attempt, notification.event)
        if not lane.closed:
            lane.finished(notification, verdict, self._clock.monotonic(), refused=refused)
            self._pump(line)
            if lane.waiting <= self._low_water and (self._pressed or line.is_slow):
                self._relieve(line)
        self._dirty.set()
        for gate in gates:
            if gate.waiting:
                self._admit(gate)

    def _press(self, line: _Line) -> None:
        """Let the router wait for a lane that is half full, if its endpoint still takes something."""
        now = self._clock.monotonic()
        until = min(now, line.lane.progress_at) + self._limits.patience
        if until > now >= self._patient_again_at:
            self._pressed[line] = until

    def _relieve(self, line: _Line) -> None:
        line.is_slow = False
        if self._pressed.pop(line, None) is not None and not self._pressed:
            self._relieved.set()

    def _lost(self, line: _Line, notification: Notification, detail: str) -> None:
        """It can't be sent, now or later: recorded, so that it does not vanish without a trace."""
        attempt = self._without_attempt(line, notification, "", detail)
        self._ledger.record(attempt)
        self._observe(line.destination, attempt, None)
        line.lane.finished(notification, GIVE_UP, self._clock.monotonic())
        self._dirty.set()

    def _without_attempt(self, line: _Line, notification: Notification, uuid: str, detail: str) -> Attempt:
        """The record of a notification that is given up without being tried again."""
        return Attempt(
            subscription=line.lane.subscription,
            position=notification.position,
            topic=notification.topic,
            uuid=uuid,
            number=line.lane.tries(notification)[0] + 1,
            address=line.destination.address,
            started_ms=self._clock.now_ms(),
            duration_us=0,
            outcome=AttemptOutcome.GIVEN_UP,
            failure=FailureCode.CANCELLED,
            detail=detail,
        )

    def _admit(self, gate: Gate[_Line]) -> None:
        """Give lines that waited for a place their turn, longest waiting first, each at most once."""
        for _ in range(len(gate.waiting)):
            if gate.is_full:
                return
            line = gate.waiting.popleft()
            if line.starved_at is gate:
                line.starved_at = None
            if not line.lane.closed:
                self._pump(line)

    # Backlog

    async def _read(self, line: _Line) -> None:
        lane = line.lane
        async with self._reads:
            now = self._clock.monotonic
            lane.load((), {}, 0, now(), complete=False)  # ask again: much may have happened while waiting for a turn
            asked = lane.wants_rows(now())
            if not asked or lane.closed:
                self._pump(line)  # it may be LIVE by now, with what it loaded from memory
                return
            lane.begin_read()
            try:
                if not await self.commit():
                    raise Unavailable("the commit before a read of the backlog failed")
                rows = await self._backlog.pending(lane.subscription, lane.cursor, asked)
                wanted = lane.wanted(rows)
                events = await self._event_log.get(self._partition, [row.position for row in wanted])
            except Unavailable as problem:
                lane.load((), {}, asked, now(), complete=False)
                _log.warning("backlog.read_failed", subscription_id=lane.subscription, error=str(problem))
                self._set_timer(line, now() + 1.0, now())
                return
            lane.load(rows, events, asked, now(), complete=True)
        self._pump(line)

    def _set_timer(self, line: _Line, at: float | None, now: float) -> None:
        if at is None or at <= now:
            return
        if line.timer is not None:
            if line.wake_at <= at and not line.timer.cancelled() and line.wake_at > now:
                return
            line.timer.cancel()
        line.wake_at = at
        line.timer = asyncio.get_running_loop().call_later(max(at - now, LEAST_TIMER_SECONDS), self._timer_ended, line)

    def _timer_ended(self, line: _Line) -> None:
        """By our clock it may be a little early; then nothing is due yet, and the timer is set again."""
        line.timer = None
        self._pump(line)

    async def _purge(self, subscription: SubscriptionId) -> None:
        """Drop all rows of a subscription that is no more, those of the commit being gathered included."""
        while True:
            try:
                if await self.commit():
                    await self._backlog.purge(subscription)
                    return
            except Unavailable as problem:
                _log.warning("backlog.purge_failed", subscription_id=subscription, error=str(problem))
            await asyncio.sleep(self._limits.purge_again_after)

    # Commits

    async def commit(self) -> bool:
        """Commit what gathered, if anything did; whether all that had gathered is durable now."""
        async with self._commit_lock:
            batch = self._ledger.take()
            if not len(batch) and batch.watermark == self._committed_watermark:
                return True
            try:
                await self._backlog.commit(self._lease, batch.watermark, batch.attempts, batch.puts, batch.dones)
            except Fenced as error:
                self._on_fatal(error)
                return False
            except Unavailable as problem:
                self._ledger.give_back(batch)
                self._dirty.set()
                _log.error("deliveries.commit_failed", error=str(problem), entries=len(batch))
                return False
            except asyncio.CancelledError:
                # The commit may or may not happen: it is repeated, and repeating it changes nothing but history.
                self._ledger.give_back(batch)
                raise
            self._committed_watermark = batch.watermark
            for subscription, position, topic in batch.dones:
                line = self._lines.get(subscription)
                if line is not None:
                    line.lane.committed(((position, topic),))
            return True

    async def _commit_when_dirty(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._limits.commit_every)
            self._dirty.clear()
            if not await self.commit():
                await asyncio.sleep(1.0)

    async def _sweep(self) -> None:
        """Spill what is too old or too much, and forget lines that are idle."""
        while True:
            await asyncio.sleep(self._limits.sweep_every)
            now = self._clock.monotonic()
            since = self._ledger.settling.open_since()
            if since is not None and now - since >= self._limits.settle_within:
                for line in list(self._active.values()):
                    if line.lane.spill_if_older(now - self._limits.settle_within):
                        _log.info("lane.spilled", subscription_id=line.lane.subscription, reason="older than 2 s")
                        self._pump(line)
                self._dirty.set()
            waiting = sum(line.lane.waiting_bytes for line in self._active.values())
            if waiting > self._limits.memory_bytes:
                self._relieve_memory(waiting)
            for subscription, line in list(self._active.items()):
                if line.lane.is_idle:
                    del self._active[subscription]

    def _relieve_memory(self, waiting: int) -> None:
        for line in sorted(self._active.values(), key=lambda line: -line.lane.waiting_bytes):
            if waiting <= self._limits.memory_bytes // 2:
                return
            if line.lane.mode is Mode.LIVE:
                waiting -= line.lane.waiting_bytes
                line.lane.spill()
                self._pump(line)
                self._dirty.set()

    async def expire(
        self, subscription: SubscriptionId, up_to: Position, most_rows: int, detail: str
    ) -> Expired | None:
        """Give up the oldest rows of a backlog: at most `most_rows`, none above `up_to`, but for what is under way.

        Each is in history as given up, with `detail`. Durable on return.

        Returns:
            None if there is nothing to give up now.
        """
        line = self._lines.get(subscription)
        if line is None:
            return None
        rows: list[BacklogRow] = []
        dropped: list[Notification] = []
        line.lane.begin_drop()
        try:
            if await self.commit():
                found = await self._backlog.pending(subscription, (LOG_START, ""), most_rows)
                rows = [row for row in found if row.position <= up_to]
            events = await self._event_log.get(self._partition, sorted({row.position for row in rows}))
        except BaseException:
            rows = []
            raise
        finally:
            dropped = line.lane.drop(rows)
        for notification in dropped:
            event = events.get(notification.position)
            uuid = "" if event is None else event.uuid
            self._ledger.record(self._without_attempt(line, notification, uuid, detail))
        self._pump(line)
        if not dropped or not await self.commit():
            return None
        return Expired(rows=len(dropped), first=dropped[0].position, last=dropped[-1].position)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)


def _resolve(outcome: asyncio.Future[AttemptResult], result: AttemptResult) -> None:
    if not outcome.done():
        outcome.set_result(result)
