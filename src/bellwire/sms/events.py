"""What High Volume SMS announces: batches, messages and opt-outs as events, each with a uuid of what happened.

The same thing has the same uuid however often it is made, so that an event that is appended to the log again after a
crash is known there as a duplicate. A batch's event is named by how far it is, a message's by its status, each of which
comes once; an opt-out's by the serial number of the change.

Source: wire contract, 6.7.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

import msgspec

from bellwire.model.ids import AccountId
from bellwire.model.instants import to_milliseconds
from bellwire.model.sms import ConsentStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.sms.bodies import batch_body, message_body

_NAMESPACE = uuid.UUID("7a3c2f0e-1d44-5b7e-9a65-3f0f6f2b8d11").bytes


@dataclass(frozen=True, slots=True)
class SmsEvent:
    """An event before it is in the log."""

    account_id: AccountId
    topic: str
    uuid: str
    body: bytes
    timestamp_ms: int


def batch_event(batch: Batch) -> SmsEvent:
    """That the batch is now as it is; of one account's batch, `processed` and `status` name it."""
    return SmsEvent(
        batch.account_id,
        f"/restapi/v1.0/account/{batch.account_id}/a2p-sms/batches/{batch.id}",
        _uuid(f"batch {batch.id} {batch.status.value} {batch.processed}"),
        msgspec.json.encode(batch_body(batch)),
        to_milliseconds(batch.modified_at),
    )


def message_event(message: Message) -> SmsEvent:
    """That the message came to its status, or came at all."""
    return SmsEvent(
        message.account_id,
        f"/restapi/v1.0/account/{message.account_id}/a2p-sms/messages",
        _uuid(f"message {message.id} {message.status.value}"),
        msgspec.json.encode(message_body(message)),
        to_milliseconds(message.modified_at),
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
        to_milliseconds(at),
    )


def _uuid(what: str) -> str:
    """`uuid.uuid5`, in a fifth of its time: it is made three times for each message."""
    digest = bytearray(hashlib.sha1(_NAMESPACE + what.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    name = digest.hex()
    return f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
