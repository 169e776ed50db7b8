"""The PDUs that an ESME sends and gets, as records; `codec.py` has their bytes.

Numbers and names are those of the SMPP 3.4 specification, Issue 1.2: commands section 5.1.2.1, statuses 5.1.3,
fields 5.2, optional parameters (TLVs) 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

RESPONSE_BIT = 0x8000_0000
"""Set in the command id of a response."""


class Command(IntEnum):
    SUBMIT_SM = 0x0000_0004
    DELIVER_SM = 0x0000_0005
    UNBIND = 0x0000_0006
    BIND_TRANSCEIVER = 0x0000_0009
    OUTBIND = 0x0000_000B
    ENQUIRE_LINK = 0x0000_0015
    ALERT_NOTIFICATION = 0x0000_0102
    GENERIC_NACK = 0x8000_0000
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND_RESP = 0x8000_0006
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    ENQUIRE_LINK_RESP = 0x8000_0015


class Status(IntEnum):
    """The statuses that something is decided by; a peer can send any number."""

    OK = 0x00
    INVALID_MESSAGE_LENGTH = 0x01
    INVALID_COMMAND_LENGTH = 0x02
    INVALID_COMMAND_ID = 0x03
    INVALID_BIND_STATUS = 0x04
    ALREADY_BOUND = 0x05
    SYSTEM_ERROR = 0x08
    INVALID_SOURCE = 0x0A
    INVALID_DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    INVALID_PASSWORD = 0x0E
    INVALID_SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    INVALID_SOURCE_TON = 0x48
    INVALID_SOURCE_NPI = 0x49
    INVALID_DESTINATION_TON = 0x50
    INVALID_DESTINATION_NPI = 0x51
    INVALID_SYSTEM_TYPE = 0x53
    THROTTLED = 0x58
    TEMPORARY_APPLICATION_ERROR = 0x64
    PERMANENT_APPLICATION_ERROR = 0x65
    REJECTED_BY_APPLICATION = 0x66
    INVALID_TLV_STREAM = 0xC0
    INVALID_PARAMETER_LENGTH = 0xC2


class Tlv(IntEnum):
    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_REFERENCE = 0x020C
    SAR_TOTAL = 0x020E
    SAR_SEQUENCE = 0x020F
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class EsmClass(IntEnum):
    """Bits of `esm_class` (5.2.12)."""

    TYPE_MASK = 0x3C
    DELIVERY_RECEIPT = 0x04
    INTERMEDIATE_NOTIFICATION = 0x20
    USER_DATA_HEADER = 0x40


RECEIPT_WANTED = 0x01
"""`registered_delivery`: a receipt for success and for failure (5.2.17)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A number as SMPP has it: digits, type of number, numbering plan."""

    digits: str
    ton: int = 0
    npi: int = 0


@dataclass(frozen=True, slots=True)
class BindTransceiver:
    system_id: str
    """At most 15 ASCII characters."""
    password: str = field(repr=False)
    """At most 8."""
    system_type: str = ""
    """At most 12."""


@dataclass(frozen=True, slots=True)
class BindTransceiverResp:
    status: int
    system_id: str = ""


@dataclass(frozen=True, slots=True)
class SubmitSm:
    source: Address
    destination: Address
    data_coding: int
    short_message: bytes = b""
    """At most 254 bytes; empty where `message_payload` has the text."""
    message_payload: bytes = b""
    esm_class: int = 0
    registered_delivery: int = RECEIPT_WANTED


@dataclass(frozen=True, slots=True)
class SubmitSmResp:
    status: int
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class DeliverSm:
    source: Address
    destination: Address
    data_coding: int
    short_message: bytes
    esm_class: int = 0
    tlvs: Mapping[int, bytes] = field(default_factory=dict)
    """By tag, unknown ones included; the first of a tag that comes twice."""

    @property
    def user_data(self) -> bytes:
        """What the handset wrote, wherever it was put (5.3.2.32)."""
        return self.short_message or self.tlvs.get(Tlv.MESSAGE_PAYLOAD, b"")


@dataclass(frozen=True, slots=True)
class DeliverSmResp:
    status: int = Status.OK


@dataclass(frozen=True, slots=True)
class EnquireLink:
    pass


@dataclass(frozen=True, slots=True)
class EnquireLinkResp:
    pass


@dataclass(frozen=True, slots=True)
class Unbind:
    pass


@dataclass(frozen=True, slots=True)
class UnbindResp:
    pass


@dataclass(frozen=True, slots=True)
class GenericNack:
    status: int


Outgoing = (
    BindTransceiver | SubmitSm | DeliverSmResp | EnquireLink | EnquireLinkResp | Unbind | UnbindResp | GenericNack
)
Incoming = (
    BindTransceiverResp | SubmitSmResp | DeliverSm | EnquireLink | EnquireLinkResp | Unbind | UnbindResp | GenericNack
)
