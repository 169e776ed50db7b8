"""Where subscriptions are kept. The engine holds all of them in memory too; this is what a restart reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi


class SubscriptionStore(Protocol):
    def pages(self) -> AsyncIterator[list[Subscription]]:
        """All, some at a time and in no order; a page that was taken is not held any more. Nobody writes meanwhile."""
        ...

    async def save(self, subscription: Subscription) -> None:
        """Create or replace, versions included; durable on return."""
        ...

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        """Delete. With `expired_at` a tombstone stays, so that reads can say that it expired (SUB-507)."""
        ...

    async def expired_at(self, subscription: SubscriptionId, api: SubscriptionApi) -> datetime | None:
        """When it expired, if a tombstone is there; tombstones older than 24 hours are not."""
        ...

    async def forget_tombstones(self, before: datetime) -> int: ...
