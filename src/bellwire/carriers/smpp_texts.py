"""Texts as submit_sm, and back from deliver_sm: data coding, and how a long text is carried.

data_coding 0 is taken as the GSM 7-bit default alphabet, one byte for each septet, as most peers have it; what that
alphabet lacks goes out as UCS-2. Inbound, Latin-1 and the other codings that Python knows are read, too.

Source: SMPP 3.4, 5.2.19 (data_coding); TS 23.038, 4 (the values from 0x10 on that peers pass through).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from bellwire.model.sms import OutgoingText
from bellwire.sms.gsm_alphabet import text_of
from bellwire.sms.segments import Encoding, Segment, segment
from bellwire.wire.smpp.addresses import to_address
from bellwire.wire.smpp.pdus import EsmClass, SubmitSm
from bellwire.wire.smpp.reassembly import TextPart

_GSM_7BIT = 0x00
_UCS_2 = 0x08
_CODECS = {
    0x01: "ascii",
    0x03: "latin-1",
    0x05: "shift_jis",
    0x06: "iso8859-5",
    0x07: "iso8859-8",
    _UCS_2: "utf-16-be",
    0x0E: "euc-kr",
}
_CLASSES_GSM_7BIT = frozenset({0x10, 0xF0})
_CLASSES_UCS_2 = 0x18
"""With a message class in the last two bits (TS 23.038)."""
_GAP = "\N{HORIZONTAL ELLIPSIS}"


class LongForm(StrEnum):
    """How a text of several segments goes out."""

    USER_DATA_HEADER = "udh"
    """As several submit_sm, each with a header that lets the phone join them."""
    MESSAGE_PAYLOAD = "message-payload"
    """As one, with the text in an optional parameter: the peer splits it."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a peer wants in the addresses and of long texts."""

    source_ton: int = 1
    source_npi: int = 1
    destination_ton: int = 1
    destination_npi: int = 1
    long_form: LongForm = LongForm.USER_DATA_HEADER


def submits_of(text: OutgoingText, spelling: Spelling, *, reference: int) -> list[SubmitSm]:
    """The submit_sm that carry a text, in order; each asks for a receipt.

    Args:
        reference: 0 to 255, joins the parts of a long text; another one for the next text to the same number.

    Raises:
        TextTooLong: more than 255 parts.
    """
    segments = segment(text.text, reference=reference)
    source = to_address(text.sender, ton=spelling.source_ton, npi=spelling.source_npi)
    destination = to_address(text.recipient, ton=spelling.destination_ton, npi=spelling.destination_npi)
    data_coding = _GSM_7BIT if segments[0].encoding is Encoding.GSM_7BIT else _UCS_2
    if len(segments) > 1 and spelling.long_form is LongForm.MESSAGE_PAYLOAD:
        whole = b"".join(part.user_data for part in segments)
        return [SubmitSm(source, destination, data_coding, message_payload=whole)]
    return [
        SubmitSm(
            source,
            destination,
            data_coding,
            short_message=part.header + part.user_data,
            esm_class=EsmClass.USER_DATA_HEADER if _has_header(part) else 0,
        )
        for part in segments
    ]


def read_text(content: bytes, data_coding: int) -> str | None:
    """The text that bytes of a data coding are; None: it is not a coding of text. Wrong bytes become U+FFFD."""
    if data_coding == _GSM_7BIT or data_coding & 0xFC in _CLASSES_GSM_7BIT:
        return text_of(content)
    codec = "utf-16-be" if data_coding & 0xFC == _CLASSES_UCS_2 else _CODECS.get(data_coding)
    return None if codec is None else content.decode(codec, "replace")


def join_parts(parts: Sequence[TextPart]) -> str:
    """One text of the parts that have come, in order; a gap shows as an ellipsis.

    Neighbours of one coding are read together: phones cut between the halves of a character.
    """
    text = ""
    expected = 1
    for _, run in groupby(_places(parts), key=lambda place: (place[0], place[1].data_coding)):
        members = [part for _, part in run]
        if members[0].number > expected:
            text += _GAP
        text += read_text(b"".join(part.content for part in members), members[0].data_coding) or ""
        expected = members[-1].number + 1
    return text + (_GAP if expected <= parts[0].total else "")


def _places(parts: Sequence[TextPart]) -> Iterable[tuple[int, TextPart]]:
    """Each part with a figure that is the same for numbers without a gap."""
    return ((part.number - place, part) for place, part in enumerate(parts))


def _has_header(part: Segment) -> bool:
    return part.total > 1
