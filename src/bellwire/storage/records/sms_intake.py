"""Taking batches in: rows of a batch that is not accepted yet are there, and nobody sees them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, delete, insert, select, update

from bellwire.model.sms import BatchStatus, MessageDirection, MessageStatus
from bellwire.model.sms_records import Batch
from bellwire.ports.sms_store import BatchKey, NewMessage
from bellwire.sms.events import SmsEvent, batch_event
from bellwire.storage.records.database import Records
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.prepared import Prepared, Values, micros
from bellwire.storage.records.rows import columns
from bellwire.storage.records.sms_tables import batch as batches
from bellwire.storage.records.sms_tables import message as messages

STEP = 5_000
"""Rows that one transaction changes at most: others have their turn after some fifty milliseconds."""

_COLUMNS = (
    "account_id",
    "batch_key",
    "sender",
    "recipient",
    "text",
    "direction",
    "status",
    "segments",
    "created_at",
    "modified_at",
)
_ADD = Prepared(insert(messages), _COLUMNS)


class SqlBatchIntake:
    """`BatchIntake` over the records database."""

    def __init__(self, records: Records, outbox: SqlOutbox) -> None:
        self._records = records
        self._outbox = outbox

    async def begin(self, batch: Batch) -> BatchKey:
        row = {**columns(batch), "accepted": False, "text": None, "segments": None}

        def transaction(connection: Connection) -> BatchKey:
            key = connection.execute(insert(batches).values(row)).inserted_primary_key
            return BatchKey(key[0])  # type: ignore[index]  # an insert has one

        return await self._records.write(transaction)

    async def add(self, key: BatchKey, batch: Batch, new: Sequence[NewMessage]) -> None:
        fixed = (batch.account_id, key, batch.sender)
        created = micros(batch.created_at)
        tail = (MessageDirection.OUTBOUND.value, MessageStatus.QUEUED.value)
        rows: list[Values] = [(*fixed, one.recipient, one.text, *tail, one.segments, created, created) for one in new]
        await self._records.write(lambda connection: _ADD.many(connection, rows))

    async def name_sender(self, key: BatchKey, sender: str) -> None:
        last: int | None = 0
        while last is not None:
            last = await self._records.write(partial(_name_sender, key=key, sender=sender, after=last))

    async def accept(self, key: BatchKey, batch: Batch, *, text: str | None, segments: int | None) -> None:
        row = {**columns(batch), "accepted": True, "text": text, "segments": segments}

        def change(connection: Connection, say: list[SmsEvent]) -> None:
            connection.execute(update(batches).where(batches.c.key == key).values(row))
            say.append(batch_event(batch))

        await self._outbox.write(change)

    async def discard(self, key: BatchKey) -> None:
        while await self._records.write(lambda connection: discard_step(connection, key, STEP)):
            pass

    async def discard_leftovers(self) -> int:
        left = await self._records.read(_leftovers)
        for key in left:
            await self.discard(key)
        return len(left)


def _name_sender(connection: Connection, *, key: BatchKey, sender: str, after: int) -> int | None:
    """Returns the last id of the step; None when none was left."""
    step = (
        select(messages.c.id)
        .where(messages.c.batch_key == key, messages.c.id > after)
        .order_by(messages.c.id)
        .limit(STEP)
    )
    ids = connection.execute(step).scalars().all()
    if not ids:
        return None
    connection.execute(
        update(messages)
        .where(messages.c.batch_key == key, messages.c.id.between(ids[0], ids[-1]))
        .values(sender=sender)
    )
    return int(ids[-1])


def discard_step(connection: Connection, key: BatchKey, limit: int) -> bool:
    """Delete so many messages of a batch, and in the end itself; returns whether there is more to do. What was accepted
    is left as it is: it is there for everybody."""
    if connection.execute(select(batches.c.accepted).where(batches.c.key == key)).scalar():
        return False
    ids = select(messages.c.id).where(messages.c.batch_key == key).limit(limit)
    if connection.execute(delete(messages).where(messages.c.id.in_(ids))).rowcount:
        return True
    connection.execute(delete(batches).where(batches.c.key == key))
    return False


def _leftovers(connection: Connection) -> list[BatchKey]:
    statement = select(batches.c.key).where(batches.c.status == BatchStatus.PROCESSING, ~batches.c.accepted)
    return [BatchKey(key) for key in connection.execute(statement).scalars()]
