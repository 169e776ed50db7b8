"""The head of a text's user data, and whether the text is a part of a longer one.

A part is known by its user data header (concatenation with an 8-bit or a 16-bit reference, TS 23.040 9.2.3.24.1 and
9.2.3.24.8), or by the optional parameters sar_msg_ref_num, sar_total_segments and sar_segment_seqnum (SMPP 3.4,
5.3.2.22 to 24). What other headers say (ports, fonts) is left out: the text behind them is all that is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.wire.smpp.pdus import DeliverSm, EsmClass, Tlv

_REFERENCE_8_BIT = 0x00
_REFERENCE_16_BIT = 0x08


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which text; `number` from 1 to `total`, of 2 to 255."""

    reference: str
    """With its kind: references of two kinds are about two texts."""
    total: int
    number: int


@dataclass(frozen=True, slots=True)
class UserData:
    """What a deliver_sm carries, its header taken off."""

    content: bytes
    part: Concatenation | None


def read_user_data(pdu: DeliverSm) -> UserData:
    """Split header and text. A header that can't be right is taken as text: better odd characters than none."""
    data = pdu.user_data
    part = None
    if pdu.esm_class & EsmClass.USER_DATA_HEADER and data and data[0] < len(data):
        end = data[0] + 1
        elements = _elements(data[1:end])
        if elements is not None:
            data = data[end:]
            part = _concatenation(elements)
    return UserData(data, part or _concatenation_of_tlvs(pdu))


def _elements(header: bytes) -> dict[int, bytes] | None:
    elements: dict[int, bytes] = {}
    pos = 0
    while pos < len(header):
        if pos + 2 > len(header) or pos + 2 + header[pos + 1] > len(header):
            return None
        length = header[pos + 1]
        elements[header[pos]] = header[pos + 2 : pos + 2 + length]
        pos += 2 + length
    return elements


def _concatenation(elements: dict[int, bytes]) -> Concatenation | None:
    short, long = elements.get(_REFERENCE_8_BIT, b""), elements.get(_REFERENCE_16_BIT, b"")
    if len(short) == 3:
        return _part(f"8:{short[0]}", short[1], short[2])
    if len(long) == 4:
        return _part(f"16:{int.from_bytes(long[:2], 'big')}", long[2], long[3])
    return None


def _concatenation_of_tlvs(pdu: DeliverSm) -> Concatenation | None:
    reference, total, number = (
        int.from_bytes(pdu.tlvs.get(tag, b""), "big") for tag in (Tlv.SAR_REFERENCE, Tlv.SAR_TOTAL, Tlv.SAR_SEQUENCE)
    )
    return _part(f"sar:{reference}", total, number)


def _part(reference: str, total: int, number: int) -> Concatenation | None:
    """None where the text is whole, or the figures can't be."""
    return Concatenation(reference, total, number) if 2 <= total <= 255 and 1 <= number <= total else None
