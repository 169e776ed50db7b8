"""Old batches, messages and changes of consents are looked for by readers and deleted in small transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Table, and_, delete, exists, or_, select, update

from bellwire.model.sms import BatchStatus, MessageId, MessageStatus
from bellwire.ports.sms_store import BatchKey
from bellwire.storage.records.database import Records
from bellwire.storage.records.sms_intake import discard_step
from bellwire.storage.records.sms_tables import batch, carrier_message, consent_history, message


class SqlSmsRetention:
    """`SmsRetention` over the records database."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def over_batch(self, *, before: datetime) -> BatchKey | None:
        awaited = exists().where(carrier_message.c.message_id == message.c.id, message.c.batch_key == batch.c.key)
        is_half_forgotten = ~batch.c.accepted
        statement = (
            select(batch.c.key)
            .where(
                batch.c.status == BatchStatus.COMPLETED,
                or_(is_half_forgotten, and_(batch.c.modified_at < before, ~awaited)),
            )
            .order_by(batch.c.key)
            .limit(1)
        )
        key = await self._records.read(lambda connection: connection.execute(statement).scalar())
        return None if key is None else BatchKey(key)

    async def forget_batch(self, key: BatchKey, *, limit: int) -> bool:
        def step(connection: Connection) -> bool:
            connection.execute(update(batch).where(batch.c.key == key, batch.c.accepted).values(accepted=False))
            return discard_step(connection, key, limit)

        return await self._records.write(step)

    async def forget_single(self, *, before: datetime, after: MessageId | None, limit: int) -> MessageId | None:
        is_over = and_(
            message.c.created_at < before,
            message.c.status != MessageStatus.QUEUED,
            ~exists().where(carrier_message.c.message_id == message.c.id),
        )
        looked_at = (
            select(message.c.id, message.c.created_at, is_over.label("is_over"))
            .where(message.c.batch_key.is_(None), message.c.id > int(after or 0))
            .order_by(message.c.id)
            .limit(limit)
        )
        rows = await self._records.read(lambda connection: connection.execute(looked_at).all())
        await self._delete(message, rows)
        return MessageId(str(rows[-1].id)) if _goes_on(rows, before) else None

    async def forget_changes(self, *, before: datetime, after: int, limit: int) -> int | None:
        later = consent_history.alias("later")
        is_over = and_(
            consent_history.c.created_at < before,
            exists().where(
                later.c.account_id == consent_history.c.account_id,
                later.c.recipient == consent_history.c.recipient,
                later.c.sender == consent_history.c.sender,
                later.c.id > consent_history.c.id,
            ),
        )
        looked_at = (
            select(consent_history.c.id, consent_history.c.created_at, is_over.label("is_over"))
            .where(consent_history.c.id > after)
            .order_by(consent_history.c.id)
            .limit(limit)
        )
        rows = await self._records.read(lambda connection: connection.execute(looked_at).all())
        await self._delete(consent_history, rows)
        return int(rows[-1].id) if _goes_on(rows, before) else None

    async def _delete(self, table: Table, rows: Sequence[Row[tuple[int, datetime, bool]]]) -> None:
        over = [row.id for row in rows if row.is_over]
        if over:
            statement = delete(table).where(table.c.id.in_(over))
            await self._records.write(lambda connection: connection.execute(statement).rowcount)


def _goes_on(rows: Sequence[Row[tuple[int, datetime, bool]]], before: datetime) -> bool:
    """Ids ascend in the order of insertion: after one that is not old there is none that is."""
    return bool(rows) and rows[-1].created_at < before
