"""Replays: a stretch of history is matched with a subscription's present event filters, and sent to it again.

Each replay is a durable job in a lane of its own: it takes no part in the order of live notifications, settles none of
them, and has few attempts under way, in places that first attempts don't need. What is sent has the event's own uuid,
and the header `Bellwire-Replay` with the replay's id. It goes on after a restart where it was, and while its
subscription is paused or blacklisted it waits.

What to send when is decided in delivery/replay_window.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

import msgspec
import structlog

from bellwire.delivery.notification import Notification
from bellwire.delivery.replay_window import Came, ReplayLimits, ReplayWindow
from bellwire.engine.deliver import Deliveries
from bellwire.engine.line import Unreadable
from bellwire.engine.provision_scope import Scope, not_found
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import LiveSubscriptions, parse_stored
from bellwire.errors import Conflict, NotAllowedHere, TooManyRequests, Unavailable
from bellwire.filters import rows_with_stated
from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import LoggedEvent, Rows
from bellwire.model.ids import LOG_START, Partition, Position, ReplayId, SubscriptionId
from bellwire.model.replay import Replay, ReplayState
from bellwire.model.subscription import Subscription, TransportType
from bellwire.ports.clock import Clock
from bellwire.ports.history import EventQuery, History
from bellwire.ports.replay_store import ReplayStore

REPLAY_HEADER = "Bellwire-Replay"
MOST_RUNNING = 100
MOST_REMEMBERED = 1000
"""Ended replays; the oldest are forgotten."""
ATTEMPTS_AT_ONCE = 16
"""Of all replays."""
READ_EVENTS = 64
READ_BYTES = 1 << 20
COMMIT_SECONDS = 0.05
HELD_SECONDS = 1.0
"""How often a replay looks whether its subscription is still held."""
BREATH_SECONDS = 0.01
"""Between two reads of history: people look at it, too."""

_log = structlog.get_logger("bellwire.replay")


@dataclass(slots=True, eq=False)
class _Job:
    """A replay under way. `replay` is its record as of now; what is stored may be a moment older."""

    replay: Replay
    window: ReplayWindow
    attempts: list[Attempt] = field(default_factory=list)
    """Not stored yet."""
    is_dirty: bool = False
    filters: _Filters | None = None
    """Those in force when they were needed last."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    sending: set[asyncio.Task[None]] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    stored_at: float = 0.0


class Replays:
    """All replays of one partition. Owned by one event loop; `start` and `stop` frame its life."""

    def __init__(
        self,
        *,
        partition: Partition,
        store: ReplayStore,
        history: History,
        live: LiveSubscriptions,
        deliveries: Deliveries,
        announcements: Announcements,
        clock: Clock,
        random: Random,
        new_id: Callable[[], str],
        on_fatal: Callable[[BaseException], None],
        limits: ReplayLimits | None = None,
    ) -> None:
        self._partition = partition
        self._store = store
        self._history = history
        self._live = live
        self._deliveries = deliveries
        self._announcements = announcements
        self._clock = clock
        self._random = random
        self._new_id = new_id
        self._on_fatal = on_fatal
        self._limits = limits or ReplayLimits()
        self._ended: dict[ReplayId, Replay] = {}
        self._jobs: dict[ReplayId, _Job] = {}
        self._places = asyncio.Semaphore(ATTEMPTS_AT_ONCE)
        self._reading = asyncio.Lock()

    # Life

    async def start(self) -> None:
        """Go on with what the process before left; the deliveries have started by now."""
        for replay in await self._store.all():
            if replay.state is ReplayState.RUNNING:
                self._begin(replay)
            else:
                self._ended[replay.id] = replay
        if self._jobs:
            _log.info("replays.resumed", replays=len(self._jobs))

    async def stop(self, *, drain_seconds: float) -> None:
        """Start nothing more, wait a bounded time for attempts under way, and store how far each replay came. The
        deliveries still run."""
        jobs = list(self._jobs.values())
        for job in jobs:
            if job.task is not None:
                job.task.cancel()
        await asyncio.gather(*(job.task for job in jobs if job.task is not None), return_exceptions=True)
        sending = [task for job in jobs for task in job.sending]
        if sending:
            await asyncio.wait(sending, timeout=drain_seconds)
        for job in jobs:
            await _cut_off(job)
            with contextlib.suppress(Unavailable):
                await self._save(job)

    # What operators ask

    def listed(self, scope: Scope, subscription: SubscriptionId | None = None) -> list[Replay]:
        """Those that run, and the latest of those that ended: newest first."""
        known = [*self._ended.values(), *(job.replay for job in self._jobs.values())]
        found = [
            replay for replay in known if scope.covers(replay.account) and subscription in {None, replay.subscription}
        ]
        return sorted(found, key=lambda replay: (replay.created_ms, replay.id), reverse=True)

    def get(self, scope: Scope, replay: ReplayId) -> Replay:
        """Raises NotFound (CMN-102) where there is none, or it is out of reach."""
        job = self._jobs.get(replay)
        found = self._ended.get(replay) if job is None else job.replay
        if found is None or not scope.covers(found.account):
            raise not_found("replayId", replay)
        return found

    async def of_event(self, subscription: Subscription, position: Position) -> Replay:
        """Send one event again. Raises as `of_time`."""
        return await self._create(subscription, Position(position - 1), position, None, None)

    async def of_time(self, subscription: Subscription, from_ms: int | None, until_ms: int | None) -> Replay:
        """Send what was published so far with a time in `[from_ms, until_ms)`; None is without that bound.

        Raises:
            NotAllowedHere: SUB-511 for a WebSocket subscription.
            TooManyRequests: CMN-301; too many replays run.
            Unavailable: it could not be stored.
        """
        return await self._create(subscription, LOG_START, self._deliveries.settling.routed, from_ms, until_ms)

    async def cancel(self, scope: Scope, replay: ReplayId) -> Replay:
        """Stop a replay; what was sent stays sent.

        Raises:
            Conflict: CMN-101; it has ended already.
        """
        self.get(scope, replay)
        job = self._jobs.get(replay)
        if job is None:
            raise Conflict("CMN-101", f"Replay [{replay}] has ended already.", parameter="replayId", value=replay)
        if job.task is not None:
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
        await self._end(job, ReplayState.CANCELLED, "An operator cancelled it.")
        return job.replay

    # Life of one

    async def _create(
        self, subscription: Subscription, after: Position, until: Position, from_ms: int | None, until_ms: int | None
    ) -> Replay:
        if subscription.transport is not TransportType.WEB_HOOK:
            raise NotAllowedHere("SUB-511", "A WebSocket subscription is delivered over its socket alone.")
        if len(self._jobs) >= MOST_RUNNING:
            raise TooManyRequests(
                "CMN-301", f"{len(self._jobs)} replays run already; wait until one has ended.", retry_after_seconds=60
            )
        replay = Replay(
            id=ReplayId(self._new_id()),
            subscription=subscription.id,
            account=subscription.account_id,
            after=after,
            until=until,
            from_ms=from_ms,
            until_ms=until_ms,
            cursor=after,
            created_ms=self._clock.now_ms(),
        )
        await self._store.save(replay)
        _log.info("replay.created", replay_id=replay.id, subscription_id=subscription.id, after=after, until=until)
        self._begin(replay)
        return replay

    def _begin(self, replay: Replay) -> None:
        window = ReplayWindow(replay.cursor, replay.until, replay.done, limits=self._limits)
        job = self._jobs[replay.id] = _Job(replay, window)
        job.task = asyncio.get_running_loop().create_task(self._run(job), name=f"replay {replay.id}")
        job.task.add_done_callback(self._task_ended)

    async def _run(self, job: _Job) -> None:
        while True:
            try:
                await self._end(job, *await self._work(job))
                return
            except Unavailable as problem:  # the disk, or a stop: what is not stored is kept for the next save
                _log.warning("replay.delayed", replay_id=job.replay.id, error=str(problem))
                await asyncio.sleep(HELD_SECONDS)

    async def _work(self, job: _Job) -> tuple[ReplayState, str]:
        """Send all there is to send; returns how it ended."""
        window = job.window
        while True:
            subscription = self._live.get(job.replay.subscription)
            if subscription is None:
                return ReplayState.CANCELLED, "Its subscription ended."
            if window.is_finished:
                return ReplayState.DONE, ""
            is_held = self._deliveries.view(subscription.id).is_held
            if window.wants_more and not is_held:
                await self._read(job, subscription)
            if not is_held:
                self._start_some(job, subscription)
            await self._save_when_due(job)
            await self._wait(job, is_held=is_held)

    async def _read(self, job: _Job, subscription: Subscription) -> None:
        replay, window = job.replay, job.window
        query = EventQuery(account=replay.account, from_ms=replay.from_ms, until_ms=replay.until_ms)
        async with self._reading:
            stretch = await self._history.stretch(
                self._partition, query, (window.reached, replay.until), limit=READ_EVENTS, max_bytes=READ_BYTES
            )
        filters = self._filters(job, subscription)
        now = self._clock.monotonic()
        window.read(
            [found for logged in stretch.events for found in self._notifications(logged, filters, now)],
            stretch.reached,
        )
        job.is_dirty = True

    def _notifications(self, logged: LoggedEvent, filters: _Filters, now: float) -> list[Notification]:
        """What of an event the subscription wants, by topic, in their order."""
        event = logged.event
        if event.audience is not None and filters.owner not in event.audience:
            return []
        facts = self._announcements.facts(event)
        rows = rows_with_stated(facts.rows, event.stated)
        chosen = {
            topic: index
            for topic, key in self._announcements.topics(event)
            if (index := filters.best(key, rows)) is not None
        }
        first = next(iter(chosen), None)
        return [
            Notification(
                logged.position,
                topic,
                facts.ordering_key,
                filters.version,
                chosen[topic],
                event,
                len(event.body),
                now,
                further=topic != first,
            )
            for topic in sorted(chosen)
        ]

    def _start_some(self, job: _Job, subscription: Subscription) -> None:
        while (notification := job.window.next_start(self._clock.monotonic())) is not None:
            sent: Notification | None = notification
            if notification.filter_version != subscription.versions[-1].version:  # re-filtered since it was read
                sent = self._rematched(notification, self._filters(job, subscription))
            if sent is None:
                job.window.skip(notification)
                job.is_dirty = True
                continue
            task = asyncio.get_running_loop().create_task(self._send(job, notification, sent))
            job.sending.add(task)
            task.add_done_callback(job.sending.discard)
            task.add_done_callback(self._task_ended)

    def _filters(self, job: _Job, subscription: Subscription) -> _Filters:
        if job.filters is None or job.filters.version != subscription.versions[-1].version:
            job.filters = _Filters(subscription)
        return job.filters

    def _rematched(self, notification: Notification, filters: _Filters) -> Notification | None:
        assert notification.event is not None
        logged = LoggedEvent(notification.position, notification.event)
        found = self._notifications(logged, filters, self._clock.monotonic())
        return next((other for other in found if other.topic == notification.topic), None)

    async def _send(self, job: _Job, notification: Notification, sent: Notification) -> None:
        """One attempt.

        Args:
            notification: as the window knows it; `sent` is the same by the filters of now.
        """
        replay = job.replay
        header = f"{REPLAY_HEADER}: {replay.id}\r\n".encode()
        attempt: Attempt | None = None
        with contextlib.suppress(Unreadable):  # re-filtered this moment: it is matched again
            async with self._places:
                attempt = await self._deliveries.send_apart(
                    replay.subscription, sent, headers=header, settle=partial(self._attempted, job, notification)
                )
        if attempt is None:  # nothing was begun
            job.window.put_back(notification)
        job.changed.set()

    def _attempted(self, job: _Job, notification: Notification, attempt: Attempt) -> Attempt:
        """Note what came of an attempt; returns it as history will show it."""
        number = job.window.tries(notification) + 1
        if attempt.failure is FailureCode.CANCELLED:  # the end of the subscription, or ours: who knows what came of it
            job.window.put_back(notification)
            return self._noted(job, attempt, number, AttemptOutcome.FAILED, None)
        came = _came(attempt)
        pause = job.window.finished(notification, came, self._clock.monotonic(), jitter=self._random.random())
        if came is Came.TAKEN:
            outcome = AttemptOutcome.DELIVERED
        else:
            outcome = AttemptOutcome.GIVEN_UP if pause is None else AttemptOutcome.FAILED
        next_try_ms = None if pause is None else self._clock.now_ms() + int(pause * 1000)
        job.replay = msgspec.structs.replace(
            job.replay,
            delivered=job.replay.delivered + (outcome is AttemptOutcome.DELIVERED),
            given_up=job.replay.given_up + (outcome is AttemptOutcome.GIVEN_UP),
            failed_attempts=job.replay.failed_attempts + (came is not Came.TAKEN),
            reason=job.replay.reason if came is Came.TAKEN else attempt.detail,
        )
        return self._noted(job, attempt, number, outcome, next_try_ms)

    def _noted(
        self, job: _Job, attempt: Attempt, number: int, outcome: AttemptOutcome, next_try_ms: int | None
    ) -> Attempt:
        attempt = msgspec.structs.replace(
            attempt, number=number, outcome=outcome, next_try_ms=next_try_ms, replay=job.replay.id
        )
        job.attempts.append(attempt)
        job.is_dirty = True
        return attempt

    async def _wait(self, job: _Job, *, is_held: bool) -> None:
        """Until something may have to be done."""
        window = job.window
        if is_held:
            seconds = HELD_SECONDS
        elif window.wants_more:
            seconds = BREATH_SECONDS
        elif window.is_finished:
            return
        else:
            wake = window.next_wake(self._clock.monotonic())
            due = COMMIT_SECONDS if job.is_dirty else HELD_SECONDS
            seconds = due if wake is None else min(wake, due)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.001)):
                await job.changed.wait()
        job.changed.clear()

    async def _save_when_due(self, job: _Job) -> None:
        now = self._clock.monotonic()
        if job.is_dirty and (now - job.stored_at >= COMMIT_SECONDS or len(job.attempts) >= self._limits.window):
            await self._save(job)
            job.stored_at = now

    async def _save(self, job: _Job) -> None:
        """Store how far it came, and the attempts that brought it there, in one commit."""
        if not job.is_dirty:
            return
        attempts, job.attempts = job.attempts, []
        job.is_dirty = False
        job.replay = msgspec.structs.replace(job.replay, cursor=job.window.cursor, done=job.window.done)
        try:
            await self._store.save(job.replay, attempts)
        except BaseException:
            # It may have been stored all the same, then these attempts are in history twice; nothing is sent twice.
            job.attempts[:0] = attempts
            job.is_dirty = True
            raise

    async def _end(self, job: _Job, state: ReplayState, reason: str) -> None:
        await _cut_off(job)
        job.replay = msgspec.structs.replace(
            job.replay, state=state, reason=reason or job.replay.reason, ended_ms=self._clock.now_ms()
        )
        if state is ReplayState.DONE and not job.replay.given_up:
            job.replay = msgspec.structs.replace(job.replay, reason="")
        job.is_dirty = True
        await self._save(job)
        replay = self._ended[job.replay.id] = job.replay
        self._jobs.pop(replay.id, None)
        forgotten = sorted(self._ended.values(), key=lambda ended: ended.created_ms)[:-MOST_REMEMBERED]
        for old in forgotten:
            del self._ended[old.id]
        await self._store.forget([old.id for old in forgotten])
        _log.info(
            "replay.ended",
            replay_id=replay.id,
            subscription_id=replay.subscription,
            state=replay.state,
            delivered=replay.delivered,
            given_up=replay.given_up,
            reason=replay.reason,
        )

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)


async def _cut_off(job: _Job) -> None:
    """End what is under way; each attempt that was begun is among the job's attempts then."""
    sending = list(job.sending)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


class _Filters:
    """A subscription's event filters in force, for matching one by one."""

    def __init__(self, subscription: Subscription) -> None:
        version = subscription.versions[-1]
        self.owner = subscription.owner_id
        self.version = version.version
        self._filters = parse_stored(subscription, version.filters)

    def best(self, key: str, rows: Rows) -> int | None:
        """The place of the filter that an event on this topic is rendered for, as `Subscribers.matches` chooses."""
        fitting = [
            (-len(event_filter.projections), index)
            for index, event_filter in enumerate(self._filters)
            if event_filter is not None and event_filter.key == key and event_filter.fits(rows)
        ]
        return min(fitting)[1] if fitting else None


def _came(attempt: Attempt) -> Came:
    if attempt.failure is None:
        return Came.TAKEN
    # 408 and 425 ask to be tried again; 429 is THROTTLED.
    is_refusal = attempt.failure is FailureCode.STATUS_4XX and attempt.status not in {408, 425}
    return Came.REFUSED if is_refusal else Came.FAILED
