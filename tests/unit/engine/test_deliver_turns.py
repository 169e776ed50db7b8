"""The deliveries' shell over the engine in memory: nothing is left waiting while there are places for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from bellwire.delivery.lane import LaneLimits
from bellwire.delivery.notification import Notification
from bellwire.engine.deliver import Deliveries
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.model.attempt import AttemptResult
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from bellwire.observe.system_clock import SystemClock
from bellwire.storage.memory import MemoryEngine
from tests.conformance.event_log import an_event

TAKEN = AttemptResult(None, 200, "", 0.001)


class QuickSender:
    """`WebhookSender` whose endpoints take everything after a random number of the loop's turns."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.taken = 0
        self.under_way = self.most_under_way = 0

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self._after(self.random.randrange(1, 6), done)
        return lambda: None

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        raise AssertionError("nothing is asked")

    def _after(self, turns: int, done: Callable[[AttemptResult], None]) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._after, turns - 1, done)
            return
        self.under_way -= 1
        self.taken += 1
        done(TAKEN)


class Address:
    """A `Destination`; all are at one host."""

    endpoint = Endpoint("https", "example.com", 443, "/")
    address = "https://example.com/"
    is_held = False

    def __init__(self, number: int) -> None:
        self.id = SubscriptionId(f"s{number}")

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        return event.uuid, b"", event.body


@pytest.mark.parametrize("seed", range(20))
async def test_lanes_that_share_a_host_all_drain_whatever_modes_they_pass_through(seed: int) -> None:
    engine, sender, chance, clock = MemoryEngine(), QuickSender(seed), random.Random(seed), SystemClock()
    fatal: list[BaseException] = []
    deliveries = Deliveries(
        partition=EMBEDDED_PARTITION,
        log=engine.event_log,
        backlog=engine.backlog,
        sender=sender,
        clock=clock,
        random=chance,
        observe=lambda *_: None,
        limits=DeliveryLimits(
            in_flight=24,
            in_flight_per_origin=20,
            lane=LaneLimits(waiting=8, parallel=4, page=16),
            commit_every=0.001,
            reads_at_once=1,
        ),
        on_fatal=fatal.append,
    )
    await deliveries.claim()
    addresses = [Address(number) for number in range(6)]
    for address in addresses:
        deliveries.open(address, held=False)
    deliveries.start()
    events = 400
    try:
        await engine.event_log.append(EMBEDDED_PARTITION, [an_event(f"{seed}-{n}") for n in range(events)])
        for logged in await engine.event_log.read(EMBEDDED_PARTITION, deliveries.settling.routed, 1 << 30):
            deliveries.settling.route(logged.position, len(addresses), 0.0)
            key, now = f"k{logged.position % 7}", clock.monotonic()
            for address in addresses:
                notification = Notification(logged.position, "/t", key, 1, 0, logged.event, 10, now)
                deliveries.offer(address.id, notification)
            if chance.random() < 0.3:
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while any(deliveries.is_owed(address.id) for address in addresses):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    finally:
        await deliveries.stop(drain_seconds=1.0)
    assert sender.taken == events * len(addresses)
    assert sender.most_under_way <= 20
    assert not fatal
