"""Puts batches, messages and consents where a real `records.db` is read from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select

from bellwire.model.sms import MessageId
from bellwire.model.sms_records import Batch, Consent, ConsentChange, Message
from bellwire.storage.records import Records
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_tables import batch, consent, consent_history, message
from tests.conformance.sms_reading import HELLO, SharedText


class SqlShelf:
    def __init__(self, records: Records) -> None:
        self._records = records
        self.reading = SqlSmsReading(records)

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
    def __init__(self, records: Records) -> None:
        self._records = records
        self.reading = SqlConsentReading(records)

    async def put(self, *records: Consent | ConsentChange) -> None:
        def store(connection: Connection) -> None:
            for record in records:
                table = consent if isinstance(record, Consent) else consent_history
                connection.execute(insert(table).values(asdict(record)))

        await self._records.write(store)
