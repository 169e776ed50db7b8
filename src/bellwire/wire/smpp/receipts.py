"""Delivery receipts: a deliver_sm that says what became of a submit_sm.

    id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:…

That is the form of SMPP 3.4, Appendix B, which peers vary in order, case and spaces; newer ones put id and state into
optional parameters (5.3.2.12, 5.3.2.35), which are believed before the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bellwire.wire.smpp.pdus import DeliverSm, EsmClass, Tlv


class ReceiptState(StrEnum):
    """`stat` (Appendix B) in the words of 5.2.28."""

    EN_ROUTE = "ENROUTE"
    DELIVERED = "DELIVRD"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    UNDELIVERABLE = "UNDELIV"
    ACCEPTED = "ACCEPTD"
    UNKNOWN = "UNKNOWN"
    REJECTED = "REJECTD"


class IdForm(StrEnum):
    """How the peer's receipts spell the id that its submit_sm_resp gave."""

    SAME = "same"
    DECIMAL_OF_HEX = "decimal-of-hex"
    """Hexadecimal in the response, decimal in receipts, as Appendix B was often read."""
    HEX_OF_DECIMAL = "hex-of-decimal"


_STATES = {
    1: ReceiptState.EN_ROUTE,
    2: ReceiptState.DELIVERED,
    3: ReceiptState.EXPIRED,
    4: ReceiptState.DELETED,
    5: ReceiptState.UNDELIVERABLE,
    6: ReceiptState.ACCEPTED,
    7: ReceiptState.UNKNOWN,
    8: ReceiptState.REJECTED,
}
_STATE_SPELLINGS = {state.value: state for state in ReceiptState} | {
    "DELIVERED": ReceiptState.DELIVERED,
    "UNDELIVERABLE": ReceiptState.UNDELIVERABLE,
    "ACCEPTED": ReceiptState.ACCEPTED,
    "REJECTED": ReceiptState.REJECTED,
    "UNDELIVRD": ReceiptState.UNDELIVERABLE,
}
_FIELD = re.compile(r"\b(id|stat|err):\s*([^\s:]+)(?=\s|$)", re.IGNORECASE | re.ASCII)
_TEXT_FIELD = re.compile(r"\btext:", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a peer reports."""

    message_id: str
    """As the peer spells it."""
    state: ReceiptState
    error: str | None = None
    """The peer's own code, for people to look up."""


@dataclass(frozen=True, slots=True)
class UnreadableReceipt:
    """It is a receipt, and does not say of what, or what became of it."""

    reason: str


def read_receipt(pdu: DeliverSm) -> Receipt | UnreadableReceipt | None:
    """The receipt that a deliver_sm is; None: it is a text."""
    kind = pdu.esm_class & EsmClass.TYPE_MASK
    marked = kind in {EsmClass.DELIVERY_RECEIPT, EsmClass.INTERMEDIATE_NOTIFICATION}
    named = Tlv.RECEIPTED_MESSAGE_ID in pdu.tlvs and Tlv.MESSAGE_STATE in pdu.tlvs
    if not marked and not named:
        return None
    fields = _fields_of(pdu.user_data.decode("latin-1"))
    message_id = _string(pdu.tlvs.get(Tlv.RECEIPTED_MESSAGE_ID, b"")) or fields.get("id")
    if not message_id:
        return UnreadableReceipt("it names no message")
    told = pdu.tlvs.get(Tlv.MESSAGE_STATE, b"")
    state = _STATES.get(int.from_bytes(told, "big")) or _STATE_SPELLINGS.get(fields.get("stat", "").upper())
    if state is None:
        return UnreadableReceipt("it has no state that is known")
    return Receipt(message_id, state, fields.get("err"))


def comparable_id(message_id: str, form: IdForm, *, of_receipt: bool) -> str:
    """An id in the form in which those of responses and of receipts are the same; not a number: as it is.

    Args:
        of_receipt: it stood in a receipt, and otherwise in a response.
    """
    if form is IdForm.SAME:
        return message_id
    is_hex = of_receipt is (form is IdForm.HEX_OF_DECIMAL)
    try:
        return str(int(message_id, 16 if is_hex else 10))
    except ValueError:
        return message_id


def _fields_of(text: str) -> dict[str, str]:
    """The fields before the quoted beginning of the text, which may say anything."""
    quoted = _TEXT_FIELD.search(text)
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(text[: quoted.start()] if quoted else text):
        fields.setdefault(name.lower(), value)
    return fields


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("latin-1").strip()
