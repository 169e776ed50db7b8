"""Delivering: the shell around the lanes. It starts attempts, reads the backlog, and commits what became of them.

Decisions are the lanes' (delivery/lane.py) and the schedule's (delivery/schedule.py); this file hands them times, rows
and results. What no single lane can see, how many attempts may be under way in all and at one host, is in `places.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import structlog

from bellwire.delivery.lane import Lane, Mode
from bellwire.delivery.notification import Notification
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
from bellwire.engine.apart import ApartAttempts, Settle
from bellwire.engine.backlog_rows import BacklogRows
from bellwire.engine.commits import Commits
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.ledger import CommitLedger
from bellwire.engine.line import Destination, LaneView, Line, Observe, Unreadable
from bellwire.engine.patience import Patience
from bellwire.engine.places import Gate, Places, full_gate
from bellwire.model.attempt import Attempt, AttemptOutcome, AttemptResult, FailureCode
from bellwire.model.ids import Partition, Position, SubscriptionId
from bellwire.ports.backlog import Backlog, BacklogTotals, NotificationId
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.webhook_sender import WebhookSender

LEAST_TIMER_SECONDS = 0.001
"""uvloop's timers count in milliseconds, and a shorter one would fire at once, again and again."""

_LIVE, _DRAINING = Mode.LIVE, Mode.DRAINING
_DELIVERED = AttemptOutcome.DELIVERED
"""By names of this module's own: a look into an enumeration costs three times as much."""

_OUTCOMES = {
    Delivered: AttemptOutcome.DELIVERED,
    GiveUp: AttemptOutcome.GIVEN_UP,
    RetryAfter: AttemptOutcome.FAILED,
}
"""Verdicts as history records them."""

_log = structlog.get_logger("bellwire.deliver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Rows of a backlog that were given up, and the positions of the first and the last."""

    rows: int
    first: Position
    last: Position


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
        idle_seconds: Callable[[], float] | None = None,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._partition = partition
        self._event_log = log
        self._sender = sender
        self._clock = clock
        self._random = random
        self._observe = observe
        self._limits = limits or DeliveryLimits()
        self._policy = policy or RetryPolicy()
        self._on_fatal = on_fatal
        self._lines: dict[SubscriptionId, Line] = {}
        self._find: Callable[[SubscriptionId], Destination | None] = lambda _: None
        self._active: dict[SubscriptionId, Line] = {}
        self._places: Places[Line] = Places(self._limits.in_flight, self._limits.in_flight_per_origin)
        self._patience = Patience(clock, self._limits, idle_seconds)
        self._commits = Commits(backlog=backlog, limits=self._limits, on_removed=self._rows_removed, on_fatal=on_fatal)
        self._rows = BacklogRows(
            partition=partition,
            backlog=backlog,
            log=log,
            commits=self._commits,
            clock=clock,
            at_once=self._limits.reads_at_once,
        )
        self._parallel = self._limits.lane.parallel
        self._apart = ApartAttempts(
            line=self._running_line,
            sender=sender,
            clock=clock,
            observe=observe,
            on_free=self._admit,
            at_once=self._limits.apart_at_once,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._totals: dict[SubscriptionId, BacklogTotals] = {}
        self._stopping = False
        self._ledger: CommitLedger
        self._settled: frozenset[tuple[SubscriptionId, Position, str]] = frozenset()
        self._settled_up_to = Position(0)

    # Life

    async def claim(self) -> Position:
        """Take over the partition and learn what was settled before; returns the watermark to route from."""
        began = self._clock.monotonic()
        recovery = await self._commits.claim(self._partition)
        self._ledger = self._commits.ledger
        self._settled = recovery.settled
        self._settled_up_to = max((place[1] for place in recovery.settled), default=Position(0))
        self._totals = dict(recovery.totals)
        _log.info(
            "deliveries.claimed",
            partition=self._partition,
            epoch=self._commits.lease.epoch,
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
        self._spawn(self._commits.run())
        self._spawn(self._sweep())
        for orphan, totals in self._totals.items():
            _log.info(
                "backlog.dropped",
                subscription_id=orphan,
                rows=totals.rows,
                from_position=totals.oldest,
                reason="its subscription is unknown: it ended just before the last stop",
            )
            self._spawn(self._commits.purge(orphan))
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
        async with self._commits.lock:  # no commit is cut off half-way
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.commit()
        _log.info(
            "deliveries.stopped",
            watermark=self._commits.watermark,
            routed=self._ledger.settling.routed,
            attempts_waited_for=waited_for,
            attempts_cut_off=left,
            backlog_rows=sum(line.lane.backlog_rows for line in self._lines.values()),
            is_durable=not len(self._ledger),
            seconds=round(self._clock.monotonic() - began, 3),
        )

    # Attempts outside the lanes

    async def send_apart(
        self, subscription: SubscriptionId, notification: Notification, *, headers: bytes = b"", settle: Settle
    ) -> Attempt | None:
        """One attempt of a notification that its lane knows nothing of; see `engine.apart`."""
        return await self._apart.send(subscription, notification, headers, settle)

    def record(self, *attempts: Attempt) -> None:
        """Put attempts that were made apart into history, with the next commit. They settle nothing as long as their
        positions are not above the watermark."""
        for attempt in attempts:
            self._ledger.record(attempt)
        self._commits.soon()

    # What the router and the subscriptions ask

    @property
    def settling(self) -> Settling:
        return self._ledger.settling

    @property
    def committed_watermark(self) -> Position:
        """The position up to which everything is settled, durably."""
        return self._commits.watermark

    def may_be_settled(self, position: Position) -> bool:
        """Whether `was_settled` needs to be asked: so soon after a start that an earlier process may have been here."""
        return position <= self._settled_up_to

    def was_settled(self, subscription: SubscriptionId, position: Position, topic: str) -> bool:
        """Whether an earlier process settled it already (only above the watermark it left)."""
        if position > self._settled_up_to:
            return False
        return (subscription, position, topic) in self._settled

    def find_with(self, find: Callable[[SubscriptionId], Destination | None]) -> None:
        """Subscriptions that were not opened here are looked up when something is to be done for them, and their lines
        made then: after a start there may be a million, most of them quiet. `find` gives None for one that is no more.
        """
        self._find = find

    def found_backlog(self, subscription: SubscriptionId) -> bool:
        """Between `claim` and `start`: whether the subscription has rows in the backlog, so that it must be opened."""
        return subscription in self._totals

    def open(self, destination: Destination, *, held: bool) -> None:
        """A subscription exists from now on. `held`: start nothing until `release`."""
        self._open(destination, held=held)

    def _open(self, destination: Destination, *, held: bool) -> Line:
        totals = self._totals.pop(destination.id, None)
        lane = Lane(
            destination.id,
            self._ledger,
            self._limits.lane,
            backlog_rows=totals.rows if totals else 0,
            paused=held,
        )
        line = Line(destination, lane, self._places.enter(destination.endpoint.origin))
        self._lines[destination.id] = line
        if totals:
            self._active[destination.id] = line
        return line

    def _line(self, subscription: SubscriptionId) -> Line | None:
        """The subscription's line, made now if it was not needed before; None for one that is no more."""
        line = self._lines.get(subscription)
        if line is None and (destination := self._find(subscription)) is not None:
            line = self._open(destination, held=destination.is_held)
        return line

    def release(self, subscription: SubscriptionId) -> None:
        """End a hold: go on, without waiting for pauses after failures. Not while the record says that nothing may be
        sent: whoever ends one reason for a hold need not know of the others."""
        line = self._lines.get(subscription)
        if line is None:
            return
        if line.destination.is_held:
            line.lane.pause()
            self._commits.soon()
        else:
            line.lane.resume()
            self._pump(line)

    def hold(self, subscription: SubscriptionId) -> None:
        """Start nothing more for a subscription; its notifications gather in the backlog."""
        line = self._line(subscription)
        if line is not None:
            line.lane.pause()
            self._commits.soon()

    def close(self, subscription: SubscriptionId) -> None:
        """The subscription is no more: attempts under way are abandoned, its backlog is dropped."""
        line = self._lines.pop(subscription, None)
        self._active.pop(subscription, None)
        if line is None:
            return
        rows = line.lane.backlog_rows
        line.lane.close()
        self._patience.relieve(line)
        if line.timer is not None:
            line.timer.cancel()
        self._places.leave(line.destination.endpoint.origin, line.places)
        for cancel in list(line.cancels.values()):
            cancel()
        self._commits.soon()
        if rows:
            _log.info("backlog.dropped", subscription_id=subscription, rows=rows, reason="the subscription ended")
        self._spawn(self._commits.purge(subscription))

    def offer(self, subscription: SubscriptionId, notification: Notification) -> None:
        """Take a match, in (position, topic) order."""
        line = self._lines.get(subscription) or self._line(subscription)
        if line is None:  # closed between matching and here: nothing is owed any more
            self._ledger.settling.settle(notification.position)
            return
        lane = line.lane
        lane.offer(notification)
        self._active[subscription] = line
        full = line.starved_at
        if full is None or full.in_flight < full.limit or lane.mode is not _LIVE or full not in line.places.live:
            self._pump(line)  # otherwise it has its turn when there is a place
        if lane.mode is not _LIVE:
            self._commits.soon()
        elif lane.waiting >= self._patience.high_water:
            self._patience.press(line)

    def wake(self) -> None:
        """The router moved on: the watermark may be committed."""
        self._commits.soon()

    def view(self, subscription: SubscriptionId) -> LaneView:
        """How a subscription's notifications stand; idle for one that is unknown."""
        line = self._lines.get(subscription)
        if line is None:
            return LaneView(mode=Mode.LIVE, is_held=False, is_trying=False, waiting=0, in_flight=0, backlog_rows=0)
        lane = line.lane
        return LaneView(
            mode=lane.mode,
            is_held=lane.paused,
            is_trying=line.is_trying(self._clock.monotonic()),
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
        """Wait while more is gathered than a batch should hold, or while lanes that keep up are half full."""
        # Invariant: bounded memory. While the disk takes no commit, nothing more is routed.
        while len(self._ledger) > self._limits.gathered and not await self.commit():  # noqa: ASYNC110 - the disk says nothing
            await asyncio.sleep(self._limits.commit_again_after)
        await self._patience.wait()

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
            "watermark": self._commits.watermark,
            "open_positions": len(self._ledger.settling),
            "oldest_open_seconds": 0.0 if since is None else self._clock.monotonic() - since,
        }

    # Attempts

    def _pump(self, line: Line) -> None:
        """Do all that the line's lane allows now: start, read, or set its timer."""
        lane = line.lane
        if self._stopping:
            return
        if lane.mode is _LIVE:
            if lane.ready:
                self._start(line, self._clock.monotonic())
            return
        now = self._clock.monotonic()
        if lane.mode is _DRAINING:
            lane.tick(now)
        self._start(line, now)
        if lane.mode is _DRAINING:
            if lane.wants_rows(now):
                lane.begin_read()
                self._spawn(self._read(line))
            self._set_timer(line, lane.next_wake(), now)

    def _start(self, line: Line, now: float) -> None:
        """Start what its lane and the places allow; no place left: wait for one."""
        lane, places = line.lane, line.places
        while lane.ready:
            gates = places.live if lane.mode is _LIVE else places.draining
            full = full_gate(gates)
            if full is not None:
                if line.starved_at is not full:  # what it waited for in another mode may never come
                    line.starved_at = full
                    full.waiting.append(line)
                return
            running = len(lane.under_way)
            if running and running >= places.share(self._parallel):
                return  # it goes on when one of its own has ended
            notification = lane.next_start(now)
            if notification is None:
                return
            self._attempt(line, notification, gates)

    def _attempt(self, line: Line, notification: Notification, gates: tuple[Gate[Line], ...]) -> None:
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
        for gate in gates:
            gate.in_flight += 1
        done = partial(self._attempted, line, notification, uuid, self._clock.now_ms(), gates)
        line.cancels[notification] = self._sender.post(destination.endpoint, head, body, done)

    def _attempted(  # noqa: PLR0917 - bound by `partial` at every attempt
        self,
        line: Line,
        notification: Notification,
        uuid: str,
        started_ms: int,
        gates: tuple[Gate[Line], ...],
        result: AttemptResult,
    ) -> None:
        for gate in gates:
            gate.in_flight -= 1
        line.cancels.pop(notification, None)
        lane = line.lane
        failed, refusals = lane.tries(notification)
        verdict: Verdict = DELIVERED
        outcome, next_try_ms, refused = _DELIVERED, None, False
        if result.failure is not None:  # seldom: the hot path judges nothing
            refused = is_refusal(result)
            verdict = after_attempt(
                result,
                failures=max(failed + 1, lane.failures_in_a_row(notification)),
                refusals=refusals + refused,
                policy=self._policy,
                jitter=self._random.random(),
            )
            outcome = _OUTCOMES[type(verdict)]
            if isinstance(verdict, RetryAfter):
                next_try_ms = self._clock.now_ms() + int(verdict.seconds * 1000)
        attempt = Attempt(
            lane.subscription,
            notification.position,
            notification.topic,
            uuid,
            failed + 1,
            line.destination.address,
            started_ms,
            int(result.duration_seconds * 1_000_000),
            outcome,
            result.failure,
            result.status,
            result.detail,
            next_try_ms,
        )
        # Invariant: nothing without a trace. The record is in the same commit as what it means for the notification.
        self._ledger.record(attempt)
        self._observe(line.destination, attempt, notification.event)
        if not lane.closed:
            now = self._clock.monotonic()
            if verdict is DELIVERED:
                lane.delivered(notification, now)
            else:
                lane.finished(notification, verdict, now, refused=refused)
            self._pump(line)
            patience = self._patience
            if lane.waiting <= patience.low_water and patience.is_pressed(line):
                patience.relieve(line)
        self._commits.soon()
        for gate in gates:
            if gate.waiting and gate.in_flight < gate.limit:
                self._admit(gate)

    def _lost(self, line: Line, notification: Notification, detail: str) -> None:
        """It can't be sent, now or later: recorded, so that it does not vanish without a trace."""
        attempt = self._without_attempt(line, notification, "", detail)
        self._ledger.record(attempt)
        self._observe(line.destination, attempt, None)
        line.lane.finished(notification, GIVE_UP, self._clock.monotonic())
        self._commits.soon()

    def _without_attempt(self, line: Line, notification: Notification, uuid: str, detail: str) -> Attempt:
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

    def _running_line(self, subscription: SubscriptionId) -> Line | None:
        return None if self._stopping else self._line(subscription)

    def _admit(self, gate: Gate[Line]) -> None:
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

    async def _read(self, line: Line) -> None:
        if await self._rows.read(line.lane):
            self._pump(line)
        else:
            now = self._clock.monotonic()
            self._set_timer(line, now + self._limits.read_again_after, now)

    def _set_timer(self, line: Line, at: float | None, now: float) -> None:
        if at is None or at <= now:
            return
        if line.timer is not None:
            if line.wake_at <= at and not line.timer.cancelled() and line.wake_at > now:
                return
            line.timer.cancel()
        line.wake_at = at
        line.timer = asyncio.get_running_loop().call_later(max(at - now, LEAST_TIMER_SECONDS), self._timer_ended, line)

    def _timer_ended(self, line: Line) -> None:
        """By our clock it may be a little early; then nothing is due yet, and the timer is set again."""
        line.timer = None
        self._pump(line)

    async def commit(self) -> bool:
        """Commit what gathered, if anything did; whether all that had gathered is durable now."""
        return await self._commits.now()

    def _rows_removed(self, removed: Sequence[NotificationId]) -> None:
        for subscription, position, topic in removed:
            line = self._lines.get(subscription)
            if line is not None:
                line.lane.committed(((position, topic),))

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
                self._commits.soon()
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
                self._commits.soon()

    async def expire(
        self, subscription: SubscriptionId, up_to: Position, most_rows: int, detail: str
    ) -> Expired | None:
        """Give up the oldest rows of a backlog: at most `most_rows`, none above `up_to`, but for what is under way.

        Each is in history as given up, with `detail`. They go with the next commit, and nothing brings them back: the
        caller counts and names them, whether or not the disk takes that commit at once.

        Returns:
            None if there is nothing to give up now, or the disk takes no commit.
        """
        line = self._lines.get(subscription)
        if line is None:
            return None
        line.lane.begin_drop()
        try:
            rows, events = await self._rows.oldest(subscription, up_to, most_rows)
        except BaseException:
            line.lane.drop(())
            raise
        dropped = line.lane.drop(rows)
        for notification in dropped:
            event = events.get(notification.position)
            uuid = "" if event is None else event.uuid
            self._ledger.record(self._without_attempt(line, notification, uuid, detail))
        self._pump(line)
        if not dropped:
            return None
        self._commits.soon()
        return Expired(rows=len(dropped), first=dropped[0].position, last=dropped[-1].position)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)
