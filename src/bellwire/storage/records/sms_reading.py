"""High Volume SMS as clients read it: lists by their cursors, single records, counts by status.

A batch that is not accepted is not there yet, nor are its messages. What a message shares with its batch (text,
segments) is the batch's. Each list follows an index (`sms_tables.py`), so that a page costs what it has in it: messages
of one batch go by id, which is the order of `(created_at, id)` too, since they were all created with it; messages of
some numbers are the merged beginnings of one list for each number and side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    false,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union,
)

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.slices import Slice
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery, Placed, StatusCount
from bellwire.storage.records.database import Records
from bellwire.storage.records.sms_tables import batch, message
from bellwire.storage.records.tables import Instant

T = TypeVar("T")
_Condition = ColumnElement[bool]
_Ordering = tuple[ColumnElement[Any], ...]

_LARGEST_ID = (1 << 63) - 1
_WITH_BATCH = message.outerjoin(batch, message.c.batch_key == batch.c.key)
_IS_VISIBLE = or_(message.c.batch_key.is_(None), batch.c.accepted)


class SqlSmsReading:
    """`SmsReading` over the records database."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def batches(self, account: AccountId, query: BatchQuery, part: Slice[Cursor]) -> list[Placed[Batch]]:
        return await self._records.read(lambda connection: _batches(connection, account, query, part))

    async def batch(self, account: AccountId, batch: BatchId) -> Batch | None:
        return await self._records.read(lambda connection: _batch(connection, account, batch))

    async def messages(
        self, account: AccountId, query: MessageQuery, part: Slice[Cursor], *, with_text: bool
    ) -> list[Placed[Message]]:
        return await self._records.read(lambda connection: _messages(connection, account, query, part, with_text))

    async def message(self, account: AccountId, message: MessageId) -> Message | None:
        return await self._records.read(lambda connection: _message(connection, account, message))

    async def statuses(self, account: AccountId, query: MessageQuery) -> Mapping[MessageStatus, StatusCount]:
        return await self._records.read(lambda connection: _statuses(connection, account, query))


def ordered(statement: Select[Any], ordering: _Ordering, part: Slice[Any]) -> Select[Any]:
    """The statement's rows from the slice's start on, in its direction."""
    directed = (column.desc() for column in ordering) if part.backward else ordering
    return statement.order_by(*directed).limit(part.limit)


def ascending(records: list[T], part: Slice[Any]) -> list[T]:
    """What was read in the slice's direction, in the list's order."""
    return records[::-1] if part.backward else records


def _batches(connection: Connection, account: AccountId, query: BatchQuery, part: Slice[Cursor]) -> list[Placed[Batch]]:
    ordering = (batch.c.created_at, batch.c.key)
    statement = select(batch).where(
        batch.c.account_id == account,
        batch.c.accepted,
        *_within(batch.c.created_at, query.since, query.until),
        *_beyond(ordering, part),
    )
    if query.sender is not None:
        statement = statement.where(batch.c.sender == query.sender)
    if query.statuses is not None:
        statement = statement.where(batch.c.status.in_(query.statuses))
    rows = connection.execute(ordered(statement, ordering, part)).mappings()
    return ascending([Placed(_batch_from(row), Cursor(row["created_at"], row["key"])) for row in rows], part)


def _batch(connection: Connection, account: AccountId, batch_id: BatchId) -> Batch | None:
    statement = select(batch).where(batch.c.id == batch_id, batch.c.account_id == account, batch.c.accepted)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _batch_from(row)


def _batch_from(row: RowMapping) -> Batch:
    return Batch(
        id=BatchId(row["id"]),
        account_id=AccountId(row["account_id"]),
        sender=row["sender"],
        size=row["size"],
        processed=row["processed"],
        status=row["status"],
        cost_micros=row["cost_micros"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )


def _messages(
    connection: Connection, account: AccountId, query: MessageQuery, part: Slice[Cursor], with_text: bool
) -> list[Placed[Message]]:
    ordering: _Ordering = (message.c.created_at, message.c.id)
    if query.batch is not None:
        ordering = (message.c.id,)
    conditions = _conditions(connection, account, query)
    if query.numbers and query.batch is None:
        lists = [
            ordered(
                select(message.c.id)
                .select_from(_WITH_BATCH)
                .where(side == number, *conditions, *_beyond(ordering, part)),
                ordering,
                part,
            ).subquery()
            for number in query.numbers
            for side in (message.c.sender, message.c.recipient)
        ]
        merged = union(*(select(one.c.id) for one in lists)).subquery()
        statement = _message_columns(with_text).where(message.c.id.in_(select(merged.c.id)))
    else:
        statement = _message_columns(with_text).where(*conditions, *_beyond(ordering, part))
        if query.numbers:
            statement = statement.where(_has_any(query.numbers))
    rows = connection.execute(ordered(statement, ordering, part)).mappings()
    return ascending([Placed(_message_from(row), Cursor(row["created_at"], row["id"])) for row in rows], part)


def _message(connection: Connection, account: AccountId, message_id: MessageId) -> Message | None:
    if not (message_id.isascii() and message_id.isdigit()) or int(message_id) > _LARGEST_ID:
        return None
    statement = _message_columns(with_text=True).where(
        message.c.id == int(message_id), message.c.account_id == account, _IS_VISIBLE
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _message_from(row)


def _statuses(connection: Connection, account: AccountId, query: MessageQuery) -> dict[MessageStatus, StatusCount]:
    statement = (
        select(message.c.status, message.c.error_code, func.count(), func.coalesce(func.sum(message.c.cost_micros), 0))
        .select_from(_WITH_BATCH)
        .where(*_conditions(connection, account, query))
        .group_by(message.c.status, message.c.error_code)
    )
    if query.numbers:
        statement = statement.where(_has_any(query.numbers))
    counts: dict[MessageStatus, StatusCount] = {}
    for status, code, count, cost in connection.execute(statement):
        known = counts.get(status, StatusCount())
        codes = dict(known.error_codes)
        if code is not None:
            codes[code] = codes.get(code, 0) + count
        counts[status] = StatusCount(known.count + count, known.cost_micros + int(cost), codes)
    return counts


def _conditions(connection: Connection, account: AccountId, query: MessageQuery) -> list[_Condition]:
    """What a message has to be, but for its numbers."""
    conditions = [message.c.account_id == account, *_within(message.c.created_at, query.since, query.until)]
    if query.directions is not None:
        conditions.append(message.c.direction.in_(query.directions))
    if query.batch is None:
        return [*conditions, _IS_VISIBLE]
    key = connection.execute(
        select(batch.c.key).where(batch.c.id == query.batch, batch.c.account_id == account, batch.c.accepted)
    ).scalar_one_or_none()
    return [*conditions, message.c.batch_key == key] if key is not None else [false()]


def _has_any(numbers: tuple[str, ...]) -> _Condition:
    return or_(message.c.sender.in_(numbers), message.c.recipient.in_(numbers))


def _message_columns(with_text: bool) -> Select[Any]:
    text = func.coalesce(message.c.text, batch.c.text) if with_text else null()
    return select(
        message.c.id,
        message.c.account_id,
        batch.c.id.label("batch_id"),
        message.c.sender,
        message.c.recipient,
        text.label("text"),
        message.c.direction,
        message.c.status,
        func.coalesce(message.c.segments, batch.c.segments).label("segments"),
        message.c.cost_micros,
        message.c.error_code,
        message.c.created_at,
        message.c.modified_at,
    ).select_from(_WITH_BATCH)


def _message_from(row: RowMapping) -> Message:
    never_sent = row["cost_micros"] is None and row["status"] is MessageStatus.SENDING_FAILED
    return Message(
        id=MessageId(str(row["id"])),
        account_id=AccountId(row["account_id"]),
        batch_id=None if row["batch_id"] is None else BatchId(row["batch_id"]),
        sender=row["sender"],
        recipient=row["recipient"],
        text=row["text"],
        direction=row["direction"],
        status=row["status"],
        segments=None if never_sent else row["segments"],
        cost_micros=row["cost_micros"],
        error_code=row["error_code"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )


def _within(column: ColumnElement[Any], since: datetime | None, until: datetime | None) -> list[_Condition]:
    bounds = [] if since is None else [column >= since]
    return bounds if until is None else [*bounds, column <= until]


def _beyond(ordering: _Ordering, part: Slice[Cursor]) -> list[_Condition]:
    """Past the slice's start, in its direction."""
    if part.start is None:
        return []
    if len(ordering) == 1:
        (column,) = ordering
        return [column < part.start.serial if part.backward else column > part.start.serial]
    place = tuple_(*ordering)
    start = tuple_(literal(part.start.created_at, Instant()), literal(part.start.serial))
    bound = ordering[0] <= part.start.created_at if part.backward else ordering[0] >= part.start.created_at
    return [and_(bound, place < start if part.backward else place > start)]
