"""The delivery engine with everything around it in memory: a sender that does as it is told, simple destinations."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bellwire.delivery.notification import Notification
from bellwire.delivery.schedule import RetryPolicy
from bellwire.engine.deliver import Deliveries
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.model.attempt import Attempt, AttemptResult, FailureCode
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, AccountId, Position, SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import Appended
from bellwire.storage.memory import MemoryEngine

TOPIC = "/t"
TAKEN = AttemptResult(None, 200, "", 0.0)
FAILED = AttemptResult(FailureCode.STATUS_5XX, 500, "The endpoint failed.", 0.0)
REFUSED = AttemptResult(FailureCode.STATUS_4XX, 404, "The endpoint refused.", 0.0)
QUICK = DeliveryLimits(commit_every=0.002, sweep_every=0.01, settle_within=0.05)
QUICK_RETRIES = RetryPolicy(first_pause=0.01, doubling_until=0.05, longest_pause=0.05, least_pause=0.002)


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(eq=False)
class Sent:
    """One request, under way until it is answered."""

    to: SubscriptionId
    uuid: str
    done: Callable[[AttemptResult], None]
    is_over: bool = False


class ScriptedSender:
    """`WebhookSender` whose requests wait for `answer`, or are answered by `script` at the loop's next turn."""

    def __init__(self, script: Callable[[Sent], AttemptResult | None] | None = None) -> None:
        self.script = script
        self.sent: list[Sent] = []
        self.most_under_way = 0

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        sent = Sent(SubscriptionId(head.decode()), body.decode(), done)
        self.sent.append(sent)
        self.most_under_way = max(self.most_under_way, len(self.under_way()))
        if self.script is not None and (result := self.script(sent)) is not None:
            asyncio.get_running_loop().call_soon(self.answer, sent, result)
        return lambda: self._abandon(sent)

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        raise AssertionError("deliveries shake no hands")

    def answer(self, sent: Sent, result: AttemptResult = TAKEN) -> None:
        if not sent.is_over:
            sent.is_over = True
            sent.done(result)

    def under_way(self, to: str | None = None) -> list[Sent]:
        return [sent for sent in self.sent if not sent.is_over and to in (None, sent.to)]

    def uuids(self, to: str = "s") -> list[str]:
        return [sent.uuid for sent in self.sent if sent.to == to]

    def _abandon(self, sent: Sent) -> None:
        cancelled = AttemptResult(FailureCode.CANCELLED, 0, "cancelled", 0.0)
        asyncio.get_running_loop().call_soon(self.answer, sent, cancelled)


def an_event(uuid: str, key: str) -> Event:
    """An event whose body is its ordering key."""
    body = f'"{key}"'.encode()
    return Event(account=AccountId("1"), uuid=uuid, chosen=True, topic=TOPIC, timestamp_ms=0, body=body)


@dataclass(frozen=True)
class PlainDestination:
    """A subscription whose head is its id, and whose body is the event's uuid."""

    id: SubscriptionId
    host: str
    is_held: bool = False

    @property
    def address(self) -> str:
        return f"https://{self.host}/"

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("https", self.host, 443, "/")

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        return event.uuid, self.id.encode(), event.uuid.encode()


@dataclass
class Stage:
    """Deliveries over a log and a backlog in memory. `await start()`; `await crash()` is the end of a process."""

    engine: MemoryEngine = field(default_factory=MemoryEngine)
    sender: ScriptedSender = field(default_factory=ScriptedSender)
    limits: DeliveryLimits = QUICK
    policy: RetryPolicy = QUICK_RETRIES
    clock: Clock = field(default_factory=RealClock)
    failures: list[BaseException] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    deliveries: Deliveries = field(init=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def start(self, *subscriptions: str, host: str | None = None) -> Position:
        """A process begins; returns the watermark to route from."""
        self.deliveries = Deliveries(
            partition=EMBEDDED_PARTITION,
            log=self.engine.event_log,
            backlog=self.engine.backlog,
            sender=self.sender,
            clock=self.clock,
            random=random.Random(1),
            observe=lambda _destination, attempt, _event: self.attempts.append(attempt),
            limits=self.limits,
            policy=self.policy,
            on_fatal=self.failures.append,
        )
        watermark = await self.deliveries.claim()
        for subscription in subscriptions:
            self.open(subscription, host=host)
        self.deliveries.start()
        return watermark

    def open(self, subscription: str, *, host: str | None = None, held: bool = False) -> None:
        destination = PlainDestination(SubscriptionId(subscription), host or f"{subscription}.example.com")
        self.deliveries.open(destination, held=held)

    async def publish(self, *to: str, key: str = "k", uuid: str | None = None) -> str:
        """Log an event and route it to subscriptions; returns its uuid."""
        event = an_event(uuid or f"e{next(self._numbers)}", key)
        (answer,) = await self.engine.event_log.append(EMBEDDED_PARTITION, [event])
        assert isinstance(answer, Appended)
        self.route(answer.position, event, *to)
        return event.uuid

    def route(self, position: Position, event: Event, *to: str) -> None:
        now = self.clock.monotonic()
        deliveries = self.deliveries
        wanted = [s for s in to if not deliveries.was_settled(SubscriptionId(s), position, TOPIC)]
        deliveries.settling.route(position, len(wanted), now)
        key = event.body.decode().strip('"')
        for subscription in wanted:
            notification = Notification(position, TOPIC, key, 1, 0, event, len(event.body), now)
            deliveries.offer(SubscriptionId(subscription), notification)
        deliveries.wake()

    async def follow(self, after: Position, *to: str) -> None:
        """Route everything after a position to subscriptions, for ever, as the router does."""
        while True:
            for logged in await self.engine.event_log.read(EMBEDDED_PARTITION, after, 1 << 20):
                self.route(logged.position, logged.event, *to)
                after = logged.position
            await self.deliveries.room()
            await asyncio.sleep(0)

    async def crash(self) -> None:
        """All that only memory had is gone; nothing under way is answered any more."""
        for sent in self.sender.under_way():
            sent.is_over = True
        self.deliveries._stopping = True  # a dead process starts nothing, whatever its tasks do on their way out
        tasks = list(self.deliveries._tasks)
        self.engine.crash()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.engine.crash()

    async def stop(self) -> None:
        await self.deliveries.stop(drain_seconds=0.2)

    @property
    def rows(self) -> int:
        return len(self.engine.backlog.rows)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it holds; looked at every millisecond."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is state, not an event
            await asyncio.sleep(0.001)
