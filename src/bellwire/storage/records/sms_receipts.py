"""What carriers report of messages that they took, within a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from bellwire.model.sms import DeliveryReceipt, MessageStatus
from bellwire.model.sms_records import Message
from bellwire.sms.events import SmsEvent, message_event
from bellwire.storage.records.prepared import OfKeys, Prepared, micros
from bellwire.storage.records.sms_rows import WHOLE_MESSAGE, finally_, opt_out_by_codes, raw_message, whole_message
from bellwire.storage.records.sms_tables import (
    batch,
    carrier_message,
    inbound_key,
    message,
    unmatched_receipt,
)

NO_REPORT = "SMS-CAR-104"

_SET_FINAL = Prepared(
    update(message)
    .where(message.c.id == bindparam("the_id"))
    .values(status=bindparam("the_status"), error_code=bindparam("the_error"), modified_at=bindparam("the_time")),
    ["the_status", "the_error", "the_time", "the_id"],
)
_FORGET_MESSAGES = OfKeys(lambda keys: delete(carrier_message).where(carrier_message.c.message_id.in_(keys)))
_FORGET_CARRIER_IDS = OfKeys(lambda keys: delete(carrier_message).where(carrier_message.c.carrier_id.in_(keys)))
_MESSAGES_OF = OfKeys(
    lambda keys: (
        select(*WHOLE_MESSAGE, carrier_message.c.carrier_id)
        .select_from(carrier_message.join(message).outerjoin(batch, message.c.batch_key == batch.c.key))
        .where(carrier_message.c.carrier_id.in_(keys))
    )
)
_PARTS_OPEN = OfKeys(
    lambda keys: (
        select(carrier_message.c.message_id, func.count())
        .where(carrier_message.c.message_id.in_(keys))
        .group_by(carrier_message.c.message_id)
    )
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
        finals[id_] = finally_(found, receipt.status, receipt.error_code, at)
    if early:
        connection.execute(insert(unmatched_receipt), [_early_row(receipt, at) for receipt in early])
    _FORGET_CARRIER_IDS.run(connection, list(reported))
    _make_final(connection, say, finals, at)


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
    failed = [finally_(one, MessageStatus.DELIVERY_FAILED, NO_REPORT, at) for one in found]
    _make_final(connection, say, {int(one.id): one for one in failed}, at)
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
    rows = _MESSAGES_OF.rows(connection, list(carrier_ids))
    return {row[-1]: raw_message(row) for row in rows}


def _parts_open(connection: Connection, ids: set[int]) -> dict[int, int]:
    """Of each message: parts that were not reported as delivered yet."""
    return {id_: count for id_, count in _PARTS_OPEN.rows(connection, list(ids))}  # noqa: C416 - rows are not pairs


def _make_final(connection: Connection, say: list[SmsEvent], finals: dict[int, Message], at: datetime) -> None:
    if not finals:
        return
    time = micros(at)
    _FORGET_MESSAGES.run(connection, list(finals))
    _SET_FINAL.many(connection, [(one.status.value, one.error_code, time, id_) for id_, one in finals.items()])
    say += [message_event(one) for one in finals.values()]
    opt_out_by_codes(connection, say, [(one, one.error_code) for one in finals.values()], at)


def _early_row(receipt: DeliveryReceipt, at: datetime) -> dict[str, object]:
    return {
        "carrier_id": receipt.carrier_id,
        "status": receipt.status,
        "error_code": receipt.error_code,
        "received_at": at,
    }
