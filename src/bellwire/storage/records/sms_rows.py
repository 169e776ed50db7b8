"""Between rows and records of High Volume SMS, for those who change messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, ConsentSource, ConsentStatus, MessageDirection, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, ConsentChange, Message
from bellwire.ports.sms_progress import Processed, QueuedMessage
from bellwire.ports.sms_store import BatchKey
from bellwire.sms.events import SmsEvent
from bellwire.storage.records.consents import change_consents
from bellwire.storage.records.prepared import moment
from bellwire.storage.records.sms_tables import batch, consent, message

TEXT: ColumnElement[str] = func.coalesce(message.c.text, batch.c.text)
SEGMENTS: ColumnElement[int] = func.coalesce(message.c.segments, batch.c.segments)

WHOLE_MESSAGE: tuple[ColumnElement[Any], ...] = (
    message.c.id,
    message.c.account_id,
    batch.c.id.label("batch_id"),
    message.c.sender,
    message.c.recipient,
    TEXT.label("text"),
    message.c.direction,
    message.c.status,
    SEGMENTS.label("segments"),
    message.c.cost_micros,
    message.c.error_code,
    message.c.created_at,
    message.c.modified_at,
)
"""The fields of `Message`, of message left-joined with its batch."""

TO_SEND: tuple[ColumnElement[Any], ...] = (
    message.c.id,
    message.c.account_id,
    message.c.batch_key,
    batch.c.id.label("batch_id"),
    message.c.sender,
    message.c.recipient,
    TEXT.label("text"),
    SEGMENTS.label("segments"),
    message.c.created_at,
    (consent.c.status == ConsentStatus.OPT_OUT).label("opted_out"),
)
"""The fields of `QueuedMessage`, of message left-joined with its batch and its pair's consent."""


def whole_message(row: Row[Any]) -> Message:
    return Message(
        id=MessageId(str(row.id)),
        account_id=AccountId(row.account_id),
        batch_id=None if row.batch_id is None else BatchId(row.batch_id),
        sender=row.sender,
        recipient=row.recipient,
        text=row.text,
        direction=row.direction,
        status=row.status,
        segments=row.segments,
        cost_micros=row.cost_micros,
        error_code=row.error_code,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )


def raw_message(row: Any) -> Message:
    """Of a row whose first columns are `WHOLE_MESSAGE`, as the driver gives it."""
    id_, account, of, sender, recipient, text, direction, status, segments, cost, code, created, modified = row[:13]
    return Message(
        id=MessageId(str(id_)),
        account_id=AccountId(account),
        batch_id=None if of is None else BatchId(of),
        sender=sender,
        recipient=recipient,
        text=text,
        direction=MessageDirection(direction),
        status=MessageStatus(status),
        segments=segments,
        cost_micros=cost,
        error_code=code,
        created_at=moment(created),
        modified_at=moment(modified),
    )


def finally_(message: Message, status: MessageStatus, error_code: str | None, at: datetime) -> Message:
    """A message as it is once it was reported on. Written out: `replace` costs four times as much."""
    return Message(
        id=message.id,
        account_id=message.account_id,
        batch_id=message.batch_id,
        sender=message.sender,
        recipient=message.recipient,
        text=message.text,
        direction=message.direction,
        status=status,
        segments=message.segments,
        cost_micros=message.cost_micros,
        error_code=error_code,
        created_at=message.created_at,
        modified_at=at,
    )


def queued_message(row: Row[Any]) -> QueuedMessage:
    return QueuedMessage(
        id=MessageId(str(row.id)),
        account_id=AccountId(row.account_id),
        batch_key=None if row.batch_key is None else BatchKey(row.batch_key),
        batch_id=None if row.batch_id is None else BatchId(row.batch_id),
        sender=row.sender,
        recipient=row.recipient,
        text=row.text,
        segments=row.segments,
        created_at=row.created_at,
        # An automatic reply confirms the very keyword that opted its recipient out.
        opted_out=bool(row.opted_out) and row.batch_key is not None,
    )


BATCH_FIELDS: tuple[ColumnElement[Any], ...] = tuple(batch.c[name] for name in Batch.__dataclass_fields__)


def batch_record(row: Row[Any]) -> Batch:
    return Batch(**{name: row._mapping[name] for name in Batch.__dataclass_fields__})


def still_queued(queued: QueuedMessage) -> Message:
    return Message(
        id=queued.id,
        account_id=queued.account_id,
        batch_id=queued.batch_id,
        sender=queued.sender,
        recipient=queued.recipient,
        text=queued.text,
        direction=MessageDirection.OUTBOUND,
        status=MessageStatus.QUEUED,
        segments=queued.segments,
        cost_micros=None,
        error_code=None,
        created_at=queued.created_at,
        modified_at=queued.created_at,
    )


def sent_message(processed: Processed, at: datetime) -> Message:
    """An outbound message as it is after it was processed."""
    queued = processed.message
    return Message(
        id=queued.id,
        account_id=queued.account_id,
        batch_id=queued.batch_id,
        sender=queued.sender,
        recipient=queued.recipient,
        text=queued.text,
        direction=MessageDirection.OUTBOUND,
        created_at=queued.created_at,
        status=processed.status,
        segments=queued.segments if processed.cost_micros is not None else None,
        cost_micros=processed.cost_micros,
        error_code=processed.error_code,
        modified_at=at,
    )


def opt_out_by_codes(
    connection: Connection,
    say: list[SmsEvent],
    ended: Sequence[tuple[QueuedMessage | Message, str | None]],
    at: datetime,
) -> None:
    """A carrier that refuses a text because its recipient opted out tells us of a consent that we did not know."""
    changes = [
        ConsentChange(
            account_id=of.account_id,
            sender=of.sender,
            recipient=of.recipient,
            status=ConsentStatus.OPT_OUT,
            source=_OPTED_OUT_AT[code],
            actor=None,
            method=f"report {code}",
            created_at=at,
        )
        for of, code in ended
        if code in _OPTED_OUT_AT
    ]
    change_consents(connection, say, changes)


_OPTED_OUT_AT = {"SMS-UP-413": ConsentSource.UPSTREAM, "SMS-CAR-413": ConsentSource.CARRIER}
