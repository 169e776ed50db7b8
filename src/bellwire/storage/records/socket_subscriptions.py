"""A `SubscriptionStore` that does not keep WebSocket subscriptions: they end with the process, as their sessions do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi, TransportType
from bellwire.ports.subscription_store import SubscriptionStore


class WithoutSockets:
    """Before another store, which has all the others."""

    def __init__(self, store: SubscriptionStore) -> None:
        self._store = store
        self._passed_over: set[SubscriptionId] = set()

    def pages(self) -> AsyncIterator[list[Subscription]]:
        return self._store.pages()

    async def save(self, subscription: Subscription) -> None:
        if subscription.transport is TransportType.WEB_SOCKET:
            self._passed_over.add(subscription.id)
        else:
            await self._store.save(subscription)

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        if subscription in self._passed_over:
            self._passed_over.discard(subscription)
        else:
            await self._store.remove(subscription, expired_at=expired_at)

    async def expired_at(self, subscription: SubscriptionId, api: SubscriptionApi) -> datetime | None:
        return await self._store.expired_at(subscription, api)

    async def forget_tombstones(self, before: datetime) -> int:
        return await self._store.forget_tombstones(before)
