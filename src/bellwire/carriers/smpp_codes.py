"""What a peer's statuses and receipts mean for a text, in the closed set of error codes (wire contract, 6.4).

docs/smpp.md has these tables for readers; a test compares.
"""

from __future__ import annotations

from enum import Enum, auto

from bellwire.model.sms import MessageStatus
from bellwire.sms.codes import ErrorCode
from bellwire.wire.smpp.pdus import Status
from bellwire.wire.smpp.receipts import ReceiptState


class Refusal(Enum):
    """Refusals that are not the text's fault: it was surely not taken, and may be sent again."""

    THROTTLED = auto()
    """The peer wants nothing at all for a while."""
    TEMPORARY = auto()
    """It could not take this one now."""
    LINK = auto()
    """It does not think that we are bound."""


_NOT_NOW = {
    Status.THROTTLED: Refusal.THROTTLED,
    Status.QUEUE_FULL: Refusal.THROTTLED,
    Status.TEMPORARY_APPLICATION_ERROR: Refusal.TEMPORARY,
    Status.SYSTEM_ERROR: Refusal.TEMPORARY,
    Status.INVALID_BIND_STATUS: Refusal.LINK,
}

CODE_OF_STATUS = {
    Status.INVALID_DESTINATION: ErrorCode.UP_410,
    Status.INVALID_DESTINATION_TON: ErrorCode.UP_410,
    Status.INVALID_DESTINATION_NPI: ErrorCode.UP_410,
    Status.INVALID_SOURCE: ErrorCode.UP_431,
    Status.INVALID_SOURCE_TON: ErrorCode.UP_431,
    Status.INVALID_SOURCE_NPI: ErrorCode.UP_431,
    Status.INVALID_MESSAGE_LENGTH: ErrorCode.RC_501,
    Status.INVALID_COMMAND_LENGTH: ErrorCode.RC_501,
    Status.INVALID_COMMAND_ID: ErrorCode.RC_501,
    Status.INVALID_TLV_STREAM: ErrorCode.RC_501,
    Status.INVALID_PARAMETER_LENGTH: ErrorCode.RC_501,
}
CODE_OF_OTHER_STATUSES = ErrorCode.UP_500

_OF_STATE: dict[ReceiptState, tuple[MessageStatus, ErrorCode | None]] = {
    ReceiptState.DELIVERED: (MessageStatus.DELIVERED, None),
    ReceiptState.EN_ROUTE: (MessageStatus.SENT, None),
    ReceiptState.ACCEPTED: (MessageStatus.SENT, None),
    ReceiptState.UNKNOWN: (MessageStatus.SENT, None),
    ReceiptState.EXPIRED: (MessageStatus.DELIVERY_FAILED, ErrorCode.CAR_412),
    ReceiptState.UNDELIVERABLE: (MessageStatus.DELIVERY_FAILED, ErrorCode.CAR_412),
    ReceiptState.DELETED: (MessageStatus.DELIVERY_FAILED, ErrorCode.CAR_431),
    ReceiptState.REJECTED: (MessageStatus.DELIVERY_FAILED, ErrorCode.CAR_431),
}
"""UNKNOWN proves nothing, so it does not end a text."""


def judge_refusal(status: int) -> Refusal | ErrorCode:
    """Why a submit_sm was not taken, from a status other than 0."""
    known = next((known for known in Status if known == status), None)
    if known is None:
        return CODE_OF_OTHER_STATUSES
    return _NOT_NOW.get(known) or CODE_OF_STATUS.get(known, CODE_OF_OTHER_STATUSES)


def status_of(state: ReceiptState) -> tuple[MessageStatus, ErrorCode | None]:
    """A message's status by a receipt, and its error code where it failed."""
    return _OF_STATE[state]
