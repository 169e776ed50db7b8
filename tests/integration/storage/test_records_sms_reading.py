"""Reading High Volume SMS and consents from a real `records.db`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from bellwire.model.directory import Account
from bellwire.model.sms import MessageId
from bellwire.model.sms_records import Batch, Consent, ConsentChange, Message
from bellwire.storage.records import RecordsStores, open_records
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_tables import batch, consent, consent_history, message
from tests.conformance.consents_reading import ConsentReadingContract
from tests.conformance.sms_reading import ACCOUNT, HELLO, OTHERS, SharedText, SmsReadingContract
from tests.conformance.subscription_store import StoppedClock


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path / "data", StoppedClock())
    for account in (ACCOUNT, OTHERS):
        await stores.directory.save_account(Account(id=account, company_name="Acme"))
    yield stores
    await stores.close()


class SqlShelf:
    def __init__(self, stores: RecordsStores) -> None:
        self._records = stores.records
        self.reading = SqlSmsReading(stores.records)

    async def put_batch(self, record: Batch, *, accepted: bool = True, shared: SharedText = HELLO) -> None:
        row = asdict(record) | asdict(shared) | {"accepted": accepted}
        await self._records.write(lambda connection: connection.execute(insert(batch).values(row)) and None)

    async def put_messages(self, *messages: Message) -> list[MessageId]:
        return await self._records.write(lambda connection: [_put(connection, one) for one in messages])


def _put(connection: Connection, record: Message) -> MessageId:
    row: dict[str, Any] = asdict(record)
    del row["id"]
    of = row.pop("batch_id")
    key = None if of is None else connection.execute(select(batch.c.key).where(batch.c.id == of)).scalar_one()
    stored = connection.execute(insert(message).values(row | {"batch_key": key}))
    assert stored.inserted_primary_key is not None
    return MessageId(str(stored.inserted_primary_key[0]))


class SqlConsentShelf:
    def __init__(self, stores: RecordsStores) -> None:
        self._records = stores.records
        self.reading = SqlConsentReading(stores.records)

    async def put(self, *records: Consent | ConsentChange) -> None:
        def store(connection: Connection) -> None:
            for record in records:
                table = consent if isinstance(record, Consent) else consent_history
                connection.execute(insert(table).values(asdict(record)))

        await self._records.write(store)


class TestSqlSmsReading(SmsReadingContract):
    @pytest.fixture
    def shelf(self, opened: RecordsStores) -> SqlShelf:
        return SqlShelf(opened)


class TestSqlConsentReading(ConsentReadingContract):
    @pytest.fixture
    def shelf(self, opened: RecordsStores) -> SqlConsentShelf:
        return SqlConsentShelf(opened)
