"""Read what the C parser doesn't keep from an answer's raw bytes: exact header sizes, and single headers.

The parser has accepted the bytes already, so that lines end in CRLF and the framing is right.
"""

from __future__ import annotations

import re

_INTERIM = re.compile(rb"HTTP/\d\.\d 1\d\d")
_END = b"\r\n\r\n"


def header_block(raw: bytes) -> bytes:
    """The header lines of the final answer, each with its CRLF: no status line, no closing empty line.

    Args:
        raw: what was received, from the first byte, at least up to the end of the final answer's head. Interim (1xx)
            answers before it are skipped.
    """
    start = 0
    while _INTERIM.match(raw, start):
        start = raw.index(_END, start) + len(_END)
    lines_start = raw.index(b"\r\n", start) + 2
    end = raw.index(_END, start) + 2
    return raw[lines_start:end] if end > lines_start else b""


def header_value(raw: bytes, name: bytes) -> str | None:
    """The first value of a header in the final answer's head; None where there is none."""
    for line in header_block(raw).split(b"\r\n"):
        found, colon, value = line.partition(b":")
        if colon and found.lower() == name:
            return value.strip().decode("latin-1")
    return None
