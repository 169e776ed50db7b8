"""Subscriptions for tests: a record to start from, and the ports around the use cases in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bellwire.errors import InvalidRequest, Unavailable
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, ClientId, ExtensionId, Partition, Position, SubscriptionId
from bellwire.model.subscription import (
    FilterVersion,
    Subscription,
    SubscriptionApi,
    TransportType,
    WebhookDelivery,
)
from bellwire.ports.clock import Clock
from bellwire.ports.delivery_control import Subscriber
from bellwire.ports.event_log import Appended, Duplicate
from bellwire.ports.subscription_store import SubscriptionStore

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def a_subscription(id_: str = "5a0b8a3e-0000-4000-8000-000000000001", **changes: Any) -> Subscription:
    fields: dict[str, Any] = {
        "id": SubscriptionId(id_),
        "api": SubscriptionApi.GENERAL,
        "account_id": AccountId("1"),
        "owner_id": ExtensionId("11"),
        "client_id": ClientId("app"),
        "transport": TransportType.WEB_HOOK,
        "webhook": WebhookDelivery(address="https://receiver.example.com/hook"),
        "versions": (FilterVersion(version=1, filters=("/one",), from_position=Position(0)),),
        "disabled_filters": (),
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=7),
        "lifetime_seconds": 604_800,
    }
    return Subscription(**fields | changes)


async def all_of(store: SubscriptionStore) -> list[Subscription]:
    """What is stored, oldest first."""
    stored = [record async for page in store.pages() for record in page]
    return sorted(stored, key=lambda record: record.created_at)


class MemorySubscriptionStore:
    """`SubscriptionStore` over a dictionary. `broken`: every write fails, as on a full disk. `gate`: writes wait."""

    def __init__(self, clock: Clock) -> None:
        self.records: dict[SubscriptionId, Subscription] = {}
        self.tombstones: dict[SubscriptionId, tuple[SubscriptionApi, datetime]] = {}
        self.saves = 0
        self.broken = False
        self.gate: asyncio.Event | None = None
        self._clock = clock

    async def pages(self) -> AsyncIterator[list[Subscription]]:
        records = list(self.records.values())
        for start in range(0, len(records), 3):
            await asyncio.sleep(0)
            yield records[start : start + 3]

    async def save(self, subscription: Subscription) -> None:
        await self._write()
        self.saves += 1
        self.records[subscription.id] = subscription

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        await self._write()
        record = self.records.pop(subscription, None)
        if record is not None and expired_at is not None:
            self.tombstones[subscription] = (record.api, expired_at)

    async def expired_at(self, subscription: SubscriptionId, api: SubscriptionApi) -> datetime | None:
        of, at = self.tombstones.get(subscription, (None, NOW))
        return at if of is api and at > self._clock.now() - timedelta(hours=24) else None

    async def forget_tombstones(self, before: datetime) -> int:
        old = [id_ for id_, (_, at) in self.tombstones.items() if at < before]
        for id_ in old:
            del self.tombstones[id_]
        return len(old)

    async def _write(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise Unavailable("the disk is full")


class QuietLog:
    """`EventLog` that only counts: what is appended is durable at once."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []

    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        appended: list[Appended | Duplicate] = []
        for event in events:
            position = Position(len(self.events) + 1)
            self.events.append(LoggedEvent(position, event))
            appended.append(Appended(position))
        return appended

    async def read(self, partition: Partition, after: Position, max_bytes: int) -> list[LoggedEvent]:
        return self.events[after:]

    async def get(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, Event]:
        return {position: self.events[position - 1].event for position in positions}

    def head(self, partition: Partition) -> Position:
        return Position(len(self.events))

    async def trim(self, partition: Partition, before: Position, max_events: int) -> int:
        return 0


@dataclass
class RecordedDelivery:
    """`DeliveryControl` that writes down what it is told. `pending`: what `oldest_pending` answers."""

    told: list[tuple[str, SubscriptionId]] = field(default_factory=list)
    pending: Position | None = None

    def opened(self, subscriber: Subscriber) -> None:
        self.told.append(("opened", subscriber.id))

    def released(self, subscription: SubscriptionId) -> None:
        self.told.append(("released", subscription))

    def restored(self, subscriber: Subscriber) -> None:
        self.told.append(("restored", subscriber.id))

    def refiltered(self, subscription: SubscriptionId) -> None:
        self.told.append(("refiltered", subscription))

    def closed(self, subscription: SubscriptionId) -> None:
        self.told.append(("closed", subscription))

    def reactivate(self, subscription: SubscriptionId) -> None:
        self.told.append(("reactivate", subscription))

    def oldest_pending(self, subscription: SubscriptionId) -> Position | None:
        return self.pending


@dataclass
class ScriptedValidation:
    """`AddressValidation` that agrees, or raises `refusal`; `gate` makes it wait. Remembers whom it called."""

    called: list[tuple[str, str | None]] = field(default_factory=list)
    refusal: InvalidRequest | None = None
    gate: asyncio.Event | None = None

    async def __call__(self, address: str, verification_token: str | None) -> None:
        self.called.append((address, verification_token))
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
