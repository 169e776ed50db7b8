"""PDUs to bytes and back, by smpplib's tables of fields and its generator and parser.

smpplib and not smpp34, because smpp34's Python side encodes submit_sm and deliver_sm only (no bind, no responses);
so its server is an independent peer for tests. Three things of smpplib's parser are not taken over, because bytes
come from outside: a string without its NUL starts reading anew at the body's first byte, a field beyond the end is
given short, and an integer TLV is read by its usual length instead of the one that is written before it, so that all
after it is shifted. Each is an `Unparsable` here, and unknown TLVs are kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, assert_never

from smpplib import command, consts

from bellwire.wire.smpp.framing import HEADER_BYTES, Frame
from bellwire.wire.smpp.pdus import (
    RESPONSE_BIT,
    Address,
    BindTransceiver,
    BindTransceiverResp,
    Command,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Incoming,
    Outgoing,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

INTERFACE_VERSION = 0x34
MAX_SHORT_MESSAGE_BYTES = 254
MAX_MESSAGE_ID = 64


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A well-framed PDU that can't be read: its sender is told so, and the link goes on."""

    command_id: int
    status: int
    """Of the header."""
    sequence: int
    answer: Status
    """What its sender is to be told."""
    reason: str

    @property
    def is_response(self) -> bool:
        return bool(self.command_id & RESPONSE_BIT)


def encode(pdu: Outgoing, sequence: int) -> bytes:
    """One PDU's bytes, header included.

    Raises:
        ValueError: a text is longer than its field; smpplib would cut it without a word.
    """
    match pdu:
        case BindTransceiver():
            return _generate(
                command.BindTransceiver,
                "bind_transceiver",
                sequence,
                system_id=_text(pdu.system_id, 15),
                password=_text(pdu.password, 8),
                system_type=_text(pdu.system_type, 12),
                interface_version=INTERFACE_VERSION,
                address_range="",
            )
        case SubmitSm():
            return _encode_submit(pdu, sequence)
        case DeliverSmResp():
            return _generate(command.DeliverSMResp, "deliver_sm_resp", sequence, status=pdu.status, message_id="")
        case EnquireLink():
            return _generate(command.EnquireLink, "enquire_link", sequence)
        case EnquireLinkResp():
            return _generate(command.EnquireLinkResp, "enquire_link_resp", sequence)
        case Unbind():
            return _generate(command.Unbind, "unbind", sequence)
        case UnbindResp():
            return _generate(command.UnbindResp, "unbind_resp", sequence)
        case GenericNack():
            return _generate(command.GenericNAck, "generic_nack", sequence, status=pdu.status)
        case impossible:
            assert_never(impossible)


def decode(frame: Frame) -> Incoming | Unparsable | None:
    """What a frame says.

    Returns:
        None for what asks for nothing (an alert_notification, an outbind).
    """
    body = frame.body
    try:
        match frame.command_id:
            case Command.SUBMIT_SM_RESP:
                return SubmitSmResp(frame.status, _only_string(body))
            case Command.DELIVER_SM:
                return _decode_deliver(body)
            case Command.BIND_TRANSCEIVER_RESP:
                return BindTransceiverResp(frame.status, _only_string(body))
            case Command.ENQUIRE_LINK:
                return EnquireLink()
            case Command.ENQUIRE_LINK_RESP:
                return EnquireLinkResp()
            case Command.UNBIND:
                return Unbind()
            case Command.UNBIND_RESP:
                return UnbindResp()
            case Command.GENERIC_NACK:
                return GenericNack(frame.status)
            case Command.ALERT_NOTIFICATION | Command.OUTBIND:
                return None
    except _Unreadable as problem:
        return Unparsable(frame.command_id, frame.status, frame.sequence, problem.status, problem.reason)
    return Unparsable(
        frame.command_id, frame.status, frame.sequence, Status.INVALID_COMMAND_ID, "not a command for an ESME"
    )


def header(command_id: int, status: int, sequence: int) -> bytes:
    """A PDU without a body."""
    return struct.pack(">LLLL", HEADER_BYTES, command_id, status, sequence)


def _encode_submit(pdu: SubmitSm, sequence: int) -> bytes:
    if len(pdu.short_message) > MAX_SHORT_MESSAGE_BYTES or len(pdu.message_payload) > 0xFFFF:
        raise ValueError("the text is longer than a submit_sm takes")
    return _generate(
        _SubmitSm,
        "submit_sm",
        sequence,
        source_addr_ton=pdu.source.ton,
        source_addr_npi=pdu.source.npi,
        source_addr=_text(pdu.source.digits, 20),
        dest_addr_ton=pdu.destination.ton,
        dest_addr_npi=pdu.destination.npi,
        destination_addr=_text(pdu.destination.digits, 20),
        esm_class=pdu.esm_class,
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        short_message=pdu.short_message,
        message_payload=pdu.message_payload,
    )


def _text(value: str, most: int) -> str:
    if len(value) > most or not value.isascii() or "\0" in value:
        raise ValueError(f"must be at most {most} ASCII characters")
    return value


def _generate(kind: Any, name: str, sequence: int, **fields: Any) -> bytes:
    pdu = kind(name, sequence=sequence, **fields)
    pdu.sequence = sequence  # the constructor takes no notice of it
    generated: bytes = pdu.generate()
    return generated


class _Unreadable(Exception):
    def __init__(self, status: Status, reason: str) -> None:
        self.status = status
        self.reason = reason


def _mandatory(kind: Any) -> tuple[str, ...]:
    """The fields of a PDU with a text, up to it."""
    order: tuple[str, ...] = kind.params_order
    return order[: order.index("short_message") + 1]


def _fields(kind: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: kind.params[name] for name in names}


class _Strict(command.Command):  # type: ignore[misc]  # smpplib is not typed
    """smpplib's parser, with every read kept within the body."""

    def __init__(self, name: str) -> None:
        super().__init__(name, sequence=0)
        self.tlvs: dict[int, bytes] = {}

    def _parse_int(self, field: str, data: bytes, pos: int) -> tuple[bytes, int]:
        if pos + self.params[field].size > len(data):
            raise _Unreadable(Status.INVALID_COMMAND_LENGTH, f"it ends before its {field}")
        parsed: tuple[bytes, int] = super()._parse_int(field, data, pos)
        return parsed

    def _parse_string(self, field: str, data: bytes, pos: int, length: int | None = None) -> tuple[bytes, int]:
        end = data.find(b"\0", pos)
        if end < 0:
            raise _Unreadable(Status.INVALID_PARAMETER_LENGTH, f"its {field} does not end")
        parsed: tuple[bytes, int] = super()._parse_string(field, data, pos, end - pos + 1)
        return parsed

    def _parse_ostring(self, field: str, data: bytes, pos: int, length: int | None = None) -> tuple[bytes, int]:
        if pos + int(getattr(self, self.params[field].len_field)) > len(data):
            raise _Unreadable(Status.INVALID_MESSAGE_LENGTH, f"it ends within its {field}")
        parsed: tuple[bytes, int] = super()._parse_ostring(field, data, pos)
        return parsed

    def parse_optional_params(self, data: bytes) -> None:
        self.tlvs = _split_tlvs(data)


class _DeliverSm(_Strict, command.DeliverSM):  # type: ignore[misc]
    sm_length = None  # smpplib's 0 would hide that it is missing
    params_order = _mandatory(command.DeliverSM)
    params = _fields(command.DeliverSM, params_order)


class _SubmitSm(command.SubmitSM):  # type: ignore[misc]
    """smpplib goes through all optional parameters each time: 207 µs, and 130 with the one that is used."""

    params_order = (*_mandatory(command.SubmitSM), "message_payload")
    params = _fields(command.SubmitSM, params_order)


def _split_tlvs(data: bytes) -> dict[int, bytes]:
    tlvs: dict[int, bytes] = {}
    pos = 0
    while pos < len(data):
        if pos + 4 > len(data):
            raise _Unreadable(Status.INVALID_TLV_STREAM, "it ends within the head of an optional parameter")
        tag, length = struct.unpack_from(">HH", data, pos)
        pos += 4
        if pos + length > len(data):
            raise _Unreadable(Status.INVALID_TLV_STREAM, f"it ends within the optional parameter 0x{tag:04x}")
        tlvs.setdefault(tag, data[pos : pos + length])
        pos += length
    return tlvs


def _only_string(body: bytes) -> str:
    """What begins with a string. Peers leave it out of refusals, and some the NUL at its end."""
    return body.partition(b"\0")[0][:MAX_MESSAGE_ID].decode("latin-1")


def _decode_deliver(body: bytes) -> DeliverSm:
    pdu = _DeliverSm("deliver_sm")
    pdu.parse_params(body)
    text = pdu.short_message or consts.EMPTY_STRING
    if pdu.sm_length is None:
        raise _Unreadable(Status.INVALID_COMMAND_LENGTH, "it ends before its text")
    if len(text) != pdu.sm_length:
        raise _Unreadable(Status.INVALID_MESSAGE_LENGTH, "it ends within its text")
    return DeliverSm(
        source=Address(pdu.source_addr.decode("latin-1"), pdu.source_addr_ton, pdu.source_addr_npi),
        destination=Address(pdu.destination_addr.decode("latin-1"), pdu.dest_addr_ton, pdu.dest_addr_npi),
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        short_message=text,
        tlvs=pdu.tlvs,
    )
