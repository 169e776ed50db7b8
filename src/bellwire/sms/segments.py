"""How a text is cut into the segments that a carrier carries and bills.

A segment has 140 bytes of user data: 160 septets of the GSM 7-bit alphabet, or 70 UTF-16 code units (UCS-2) for a text
that has a character beyond it. Of several segments each gives 6 bytes to the concatenation header, which leaves 153
septets or 67 units. What takes two of them (a character of the extension table, a surrogate pair) is never cut in two,
so that a segment can end one short: counting has to do what cutting does.

    text ── all in GSM 7-bit? ── yes ── septets ≤ 160 ? one segment : cut at 153
                              └─ no ─── units   ≤  70 ? one segment : cut at 67

Source: 3GPP TS 23.040, 9.2.3.24.1 (header); TS 23.038, 6.2.1 and 6.2.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bellwire.errors import InvalidRequest
from bellwire.sms.gsm_alphabet import ESCAPE, is_basic, is_writable, septets_of, text_of

MAX_SEGMENTS = 255
_CACHED_TEXTS = 1024
"""Most batches say one text, or a few, to all of their recipients."""

_BEYOND_ONE_UNIT = re.compile("[^\u0000-\ud7ff\ue000-\uffff]")


class Encoding(StrEnum):
    """How the characters of a text are written."""

    GSM_7BIT = "GSM-7"
    UCS_2 = "UCS-2"


_ALONE = {Encoding.GSM_7BIT: 160, Encoding.UCS_2: 70}
_JOINED = {Encoding.GSM_7BIT: 153, Encoding.UCS_2: 67}


class TextTooLong(InvalidRequest):
    """The text needs more segments than a concatenation header can number."""

    def __init__(self, segments: int) -> None:
        super().__init__("CMN-101", f"The text needs {segments} segments; at most {MAX_SEGMENTS} can be joined")


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the segments of a text, numbered from 1."""

    text: str
    encoding: Encoding
    number: int
    total: int
    reference: int

    @property
    def header(self) -> bytes:
        """The user data header that lets a phone join the segments, 8-bit reference; empty for a single segment."""
        return b"" if self.total == 1 else bytes((5, 0, 3, self.reference, self.total, self.number))

    @property
    def user_data(self) -> bytes:
        """The characters without the header: a byte for each septet (not packed), or big-endian UTF-16."""
        return septets_of(self.text) if self.encoding is Encoding.GSM_7BIT else _units_of(self.text)


def encoding_of(text: str) -> Encoding:
    return Encoding.GSM_7BIT if is_writable(text) else Encoding.UCS_2


@lru_cache(_CACHED_TEXTS)
def count(text: str) -> int:
    """How many segments the text is billed as, at least 1; the number that `split` gives."""
    if is_basic(text):
        return _parts_needed(len(text), Encoding.GSM_7BIT)
    if not is_writable(text) and not _has_pairs(text):
        return _parts_needed(len(text), Encoding.UCS_2)
    return len(split(text))


def split(text: str) -> list[str]:
    """The texts of the segments, in order; together they are the text."""
    encoding = encoding_of(text)
    if encoding is Encoding.GSM_7BIT:
        septets = septets_of(text)
        if len(septets) <= _ALONE[encoding]:
            return [text]
        return [text_of(part) for part in _cut_septets(septets)]
    units = _units_of(text)
    if len(units) <= 2 * _ALONE[encoding]:
        return [text]
    return [part.decode("utf-16-be", "surrogatepass") for part in _cut_units(units)]


def segment(text: str, *, reference: int) -> list[Segment]:
    """Split one SMS text into the segments a carrier will carry and bill.

    Args:
        text: the text as written, any Unicode; lone surrogates are carried as they are.
        reference: concatenation reference, 0 to 255, the same in every segment.

    Returns:
        1 to 255 segments in order; each at most 140 bytes of user data, header included.

    Raises:
        TextTooLong: the text needs more than 255 segments.
        ValueError: the reference is not one.
    """
    if not 0 <= reference <= 255:
        raise ValueError(f"a concatenation reference is 0 to 255, not {reference}")
    parts = split(text)
    if len(parts) > MAX_SEGMENTS:
        raise TextTooLong(len(parts))
    encoding = encoding_of(text)
    return [Segment(part, encoding, number, len(parts), reference) for number, part in enumerate(parts, 1)]


def _parts_needed(length: int, encoding: Encoding) -> int:
    """For a text in which nothing takes two septets or units."""
    return 1 if length <= _ALONE[encoding] else -(-length // _JOINED[encoding])


def _has_pairs(text: str) -> bool:
    """Whether a character takes two UTF-16 code units, or two lone surrogates may stand together as one."""
    return _BEYOND_ONE_UNIT.search(text) is not None


def _units_of(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _cut_septets(septets: bytes) -> list[bytes]:
    parts: list[bytes] = []
    start = 0
    while start < len(septets):
        end = start + _JOINED[Encoding.GSM_7BIT]
        if end < len(septets) and septets[end - 1] == ESCAPE:
            end -= 1
        parts.append(septets[start:end])
        start = end
    return parts


def _cut_units(units: bytes) -> list[bytes]:
    """Cut big-endian UTF-16 between characters."""
    parts: list[bytes] = []
    start = 0
    while start < len(units):
        end = start + 2 * _JOINED[Encoding.UCS_2]
        if end < len(units) and 0xD8 <= units[end - 2] <= 0xDB and 0xDC <= units[end] <= 0xDF:
            end -= 2
        parts.append(units[start:end])
        start = end
    return parts
