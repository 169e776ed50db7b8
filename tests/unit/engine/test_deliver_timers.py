"""Retries come, whatever the event loop's timers do: uvloop's fire up to a millisecond early by our clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from bellwire.delivery.notification import Notification
from bellwire.engine.deliver import Deliveries
from bellwire.model.attempt import Attempt, AttemptOutcome, AttemptResult, FailureCode
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, AccountId, SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from bellwire.ports.event_log import Appended
from bellwire.storage.memory import MemoryEngine

TOPIC = "/restapi/v1.0/account/1/presence"


class SlowClock:
    """Runs at nine tenths of the event loop's speed, so that each of its timers fires early."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic() * 0.9


class FailingEndpoint:
    """A sender whose attempts fail so many times, and then succeed."""

    def __init__(self, failures: int) -> None:
        self._failures = failures

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        failure = FailureCode.CONNECT_REFUSED if self._failures else None
        self._failures = max(0, self._failures - 1)
        asyncio.get_running_loop().call_soon(done, AttemptResult(failure, 0, "", 0.0))
        return lambda: None

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        raise AssertionError("no handshake is made here")


class Somewhere:
    id = SubscriptionId("s")
    endpoint = Endpoint("https", "example.com", 443, "/")
    address = "https://example.com/"
    is_held = False

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        return event.uuid, b"", event.body


class Quarter(Random):
    """Jitter that makes every pause a quarter of the longest that it may be."""

    def random(self) -> float:
        return 0.25


async def test_each_retry_comes_although_every_timer_fires_early() -> None:
    engine, clock = MemoryEngine(), SlowClock()
    event = Event(account=AccountId("1"), uuid="u", chosen=False, topic=TOPIC, timestamp_ms=0, body=b"{}")
    [appended] = await engine.event_log.append(EMBEDDED_PARTITION, [event])
    assert isinstance(appended, Appended)
    outcomes: list[AttemptOutcome] = []
    delivered = asyncio.Event()

    def observe(_to: object, attempt: Attempt, _event: Event | None) -> None:
        outcomes.append(attempt.outcome)
        if attempt.outcome is AttemptOutcome.DELIVERED:
            delivered.set()

    deliveries = Deliveries(
        partition=EMBEDDED_PARTITION,
        log=engine.event_log,
        backlog=engine.backlog,
        sender=FailingEndpoint(2),
        clock=clock,
        random=Quarter(),
        observe=observe,
        on_fatal=lambda error: outcomes.append(AttemptOutcome.GIVEN_UP),
    )
    await deliveries.claim()
    deliveries.open(Somewhere(), held=False)
    deliveries.start()

    deliveries.settling.route(appended.position, 1, clock.monotonic())
    deliveries.offer(Somewhere.id, Notification(appended.position, TOPIC, "k", 1, 0, event, 2, clock.monotonic()))
    try:
        async with asyncio.timeout(10):
            await delivered.wait()
    finally:
        await deliveries.stop(drain_seconds=0)

    assert outcomes == [AttemptOutcome.FAILED, AttemptOutcome.FAILED, AttemptOutcome.DELIVERED]
