"""Notifications for sockets: what is handed to the gateway in which order, and when it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from bellwire.engine.deliver_sockets import TURN, SocketDeliveries
from bellwire.engine.subscribers import Match
from bellwire.model.event import Event
from bellwire.model.ids import AccountId, Position, SubscriptionId
from bellwire.ports.delivery_control import Subscriber
from bellwire.wire.gateway.session import Notification
from tests.doubles.delivering import RealClock, until

CLIENTS = [SubscriptionId(f"s{number}") for number in range(3 * TURN)]


@dataclass
class Gateway:
    """Holds what may wait back until it is flushed."""

    written: dict[SubscriptionId, list[int]] = field(default_factory=dict)
    held: dict[SubscriptionId, list[int]] = field(default_factory=dict)
    writes: int = 0

    def notify(self, subscription: SubscriptionId, notification: Notification, *, more: bool = False) -> None:
        held = self.held.setdefault(subscription, [])
        held.append(notification.position)
        if not more:
            self._write(subscription)

    def flush(self, most: int) -> bool:
        for subscription in list(self.held)[:most]:
            self._write(subscription)
        return bool(self.held)

    def unsubscribed(self, subscription: SubscriptionId) -> None: ...

    def _write(self, subscription: SubscriptionId) -> None:
        self.written.setdefault(subscription, []).extend(self.held.pop(subscription))
        self.writes += 1


@dataclass
class Destination:
    id: SubscriptionId

    def notification(self, position: Position, *_: object) -> object:
        return SimpleNamespace(position=position)


def event(number: int) -> Event:
    return Event(account=AccountId("1"), uuid=f"e{number}", chosen=True, topic="/t", timestamp_ms=0, body=b"{}")


def matches(subscriptions: list[SubscriptionId]) -> list[tuple[str, Match, bool]]:
    found = []
    for id_ in subscriptions:
        subscriber = SimpleNamespace(id=id_, socket=Destination(id_))
        found.append(("/t", Match(cast(Subscriber, subscriber), 1, 0, frozenset()), False))
    return found


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def deliveries(gateway: Gateway) -> AsyncIterator[SocketDeliveries]:
    def ignore(*_: object) -> None: ...

    deliveries = SocketDeliveries(clock=RealClock(), record=ignore, observe=ignore, observe_sent=ignore)
    deliveries.write_to(gateway)
    running = asyncio.create_task(deliveries.run())
    yield deliveries
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_each_client_gets_all_of_its_own_in_log_order_and_nothing_is_held(
    deliveries: SocketDeliveries, gateway: Gateway
) -> None:
    """The last event is for few: what the others got before must not wait for one that never comes."""
    for position in range(1, 11):
        clients = CLIENTS if position < 10 else CLIENTS[:2]
        deliveries.offer(Position(position), event(position), matches(clients))

    await until(lambda: not deliveries.waiting and len(gateway.written) == len(CLIENTS) and not gateway.held)

    assert gateway.written[CLIENTS[0]] == list(range(1, 11))
    assert all(gateway.written[client] == list(range(1, 10)) for client in CLIENTS[2:])


async def test_several_events_for_a_client_go_out_together(deliveries: SocketDeliveries, gateway: Gateway) -> None:
    for position in range(1, 6):
        deliveries.offer(Position(position), event(position), matches(CLIENTS[:2]))

    await until(lambda: not deliveries.waiting and not gateway.held)

    assert gateway.writes == 2


async def test_one_event_alone_is_written_at_once(deliveries: SocketDeliveries, gateway: Gateway) -> None:
    held: list[int] = []
    notify = gateway.notify

    def watched(subscription: SubscriptionId, notification: Notification, *, more: bool = False) -> None:
        notify(subscription, notification, more=more)
        held.append(len(gateway.held))

    gateway.notify = watched  # type: ignore[method-assign]
    deliveries.offer(Position(1), event(1), matches(CLIENTS))
    await until(lambda: len(held) == len(CLIENTS))

    assert set(held) == {0}
