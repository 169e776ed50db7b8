"""Texts that come in, within a transaction: the message, what its keyword changes, the automatic reply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from bellwire.model.sms import (
    ConsentSource,
    MessageDirection,
    MessageId,
    MessageStatus,
)
from bellwire.model.sms_records import ConsentChange, Message
from bellwire.ports.sms_progress import Received, Stored, Waiting
from bellwire.sms.events import SmsEvent, message_event
from bellwire.storage.records.consents import change_consents
from bellwire.storage.records.rows import columns
from bellwire.storage.records.sms_tables import inbound_key, message, queued_reply


def receive(connection: Connection, say: list[SmsEvent], received: Sequence[Received], at: datetime) -> Stored:
    """See `SmsProgress.receive`."""
    seen = _seen(connection, [one.text.carrier_key for one in received if one.text.carrier_key is not None])
    stored = Stored([], [])
    for one in received:
        key = one.text.carrier_key
        if key is not None:
            if key in seen:
                continue
            seen.add(key)
            connection.execute(insert(inbound_key).values(carrier_key=key, received_at=at))
        stored.messages.append(_store(connection, say, one, at))
        if one.reply is not None:
            stored.replies.append(_queue_reply(connection, one, one.reply, at))
    return stored


def _seen(connection: Connection, keys: Sequence[str]) -> set[str]:
    return set(
        connection.execute(select(inbound_key.c.carrier_key).where(inbound_key.c.carrier_key.in_(keys))).scalars()
    )


def _store(connection: Connection, say: list[SmsEvent], one: Received, at: datetime) -> MessageId:
    text = one.text
    record = Message(
        id=MessageId(""),
        account_id=one.account_id,
        batch_id=None,
        sender=text.sender,
        recipient=text.recipient,
        text=text.text,
        direction=MessageDirection.INBOUND,
        status=MessageStatus.DELIVERED,
        segments=one.segments,
        cost_micros=one.cost_micros,
        error_code=None,
        created_at=text.received_at,
        modified_at=at,
    )
    record = _insert(connection, record)
    say.append(message_event(record))
    if one.consent is not None:
        change = ConsentChange(
            account_id=one.account_id,
            sender=text.recipient,
            recipient=text.sender,
            status=one.consent,
            source=ConsentSource.RECIPIENT,
            actor=None,
            method=f"keyword {one.keyword}",
            created_at=at,
        )
        change_consents(connection, say, [change])
    return record.id


def _queue_reply(connection: Connection, one: Received, reply: str, at: datetime) -> Waiting:
    record = Message(
        id=MessageId(""),
        account_id=one.account_id,
        batch_id=None,
        sender=one.text.recipient,
        recipient=one.text.sender,
        text=reply,
        direction=MessageDirection.OUTBOUND,
        status=MessageStatus.QUEUED,
        segments=one.reply_segments,
        cost_micros=None,
        error_code=None,
        created_at=at,
        modified_at=at,
    )
    stored = _insert(connection, record)
    connection.execute(insert(queued_reply).values(message_id=int(stored.id)))
    return Waiting(None, one.account_id, one.text.recipient, 1)


def _insert(connection: Connection, record: Message) -> Message:
    """The record with the id that it got."""
    row = columns(record)
    del row["id"], row["batch_id"]
    key = connection.execute(insert(message).values(row)).inserted_primary_key
    assert key is not None
    return Message(**{**columns(record), "id": MessageId(str(key[0]))})
