"""The GSM 7-bit default alphabet with its extension table: which texts it can write, and in how many septets.

A character of the extension table takes two septets, the escape and its own. National language tables are not used:
few carriers negotiate them. The escape character itself is no text (TS 23.038 reserves it).

Source: 3GPP TS 23.038, 6.2.1 and 6.2.1.1; the tables are those of the library gsm0338.
"""

from __future__ import annotations

import re

from gsm0338 import Codec

ESCAPE = 0x1B
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def _characters(prefix: bytes) -> dict[int, str]:
    """Septet → character, of the basic table (no prefix) or of the extension table (the escape)."""
    codec = Codec()
    found: dict[int, str] = {}
    for septet in range(128):
        if septet != ESCAPE:
            text = codec.decode(prefix + bytes((septet,)), "ignore")[0]
            if len(text) == 1:
                found[septet] = text
    return found


_BASIC = _characters(b"")
_EXTENSION = _characters(bytes((ESCAPE,)))
_SEPTETS = {ord(character): chr(septet) for septet, character in _BASIC.items()} | {
    ord(character): chr(ESCAPE) + chr(septet) for septet, character in _EXTENSION.items()
}
_IN_BASIC = re.compile(f"[{re.escape(''.join(_BASIC.values()))}]*")
_IN_ALPHABET = re.compile(f"[{re.escape(''.join((*_BASIC.values(), *_EXTENSION.values())))}]*")


def is_basic(text: str) -> bool:
    """Whether each character takes one septet."""
    return _IN_BASIC.fullmatch(text) is not None


def is_writable(text: str) -> bool:
    """Whether the alphabet and its extension table have all characters of the text."""
    return _IN_ALPHABET.fullmatch(text) is not None


def septets_of(text: str) -> bytes:
    """A writable text as one byte for each septet, not packed.

    Raises:
        ValueError: the text has a character that the alphabet lacks.
    """
    if not is_writable(text):
        raise ValueError("the text has a character that the GSM 7-bit alphabet lacks")
    return text.translate(_SEPTETS).encode("latin-1")


def text_of(septets: bytes) -> str:
    """The text of unpacked septets, of any bytes.

    An escape before a code that the extension table lacks is left out (TS 23.038 6.2.1.1: the basic table's character
    is shown); a byte over 127 becomes U+FFFD.
    """
    text: list[str] = []
    escaped = False
    for septet in septets:
        if septet == ESCAPE:
            escaped = True
            continue
        character = _EXTENSION.get(septet) if escaped else None
        text.append(character or _BASIC.get(septet, _UNKNOWN))
        escaped = False
    return "".join(text)
