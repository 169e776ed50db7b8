"""What High Volume SMS announces: batches, messages and opt-outs as events, each with a uuid derived from what happened.

The same thing has the same uuid however often it is made, so that an event that is appended to the log again after a
crash is known there as a duplicate. A batch's event is named by how far it is, a message's by its status, each of which
comes once; an opt-out's by the serial number of the change.

Source: wire contract, 6.7.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchStatus, ConsentStatus
from bellwire.model.sms_records import Batch, Message

_NAMESPACE = uuid.UUID("7a3c2f0e-1d44-5b7e-9a65-3f0f6f2b8d11")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class SmsEvent:
    """An event before it is in the log."""

    account_id: AccountId
    topic: str
    uuid: str
    body: bytes
    timestamp_ms: int


def money(micros: int) -> float:
    """Millionths as the wire writes them: 7000 is 0.007."""
    return micros / _MICROS


def moment(at: datetime) -> str:
    """A time of High Volume SMS: UTC, to the microsecond (wire contract, 2.7)."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def batch_body(batch: Batch) -> dict[str, Any]:
    """A batch as events and reads show it."""
    body: dict[str, Any] = {
        "id": batch.id,
        "from": batch.sender,
        "batchSize": batch.size,
        "processedCount": batch.processed,
        "lastModifiedTime": moment(batch.modified_at),
        "creationTime": moment(batch.created_at),
        "status": batch.status.value,
    }
    if batch.status is BatchStatus.COMPLETED:
        body["cost"] = money(batch.cost_micros)
    return body


def message_body(message: Message) -> dict[str, Any]:
    """A message as events and reads show it; without its text where the record has none."""
    body: dict[str, Any] = {"id": message.id}
    if message.batch_id is not None:
        body["batchId"] = message.batch_id
    body |= {"from": message.sender, "to": [message.recipient]}
    if message.text is not None:
        body["text"] = message.text
    body |= {
        "creationTime": moment(message.created_at),
        "lastModifiedTime": moment(message.modified_at),
        "messageStatus": message.status.value,
    }
    if message.segments is not None:
        body["segmentCount"] = message.segments
    if message.cost_micros is not None:
        body["cost"] = money(message.cost_micros)
    body["direction"] = message.direction.value
    if message.error_code is not None:
        body["errorCode"] = message.error_code
    return body


def batch_event(batch: Batch) -> SmsEvent:
    """That the batch is now as it is; of one account's batch, `processed` and `status` name it."""
    return SmsEvent(
        batch.account_id,
        f"/restapi/v1.0/account/{batch.account_id}/a2p-sms/batches/{batch.id}",
        _uuid(f"batch {batch.id} {batch.status.value} {batch.processed}"),
        msgspec.json.encode(batch_body(batch)),
        _milliseconds(batch.modified_at),
    )


def message_event(message: Message) -> SmsEvent:
    """That the message came to its status, or came at all."""
    return SmsEvent(
        message.account_id,
        f"/restapi/v1.0/account/{message.account_id}/a2p-sms/messages",
        _uuid(f"message {message.id} {message.status.value}"),
        msgspec.json.encode(message_body(message)),
        _milliseconds(message.modified_at),
    )


def opt_out_event(  # noqa: PLR0917 - the columns of a change
    account: AccountId, sender: str, recipient: str, status: ConsentStatus, at: datetime, change: int
) -> SmsEvent:
    """That the recipient opted out of texts from the account's number `sender`, or in again.

    Args:
        change: serial number of the change in the history of consents.
    """
    body = {"from": sender, "to": recipient, "active": status is ConsentStatus.OPT_OUT}
    return SmsEvent(
        account,
        f"/restapi/v1.0/account/{account}/a2p-sms/opt-outs",
        _uuid(f"consent {change}"),
        msgspec.json.encode(body),
        _milliseconds(at),
    )


def _uuid(what: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, what))


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
