"""Statements that bypass SQLAlchemy's own way to the driver find what they would have found by it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, delete, insert, select

from bellwire.sms.events import batch_event
from bellwire.storage.records import RecordsStores, open_records
from bellwire.storage.records.prepared import OfKeys, Prepared, micros, moment
from bellwire.storage.records.sms_tables import inbound_key
from tests.conformance.sms_stores import NOW, a_batch
from tests.doubles.stepped_clock import SteppedClock

_PUT = Prepared(insert(inbound_key), ["carrier_key", "received_at"])
_GET = Prepared(
    select(inbound_key).where(inbound_key.c.carrier_key == bindparam("the_key")),
    ["the_key"],
)
_FOUND = OfKeys(lambda keys: select(inbound_key.c.carrier_key).where(inbound_key.c.carrier_key.in_(keys)))
_FORGET = OfKeys(lambda keys: delete(inbound_key).where(inbound_key.c.carrier_key.in_(keys)))


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path, SteppedClock())
    yield stores
    await stores.close()


async def test_what_was_put_in_is_found_as_it_was(records: RecordsStores) -> None:
    await records.records.write(lambda connection: _PUT.many(connection, [("k", micros(NOW))]))
    ((key, at),) = await records.records.read(lambda connection: _GET.rows(connection, "k"))
    assert (key, moment(at)) == ("k", NOW)


async def test_any_number_of_keys_is_looked_for(records: RecordsStores) -> None:
    everything = [f"k-{count}" for count in range(120)]
    for number in (0, 1, 15, 16, 17, 100):
        await records.records.write(lambda connection: _FORGET.run(connection, everything))
        await records.records.write(lambda connection: _PUT.many(connection, [(key, 0) for key in everything]))
        keys = everything[:number]
        found = await records.records.read(lambda connection: _FOUND.rows(connection, keys))  # noqa: B023 - awaited
        assert sorted(key for (key,) in found) == sorted(keys)
        await records.records.write(lambda connection: _FORGET.run(connection, keys))  # noqa: B023
        left = await records.records.read(lambda connection: _FOUND.rows(connection, everything))
        assert len(left) == 120 - number


async def test_values_in_another_order_than_the_statement_takes_them_are_refused(records: RecordsStores) -> None:
    swapped = Prepared(insert(inbound_key), ["received_at", "carrier_key"])
    with pytest.raises(AssertionError, match="values come as"):
        await records.records.write(lambda connection: swapped.many(connection, [(0, "k")]))


def test_names_of_events_are_version_5_uuids() -> None:
    namespace = uuid.UUID("7a3c2f0e-1d44-5b7e-9a65-3f0f6f2b8d11")
    assert batch_event(a_batch()).uuid == str(uuid.uuid5(namespace, "batch b-1 Processing 0"))
