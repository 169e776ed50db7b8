"""One installation from its first start to the day when everything has settled: process after process over one disk,
each killed or stopped somewhere, while events are published, endpoints change their moods, and subscriptions are made,
refiltered, paused and removed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bellwire.delivery.lane import LaneLimits, Mode
from bellwire.delivery.schedule import RetryPolicy
from bellwire.engine.deliver import Deliveries
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.destination import Desk, Rendering
from bellwire.engine.fairness import Unrouted
from bellwire.engine.publish import Publisher
from bellwire.engine.retention import Retention, RetentionLimits
from bellwire.engine.route import Announcements, Router
from bellwire.engine.subscribe_live import LiveSubscriptions, parse_stored
from bellwire.engine.subscribers import Subscribers
from bellwire.errors import Unavailable
from bellwire.filters import EventFilter
from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from bellwire.model.subscription import Subscription, WebhookDelivery
from bellwire.subscriptions.versions import first_version
from tests.doubles.identity import MemoryIdentity, MemoryInstallation
from tests.doubles.subscriptions import a_subscription
from tests.simulation.audit import Audit
from tests.simulation.disks import Disk, SimulatedBacklog, SimulatedLog, SimulatedRetention, SimulatedStore
from tests.simulation.endpoints import Mood, SimulatedEndpoints
from tests.simulation.model import DIRECTIONS, EXTENSIONS, FILTERS, Happening
from tests.simulation.virtual_loop import VirtualLoop

LIMITS = DeliveryLimits(
    in_flight=10,
    in_flight_per_origin=6,
    lane=LaneLimits(waiting=4, waiting_bytes=1500, parallel=4, page=6, page_bytes=1500, held_keys=3),
    commit_every=0.05,
    sweep_every=0.25,
    gathered=40,
    memory_bytes=2500,
)
POLICY = RetryPolicy(
    first_pause=0.2,
    doubling_until=2.0,
    longest_pause=8.0,
    tries_at_longest_doubling=4,
    least_pause=0.02,
    give_up_after=3,
)
POINTS = (
    "log.before", "log.after", "backlog.before", "backlog.after", "route.before", "route.after", "events.before",
    "events.after", "page.before", "page.after", "purge", "records.before", "records.after", "removal.before",
    "removal.after", "retention", "totals.after", "needed.after",
)  # fmt: skip
"""Where a process can be killed, beside any step at random."""
FAR = 1 << 40
MOST_SUBSCRIPTIONS = 4
ACTIONS = {
    "subscribe": 10, "publish": 55, "mood": 10, "refilter": 8, "pause": 4, "resume": 5, "remove": 2, "keep house": 4,
    "disk": 3,
}  # fmt: skip
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Part = Callable[["Process", VirtualLoop], Coroutine[Any, Any, None]]
_INSTALLATION = MemoryInstallation()
_DIRECTORY = MemoryIdentity()


class LoopClock:
    """`Clock` on a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time())

    def now_ms(self) -> int:
        return int(self.now().timestamp() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()


class Process:
    """The engine of one life, put together as compose.py does it."""

    def __init__(self, story: Story, loop: VirtualLoop) -> None:
        self.number = story.disk.begin()
        self.failures: list[BaseException] = []
        self._story = story
        clock = LoopClock(loop)
        self.log = SimulatedLog(story.disk, self.number)
        backlog = SimulatedBacklog(story.disk, self.number)
        self.deliveries = Deliveries(
            partition=EMBEDDED_PARTITION,
            log=self.log,
            backlog=backlog,
            sender=story.endpoints,
            clock=clock,
            random=story.random,
            observe=self._observe,
            limits=LIMITS,
            policy=POLICY,
            on_fatal=self.failures.append,
        )
        self.subscribers = Subscribers()
        announcements = Announcements(_DIRECTORY)
        rendering = Rendering(announcements=announcements, installation=_INSTALLATION, clock=clock, user_agent="t")
        self.live = LiveSubscriptions(
            partition=EMBEDDED_PARTITION,
            store=SimulatedStore(story.disk, self.number),
            subscribers=self.subscribers,
            log=self.log,
            delivery=Desk(self.deliveries, rendering, self.subscribers),
        )
        unrouted = Unrouted(limit=30)
        self.publisher = Publisher(log=self.log, partition=EMBEDDED_PARTITION, unrouted=unrouted)
        self._router = Router(
            partition=EMBEDDED_PARTITION,
            log=self.log,
            announcements=announcements,
            subscribers=self.subscribers,
            deliveries=self.deliveries,
            unrouted=unrouted,
            clock=clock,
            on_routed=lambda _event, _notifications: None,
            turn=4,
        )
        self._retention = Retention(
            partition=EMBEDDED_PARTITION,
            store=SimulatedRetention(story.disk, self.number),
            log=self.log,
            backlog=backlog,
            deliveries=self.deliveries,
            clock=clock,
            limits=story.retention,
        )
        self._sweeping = asyncio.Lock()
        self._routing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        watermark = await self.deliveries.claim()
        await self.live.restore()
        await self.log.raise_head(max(watermark, self.live.restored_up_to))
        self.deliveries.start()
        self._routing = asyncio.create_task(self._router.run(watermark))
        self._routing.add_done_callback(self._routing_ended)
        self._forgetting = asyncio.create_task(self._forget_versions())

    async def stop(self) -> None:
        assert self._routing is not None
        self._forgetting.cancel()
        self._routing.cancel()
        await asyncio.gather(self._routing, return_exceptions=True)
        await self.deliveries.stop(drain_seconds=self._story.random.choice((0.0, 1.0, 5.0)))

    async def keep_house(self) -> None:
        async with self._sweeping:
            await self._retention.sweep()

    async def _forget_versions(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.subscribers.forget_versions_below(self.deliveries.committed_watermark)

    def _routing_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)

    def _observe(self, *what: Any) -> None:
        (attempt,) = (part for part in what if isinstance(part, Attempt))
        event = next((part for part in what if isinstance(part, Event)), None)
        assert event is not None, "an event, or the filter that matched it, was taken for lost"
        waited = self.deliveries.figures()["oldest_open_seconds"]
        assert waited <= LIMITS.settle_within + 2 * LIMITS.sweep_every, f"the watermark waits for {waited} s"
        self._story.attempted(attempt, event)


class Story:
    """`run` tells it all; raises AssertionError, naming what was broken."""

    def __init__(self, seed: int, *, events: int = 60, lives: int = 4) -> None:
        self.random = Random(seed)
        self.audit = Audit(least_pause=POLICY.least_pause)
        self.disk = Disk(self.audit, self.random)
        self.endpoints = SimulatedEndpoints(self.audit, self.random)
        self.kills: Counter[str] = Counter()
        """What the processes were about when they were killed."""
        self.now = 0.0
        self._events = events
        self._lives = lives
        self._calm = self.random.random() < 0.3
        """No endpoint fails: what is repeated then, a crash has to be the reason for."""
        self._unpublished: list[int] = []
        """Events that their producer publishes again, since it was not told that they were taken."""
        self._subscriptions = 0
        # Stories differ in what happens often: rare meetings of two things are common in some.
        self._weights = {action: weight * self.random.choice((0.2, 1, 1, 5)) for action, weight in ACTIONS.items()}
        rows, size, seconds = self.random.choice(((FAR, FAR, FAR), (FAR, 2000, FAR), (8, FAR, FAR), (FAR, 1000, 5)))
        self.retention = RetentionLimits(keep_seconds=seconds, log_bytes=size, history_bytes=FAR, backlog_rows=rows)
        self._keys = [f"k{number}" for number in range(self.random.choice((2, 5, 20)))]

    def run(self) -> int:
        """Returns how many notifications were owed."""
        for _ in range(self._lives):
            self._live(self._some_time)
        self._live(self._to_the_end)
        self._live(self._nothing_left)
        return self.audit.settle_accounts()

    def attempted(self, attempt: Attempt, event: Event) -> None:
        self.audit.observed(attempt, self.audit.happenings[int(event.uuid.removeprefix("event-"))].key)

    # Lives

    def _live(self, part: Part) -> None:
        """Run a process until it has played its part, or dies."""
        loop = VirtualLoop(self.now)
        errors: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _loop, context: errors.append(context))
        self.disk.on_kill = loop.stop
        self.endpoints.begin()
        process = Process(self, loop)
        task = loop.create_task(part(process, loop))

        def ended(_task: object) -> None:
            loop.stop()

        task.add_done_callback(ended)
        try:
            loop.run_forever()
            if not task.done():
                self._kill(process)
        finally:
            self.now = loop.time()
            loop.steps_left = None
            task.remove_done_callback(ended)
            self.disk.crash()
            _bury(loop)
        for failure in process.failures:
            raise AssertionError("the engine gave up") from failure
        for context in errors:
            raise AssertionError(context["message"]) from context.get("exception")
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def _kill(self, process: Process) -> None:
        self.kills["in flight" if self.endpoints.in_flight else "idle"] += 1
        views = [process.deliveries.view(subscriber.id) for subscriber in process.subscribers]
        for mode in Mode:
            self.kills[mode.value] += any(view.mode is mode for view in views)
        self.endpoints.kill()
        self.audit.killed()

    async def _some_time(self, process: Process, loop: VirtualLoop) -> None:
        self._plan_death(loop)
        await process.start()
        self._after_start(process)
        await self._let_happen(process, self.random.randrange(10, 60))
        self.disk.failing = 0.0
        self.disk.kill_at = None
        loop.steps_left = None
        await process.stop()
        self.audit.stopped()

    async def _to_the_end(self, process: Process, _loop: VirtualLoop) -> None:
        await process.start()
        self._after_start(process)
        await self._let_happen(process, 15)  # so that the engine has to get over it without a restart
        self.disk.failing = 0.0
        self.endpoints.moods.clear()
        while self._unpublished or len(self.audit.happenings) < self._events:
            await self._publish(process, 5)
        for subscriber in list(process.subscribers):
            if subscriber.subscription.paused:
                await self._resume(process, subscriber.id)
        for _ in range(4000):
            await asyncio.sleep(0.25)
            if self._is_settled(process):
                break
        else:
            raise AssertionError(f"never settled: {process.deliveries.figures()}")
        figures = process.deliveries.figures()
        assert (figures["in_flight"], figures["open_positions"], figures["backlog_rows"]) == (0, 0, 0), figures
        assert not self.disk.engine.backlog.rows, "rows are left behind"
        await process.stop()
        self.audit.stopped()

    async def _nothing_left(self, process: Process, _loop: VirtualLoop) -> None:
        posts = self.endpoints.posts
        await process.start()
        await asyncio.sleep(20)
        assert self.endpoints.posts == posts, "something went out again although all was settled"
        await process.stop()

    def _plan_death(self, loop: VirtualLoop) -> None:
        fate = self.random.random()
        if fate < 0.5:
            loop.steps_left = int(20 * 100 ** self.random.random())
        elif fate < 0.95:
            self._arm(loop, self.random.choice(POINTS), 4 * self.random.random() ** 2)

    def _arm(self, loop: VirtualLoop, point: str, after: float) -> None:
        def arm() -> None:
            self.disk.kill_at = point

        loop.call_later(after, arm)

    def _after_start(self, process: Process) -> None:
        """What survived is known now."""
        for subscription in self.audit.expected.subscriptions:
            if process.live.get(subscription) is None:
                self.audit.removed.add(subscription)
                self.audit.forget(subscription)
        for subscriber in process.subscribers:
            held = subscriber.subscription.paused
            (self.audit.held.add if held else self.audit.held.discard)(subscriber.id)

    def _is_settled(self, process: Process) -> bool:
        head = process.log.head(EMBEDDED_PARTITION)
        deliveries = process.deliveries
        return (
            deliveries.committed_watermark == head
            and not any(deliveries.is_owed(subscriber.id) for subscriber in process.subscribers)
            and not self.disk.engine.backlog.rows
        )

    # What happens

    async def _let_happen(self, process: Process, number: int) -> None:
        working: set[asyncio.Task[None]] = set()
        for _ in range(number):
            await asyncio.sleep(0.4 * self.random.random() ** 2)
            working.add(asyncio.create_task(self._do_something(process)))
        await asyncio.gather(*working)

    async def _do_something(self, process: Process) -> None:
        with contextlib.suppress(Unavailable):
            await self._do_one_of_many(process)

    async def _do_one_of_many(self, process: Process) -> None:
        (action,) = self.random.choices(list(self._weights), list(self._weights.values()))
        if not len(process.subscribers):
            action = "subscribe"
        match action:
            case "subscribe" if len(process.subscribers) < MOST_SUBSCRIPTIONS:
                await self._subscribe(process)
            case "publish":
                await self._publish(process, self.random.choice((1, 2, 5, 12)))
            case "mood" if not self._calm:
                self.endpoints.moods[self._someone(process)] = self.random.choice(list(Mood))
            case "refilter":
                await self._refilter(process, self._someone(process))
            case "pause":
                await self._pause(process, self._someone(process))
            case "resume":
                paused = [s.id for s in process.subscribers if s.subscription.paused]
                if paused:
                    await self._resume(process, self.random.choice(paused))
            case "remove":
                await self._remove(process, self._someone(process))
            case "keep house":
                await process.keep_house()
            case "disk" if not self._calm:
                self.disk.failing = self.random.choice((0.0, 0.0, 0.2, 0.5))

    def _someone(self, process: Process) -> SubscriptionId:
        return self.random.choice([subscriber.id for subscriber in process.subscribers])

    async def _publish(self, process: Process, number: int) -> None:
        if self.retention.log_bytes < FAR:
            # What was trimmed is no duplicate any more: such a producer looks first.
            self._unpublished = [event for event in self._unpublished if event not in self.audit.positions]
        again, self._unpublished = self._unpublished[:number], self._unpublished[number:]
        while len(again) < number and len(self.audit.happenings) < self._events:
            happening = Happening(
                len(self.audit.happenings),
                is_call=self.random.random() < 0.7,
                extension=self.random.choice(EXTENSIONS),
                key=self.random.choice(self._keys),
                direction=self.random.choice(DIRECTIONS),
            )
            self.audit.happenings[happening.number] = happening
            again.append(happening.number)
        self._unpublished += again  # until it is acknowledged, whatever becomes of the process
        await process.publisher.publish([self.audit.happenings[event].event for event in again])
        self.audit.acknowledged.update(again)
        self._unpublished = [event for event in self._unpublished if event not in self.audit.acknowledged]

    async def _subscribe(self, process: Process) -> None:
        self._subscriptions += 1
        name = f"5a0b8a3e-0000-4000-8000-{self._subscriptions:012d}"
        filters = self._some_filters()
        address = f"http://host-{self.random.randrange(2)}.example.com/{name}"

        async def create() -> None:
            record = a_subscription(
                name,
                webhook=WebhookDelivery(address=address),
                versions=(first_version(filters, process.live.head()),),
            )
            await process.live.open(record, _parsed(record, filters))

        await process.live.in_turn(SubscriptionId(name), create)

    async def _refilter(self, process: Process, subscription: SubscriptionId) -> None:
        filters = self._some_filters()

        async def change() -> None:
            record = process.live.get(subscription)
            if record is not None:
                await process.live.change(record, _parsed(record, filters))

        await process.live.in_turn(subscription, change)

    async def _pause(self, process: Process, subscription: SubscriptionId) -> None:
        async def pause() -> None:
            record = process.live.get(subscription)
            if record is None or record.paused:
                return
            process.deliveries.hold(subscription)
            try:
                await process.live.change(replace(record, paused=True))
            except Unavailable:
                self.audit.resumed(subscription)
                process.deliveries.release(subscription)
                raise
            self.audit.held.add(subscription)

        await process.live.in_turn(subscription, pause)

    async def _resume(self, process: Process, subscription: SubscriptionId) -> None:
        async def resume() -> None:
            record = process.live.get(subscription)
            if record is None or not record.paused:
                return
            self.audit.held.discard(subscription)
            await process.live.change(replace(record, paused=False))
            self.audit.resumed(subscription)
            process.deliveries.release(subscription)

        await process.live.in_turn(subscription, resume)

    async def _remove(self, process: Process, subscription: SubscriptionId) -> None:
        async def remove() -> None:
            if process.live.get(subscription) is not None:
                await process.live.remove(subscription)
                self.audit.removed.add(subscription)
                self.audit.forget(subscription)

        await process.live.in_turn(subscription, remove)

    def _some_filters(self) -> list[str]:
        return self.random.sample(FILTERS, self.random.randrange(1, 5))


def _parsed(record: Subscription, filters: list[str]) -> list[EventFilter]:
    return [event_filter for event_filter in parse_stored(record, filters) if event_filter is not None]


def _bury(loop: VirtualLoop) -> None:
    """Let what a dead process was about end without effect: its ports serve it no more."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True)) if tasks else None
    loop.close()
