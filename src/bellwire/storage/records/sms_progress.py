"""Messages from the queue to their final state. Each change, its batch's counts and its events are one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, case, delete, insert, select, update

from bellwire.model.sms import (
    BatchStatus,
    DeliveryReceipt,
    MessageId,
    MessageStatus,
    OutgoingText,
)
from bellwire.ports.sms_progress import Processed, QueuedMessage, Received, Stored, Waiting
from bellwire.ports.sms_store import BatchKey
from bellwire.sms.events import SmsEvent, batch_event, message_event
from bellwire.storage.records.database import Records
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.prepared import OfKeys, Prepared, Values, micros
from bellwire.storage.records.sms_receipts import apply_receipts, expire, forget_reports
from bellwire.storage.records.sms_receiving import receive
from bellwire.storage.records.sms_rows import (
    BATCH_FIELDS,
    TEXT,
    TO_SEND,
    batch_record,
    opt_out_by_codes,
    queued_message,
    sent_message,
    still_queued,
)
from bellwire.storage.records.sms_tables import (
    batch,
    carrier_message,
    consent,
    message,
    queued_reply,
    submission,
    unmatched_receipt,
)


class SqlSmsProgress:
    """`SmsProgress` over the records database."""

    def __init__(self, records: Records, outbox: SqlOutbox) -> None:
        self._records = records
        self._outbox = outbox

    async def waiting(self) -> list[Waiting]:
        return await self._records.read(_waiting)

    async def queued(self, waiting: Waiting, *, after: MessageId | None, limit: int) -> list[QueuedMessage]:
        statement = _queued(waiting).where(message.c.id > int(after or 0)).order_by(message.c.id).limit(limit)
        return await self._records.read(
            lambda connection: [queued_message(row) for row in connection.execute(statement)]
        )

    async def queued_again(self, messages: Sequence[MessageId]) -> list[QueuedMessage]:
        statement = _to_send().where(message.c.id.in_([int(one) for one in messages])).order_by(message.c.id)
        return await self._records.read(
            lambda connection: [replace(queued_message(row), announced=True) for row in connection.execute(statement)]
        )

    async def hand_over(self, messages: Sequence[QueuedMessage], *, in_doubt: bool) -> None:
        await self._outbox.write(lambda connection, say: _hand_over(connection, say, messages, in_doubt))

    async def take_back(self, messages: Sequence[MessageId]) -> None:
        statement = delete(submission).where(submission.c.message_id.in_([int(one) for one in messages]))
        await self._records.write(lambda connection: connection.execute(statement).rowcount)

    async def handed_over(self, *, limit: int) -> list[QueuedMessage]:
        statement = _to_send().join(submission, submission.c.message_id == message.c.id).limit(limit)
        return await self._records.read(
            lambda connection: [queued_message(row) for row in connection.execute(statement)]
        )

    async def record(self, processed: Sequence[Processed], at: datetime, *, announce: frozenset[BatchKey]) -> None:
        await self._outbox.write(lambda connection, say: _record(connection, say, processed, at, announce))

    async def receipts(self, receipts: Sequence[DeliveryReceipt], at: datetime) -> None:
        await self._outbox.write(lambda connection, say: apply_receipts(connection, say, receipts, at))

    async def on_their_way(self, *, after: MessageId | None, limit: int) -> list[OutgoingText]:
        statement = (
            select(message.c.id, message.c.sender, message.c.recipient, TEXT.label("text"))
            .distinct()
            .select_from(carrier_message.join(message).outerjoin(batch, message.c.batch_key == batch.c.key))
            .where(carrier_message.c.message_id > int(after or 0))
            .order_by(message.c.id)
            .limit(limit)
        )

        def read(connection: Connection) -> list[OutgoingText]:
            return [
                OutgoingText(MessageId(str(row.id)), row.sender, row.recipient, row.text)
                for row in connection.execute(statement)
            ]

        return await self._records.read(read)

    async def receive(self, received: Sequence[Received], at: datetime) -> Stored:
        return await self._outbox.write(lambda connection, say: receive(connection, say, received, at))

    async def expire(self, *, before: datetime, at: datetime, limit: int) -> int:
        return await self._outbox.write(lambda connection, say: expire(connection, say, before, at, limit))

    async def forget_reports(self, *, before: datetime, limit: int) -> int:
        return await self._records.write(lambda connection: forget_reports(connection, before, limit))


def _waiting(connection: Connection) -> list[Waiting]:
    of_batches = (
        select(batch.c.key, batch.c.account_id, batch.c.sender, batch.c.size - batch.c.processed)
        .where(batch.c.status == BatchStatus.PROCESSING, batch.c.accepted)
        .order_by(batch.c.key)
    )
    replies: dict[tuple[str, str], int] = {}
    rows = connection.execute(
        select(message.c.account_id, message.c.sender).join(queued_reply, queued_reply.c.message_id == message.c.id)
    )
    for account, sender in rows:
        replies[account, sender] = replies.get((account, sender), 0) + 1
    return [Waiting(*row) for row in connection.execute(of_batches)] + [
        Waiting(None, account, sender, count)  # type: ignore[arg-type]  # ids are strings
        for (account, sender), count in replies.items()
    ]


def _to_send() -> Select[tuple[object, ...]]:
    pair = (
        (consent.c.account_id == message.c.account_id)
        & (consent.c.sender == message.c.sender)
        & (consent.c.recipient == message.c.recipient)
    )
    joined = message.outerjoin(batch, message.c.batch_key == batch.c.key).outerjoin(consent, pair)
    return select(*TO_SEND).select_from(joined).where(message.c.status == MessageStatus.QUEUED)


def _queued(waiting: Waiting) -> Select[tuple[object, ...]]:
    if waiting.key is not None:
        return _to_send().where(message.c.batch_key == waiting.key)
    return (
        _to_send()
        .join(queued_reply, queued_reply.c.message_id == message.c.id)
        .where(message.c.account_id == waiting.account_id, message.c.sender == waiting.sender)
    )


def _hand_over(connection: Connection, say: list[SmsEvent], messages: Sequence[QueuedMessage], in_doubt: bool) -> None:
    say += [message_event(still_queued(one)) for one in messages if not one.announced]
    ids = [int(one.id) for one in messages if not one.opted_out]
    if in_doubt and ids:
        there = select(message.c.id).where(message.c.id.in_(ids))  # not those that went with their account meanwhile
        connection.execute(insert(submission).from_select(["message_id"], there))


_STATUS_OF = OfKeys(lambda keys: select(message.c.id, message.c.status).where(message.c.id.in_(keys)))
_FORGET_SUBMISSIONS = OfKeys(lambda keys: delete(submission).where(submission.c.message_id.in_(keys)))
_FORGET_CARRIER_IDS = OfKeys(lambda keys: delete(carrier_message).where(carrier_message.c.carrier_id.in_(keys)))
_EXPECT = Prepared(insert(carrier_message), ["carrier_id", "message_id"])
_EARLY = OfKeys(lambda keys: select(unmatched_receipt.c.id).where(unmatched_receipt.c.carrier_id.in_(keys)))
_SET_PROCESSED = Prepared(
    update(message)
    .where(message.c.id == bindparam("the_id"))
    .values(
        status=bindparam("the_status"),
        segments=bindparam("the_segments"),
        cost_micros=bindparam("the_cost"),
        error_code=bindparam("the_error"),
        modified_at=bindparam("the_time"),
    ),
    ["the_status", "the_segments", "the_cost", "the_error", "the_time", "the_id"],
)


def _record(
    connection: Connection,
    say: list[SmsEvent],
    processed: Sequence[Processed],
    at: datetime,
    announce: frozenset[BatchKey],
) -> None:
    ids = [int(one.message.id) for one in processed]
    queued = {id_ for id_, status in _STATUS_OF.rows(connection, ids) if status == MessageStatus.QUEUED}
    news = [one for one in processed if int(one.message.id) in queued]
    _FORGET_SUBMISSIONS.run(connection, ids)
    if not news:
        return
    _SET_PROCESSED.many(connection, _processed_rows(news, at))
    say += [message_event(sent_message(one, at)) for one in news]
    _count_replies(connection, news)
    _expect_receipts(connection, news)
    opt_out_by_codes(connection, say, [(one.message, one.error_code) for one in news], at)
    _count_in_batches(connection, say, news, at, announce)
    _catch_up(connection, say, news, at)


def _processed_rows(news: Sequence[Processed], at: datetime) -> list[Values]:
    time = micros(at)
    return [
        (
            one.status.value,
            None if one.cost_micros is None else one.message.segments,
            one.cost_micros,
            one.error_code,
            time,
            int(one.message.id),
        )
        for one in news
    ]


def _count_replies(connection: Connection, news: Sequence[Processed]) -> None:
    replies = [int(one.message.id) for one in news if one.message.batch_key is None]
    if replies:
        connection.execute(delete(queued_reply).where(queued_reply.c.message_id.in_(replies)))


def _expect_receipts(connection: Connection, news: Sequence[Processed]) -> None:
    """A carrier that uses an id anew means its newest message."""
    rows = {key: int(one.message.id) for one in news for key in one.carrier_ids}
    _FORGET_CARRIER_IDS.run(connection, list(rows))
    _EXPECT.many(connection, list(rows.items()))


def _count_in_batches(
    connection: Connection,
    say: list[SmsEvent],
    news: Sequence[Processed],
    at: datetime,
    announce: frozenset[BatchKey],
) -> None:
    counts: dict[BatchKey, tuple[int, int]] = {}
    for one in news:
        key = one.message.batch_key
        if key is not None:
            count, cost = counts.get(key, (0, 0))
            counts[key] = count + 1, cost + (one.cost_micros or 0)
    for key, (count, cost) in counts.items():
        done = batch.c.processed + count
        connection.execute(
            update(batch)
            .where(batch.c.key == key)
            .values(
                processed=done,
                cost_micros=batch.c.cost_micros + cost,
                modified_at=at,
                status=case((done >= batch.c.size, BatchStatus.COMPLETED.value), else_=BatchStatus.PROCESSING.value),
            )
        )
        row = connection.execute(select(*BATCH_FIELDS).where(batch.c.key == key)).one()
        record = batch_record(row)
        if key in announce or record.status is BatchStatus.COMPLETED:
            say.append(batch_event(record))


def _catch_up(connection: Connection, say: list[SmsEvent], news: Sequence[Processed], at: datetime) -> None:
    """Apply the receipts that came before their messages' carrier ids were known."""
    keys = [key for one in news for key in one.carrier_ids]
    found = [id_ for (id_,) in _EARLY.rows(connection, keys)]
    if not found:
        return
    early = connection.execute(
        select(unmatched_receipt).where(unmatched_receipt.c.id.in_(found)).order_by(unmatched_receipt.c.id)
    ).all()
    connection.execute(delete(unmatched_receipt).where(unmatched_receipt.c.id.in_(found)))
    receipts = [DeliveryReceipt(row.carrier_id, row.status, row.error_code) for row in early]
    apply_receipts(connection, say, receipts, at)
