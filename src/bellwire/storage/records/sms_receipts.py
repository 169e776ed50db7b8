"""What carriers report of messages that they took, within a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from bellwire.model.sms import DeliveryReceipt, MessageStatus
from bellwire.model.sms_records import Message
from bellwire.sms.events import SmsEvent, message_event
from bellwire.storage.records.sms_rows import WHOLE_MESSAGE, opt_out_by_code, whole_message
from bellwire.storage.records.sms_tables import (
    batch,
    carrier_message,
    inbound_key,
    message,
    unmatched_receipt,
)

NO_REPORT = "SMS-CAR-104"

_SET_FINAL = (
    update(message)
    .where(message.c.id == bindparam("the_id"))
    .values(status=bindparam("the_status"), error_code=bindparam("the_error"), modified_at=bindparam("the_time"))
)


def apply_receipts(
    connection: Connection, say: list[SmsEvent], receipts: Sequence[DeliveryReceipt], at: datetime
) -> None:
    """See `SmsProgress.receipts`."""
    known = _messages_of(connection, {receipt.carrier_id for receipt in receipts})
    parts = _parts_open(connection, {int(one.id) for one in known.values()})
    finals: dict[int, Message] = {}
    reported: set[str] = set()
    early: list[DeliveryReceipt] = []
    for receipt in receipts:
        found = known.get(receipt.carrier_id)
        if found is None:
            early.append(receipt)
            continue
        id_ = int(found.id)
        if id_ in finals or receipt.status is MessageStatus.SENT or receipt.carrier_id in reported:
            continue
        if receipt.status is MessageStatus.DELIVERED:
            reported.add(receipt.carrier_id)
            parts[id_] -= 1
            if parts[id_]:
                continue
        finals[id_] = replace(found, status=receipt.status, error_code=receipt.error_code, modified_at=at)
    if early:
        connection.execute(insert(unmatched_receipt), [_early_row(receipt, at) for receipt in early])
    if reported:
        connection.execute(delete(carrier_message).where(carrier_message.c.carrier_id.in_(reported)))
    _make_final(connection, say, finals)


def expire(connection: Connection, say: list[SmsEvent], before: datetime, at: datetime, limit: int) -> int:
    """See `SmsProgress.expire`."""
    silent = (
        select(*WHOLE_MESSAGE)
        .distinct()
        .select_from(carrier_message.join(message).outerjoin(batch, message.c.batch_key == batch.c.key))
        .where(message.c.modified_at < before)
        .limit(limit)
    )
    found = [whole_message(row) for row in connection.execute(silent)]
    failed = [replace(one, status=MessageStatus.DELIVERY_FAILED, error_code=NO_REPORT, modified_at=at) for one in found]
    _make_final(connection, say, {int(one.id): one for one in failed})
    return len(failed)


def forget_reports(connection: Connection, before: datetime, limit: int) -> int:
    """See `SmsProgress.forget_reports`."""
    forgotten = 0
    for table in (unmatched_receipt, inbound_key):
        key = next(iter(table.primary_key))
        old = select(key).where(table.c.received_at < before).limit(limit)
        forgotten += connection.execute(delete(table).where(key.in_(old))).rowcount
    return forgotten


def _messages_of(connection: Connection, carrier_ids: set[str]) -> dict[str, Message]:
    rows = connection.execute(
        select(carrier_message.c.carrier_id, *WHOLE_MESSAGE)
        .select_from(carrier_message.join(message).outerjoin(batch, message.c.batch_key == batch.c.key))
        .where(carrier_message.c.carrier_id.in_(carrier_ids))
    )
    return {row.carrier_id: whole_message(row) for row in rows}


def _parts_open(connection: Connection, ids: set[int]) -> dict[int, int]:
    """Of each message: parts that were not reported as delivered yet."""
    rows = connection.execute(
        select(carrier_message.c.message_id, func.count())
        .where(carrier_message.c.message_id.in_(ids))
        .group_by(carrier_message.c.message_id)
    )
    return {id_: count for id_, count in rows}  # noqa: C416 - rows are not pairs to a type checker


def _make_final(connection: Connection, say: list[SmsEvent], finals: dict[int, Message]) -> None:
    if not finals:
        return
    connection.execute(delete(carrier_message).where(carrier_message.c.message_id.in_(finals)))
    connection.execute(
        _SET_FINAL,
        [
            {"the_id": id_, "the_status": one.status, "the_error": one.error_code, "the_time": one.modified_at}
            for id_, one in finals.items()
        ],
    )
    for one in finals.values():
        say.append(message_event(one))
        opt_out_by_code(connection, say, one, one.error_code, one.modified_at)


def _early_row(receipt: DeliveryReceipt, at: datetime) -> dict[str, object]:
    return {
        "carrier_id": receipt.carrier_id,
        "status": receipt.status,
        "error_code": receipt.error_code,
        "received_at": at,
    }
