"""Subscriptions with their filter versions, and tombstones of those that expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, delete, insert, select

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionApi
from bellwire.ports.clock import Clock
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records
from bellwire.storage.records.rows import columns, put, subscription_from, subscription_row

TOMBSTONE_LIFE = timedelta(hours=24)
"""How long a read says "expired" rather than "not found" (wire contract, 3.4)."""


class SqlSubscriptionStore:
    """`SubscriptionStore` over the records database."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def all(self) -> list[Subscription]:
        return await self._records.read(_read_all)

    async def save(self, subscription: Subscription) -> None:
        await self._records.write(lambda connection: _save(connection, subscription))

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        await self._records.write(lambda connection: _remove(connection, subscription, expired_at))

    async def expired_at(self, subscription: SubscriptionId, api: SubscriptionApi) -> datetime | None:
        tombstone = tables.tombstone.c
        statement = select(tombstone.expired_at).where(
            tombstone.subscription_id == subscription,
            tombstone.api == api,
            tombstone.expired_at > self._clock.now() - TOMBSTONE_LIFE,
        )
        return await self._records.read(lambda connection: connection.execute(statement).scalar())

    async def forget_tombstones(self, before: datetime) -> int:
        statement = delete(tables.tombstone).where(tables.tombstone.c.expired_at < before)
        return await self._records.write(lambda connection: connection.execute(statement).rowcount)


def _read_all(connection: Connection) -> list[Subscription]:
    """Two queries side by side rather than a join, which would repeat each subscription for each of its versions."""
    version = tables.filter_version
    rows = connection.execute(select(version).order_by(version.c.subscription_id, version.c.version))
    versions = {
        subscription: tuple(FilterVersion(**dict(zip(_VERSION_FIELDS, row[1:], strict=True))) for row in group)
        for subscription, group in groupby(rows, itemgetter(0))
    }
    statement = select(tables.subscription).order_by(tables.subscription.c.created_at, tables.subscription.c.id)
    return [subscription_from(row, versions[row["id"]]) for row in connection.execute(statement).mappings()]


_VERSION_FIELDS = tuple(column.name for column in tables.filter_version.c)[1:]


def _save(connection: Connection, subscription: Subscription) -> None:
    version = tables.filter_version
    put(connection, tables.subscription, subscription_row(subscription))
    connection.execute(delete(version).where(version.c.subscription_id == subscription.id))
    connection.execute(
        insert(version), [{"subscription_id": subscription.id, **columns(one)} for one in subscription.versions]
    )


def _remove(connection: Connection, subscription: SubscriptionId, expired_at: datetime | None) -> None:
    row = tables.subscription
    api = connection.execute(select(row.c.api).where(row.c.id == subscription)).scalar()
    connection.execute(delete(row).where(row.c.id == subscription))
    if api is not None and expired_at is not None:
        stone = {"subscription_id": subscription, "api": api, "expired_at": expired_at}
        put(connection, tables.tombstone, stone)
