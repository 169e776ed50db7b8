"""Subscriptions with their filter versions, and tombstones of those that expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, literal_column, select

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionApi
from bellwire.ports.clock import Clock
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records
from bellwire.storage.records.prepared import Prepared
from bellwire.storage.records.rows import columns, put, subscription_from, subscription_row

TOMBSTONE_LIFE = timedelta(hours=24)
"""How long a read says "expired" rather than "not found" (wire contract, 3.4)."""

PAGE = 2_000
"""Subscriptions read at a time, at a start."""

_subscription, _version = tables.subscription.c, tables.filter_version.c
_PAGE = Prepared(
    select(tables.subscription)
    .where(_subscription.id > bindparam("last"))
    .order_by(_subscription.id)
    .limit(bindparam("most"))
    .offset(literal_column("0")),
    ("last", "most"),
)
_VERSIONS = Prepared(
    select(tables.filter_version)
    .where(_version.subscription_id > bindparam("last"), _version.subscription_id <= bindparam("until"))
    .order_by(_version.subscription_id, _version.version),
    ("last", "until"),
)
"""Two queries side by side rather than a join, which would repeat each subscription for each of its versions."""

_read_filters = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlSubscriptionStore:
    """`SubscriptionStore` over the records database."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def pages(self) -> AsyncIterator[list[Subscription]]:
        last = ""
        while page := await self._records.read(partial(_page_after, last=last)):
            last = page[-1].id
            yield page

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


def _page_after(connection: Connection, last: str) -> list[Subscription]:
    """The subscriptions whose ids follow, a page of them."""
    rows = _PAGE.rows(connection, last, PAGE)
    if not rows:
        return []
    versions: dict[str, tuple[FilterVersion, ...]] = {}
    for subscription, version, filters, from_position, until_position in _VERSIONS.rows(connection, last, rows[-1][0]):
        one = FilterVersion(
            version=version,
            filters=_read_filters(filters),
            from_position=from_position,
            until_position=until_position,
        )
        versions[subscription] = (*versions.get(subscription, ()), one)
    return [subscription_from(row, versions[row[0]]) for row in rows]


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
