"""What the other side of an SMPP link writes, by smpp34's codec or by hand: never by the code under test."""

from __future__ import annotations

import struct

import smpp34


def raw(command_id: int, *, status: int = 0, sequence: int = 1, body: bytes = b"") -> bytes:
    return struct.pack(">LLLL", 16 + len(body), command_id, status, sequence) + body


def bind_answer(*, status: int = 0, sequence: int = 1) -> bytes:
    return raw(0x80000009, status=status, sequence=sequence, body=b"smsc\0" if status == 0 else b"")


def submit_answer(sequence: int, message_id: str = "", *, status: int = 0) -> bytes:
    body = message_id.encode() + b"\0" if status == 0 else b""
    return raw(0x80000004, status=status, sequence=sequence, body=body)


def deliver(
    text: bytes,
    *,
    sequence: int = 7,
    source: str = "16505550142",
    destination: str = "16505550180",
    esm_class: int = 0,
    data_coding: int = 0,
    tlvs: dict[int, bytes] | None = None,
) -> bytes:
    pdu = smpp34.DeliverSm(
        source,
        destination,
        text,
        source_addr_ton=1,
        source_addr_npi=1,
        dest_addr_ton=1,
        dest_addr_npi=1,
        esm_class=esm_class,
        data_coding=data_coding,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in (tlvs or {}).items()],
        sequence_number=sequence,
    )
    return pdu.encode()


def split(stream: bytes) -> list[smpp34.SubmitSm | smpp34.DeliverSm | smpp34.RawPdu]:
    """The PDUs that we wrote, as smpp34 reads them."""
    pdus = []
    while stream:
        length = int.from_bytes(stream[:4], "big")
        pdus.append(smpp34.decode(stream[:length]))
        stream = stream[length:]
    return pdus
