"""Where a list goes on, as callers carry it: opaque, and of one kind of list each."""

from __future__ import annotations

import base64
import binascii

import msgspec

from bellwire.errors import InvalidRequest

MAX_CURSOR_LENGTH = 4096
_LARGEST = (1 << 63) - 1

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, str | int, str]).decode


def cursor_of(kind: str, place: str | int, rest: str = "") -> str:
    """
    Args:
        kind: of the list, so that a cursor of another is refused.
    """
    return base64.urlsafe_b64encode(_encode((kind, place, rest))).rstrip(b"=").decode()


def number_at(kind: str, cursor: str | None) -> int | None:
    """The number in a cursor that was made of one; None for none.

    Raises:
        InvalidRequest: CMN-101; it is no cursor of this list.
    """
    place = None if cursor is None else numbered_place(kind, cursor)
    return None if place is None else place[0]


def numbered_place(kind: str, cursor: str) -> tuple[int, str]:
    """A number and a text; raises as `number_at`."""
    place, rest = _read(kind, cursor)
    if not isinstance(place, int) or not 0 <= place <= _LARGEST:
        raise _bad()
    return place, rest


def named_place(kind: str, cursor: str) -> tuple[str, str]:
    """Two texts; raises as `number_at`."""
    place, rest = _read(kind, cursor)
    if not isinstance(place, str):
        raise _bad()
    return place, rest


def _read(kind: str, cursor: str) -> tuple[str | int, str]:
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise _bad()
    try:
        found, place, rest = _decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _bad() from None
    if found != kind:
        raise _bad()
    return place, rest


def _bad() -> InvalidRequest:
    return InvalidRequest(
        "CMN-101", "Parameter [cursor] value is invalid: it is not a nextCursor of this list", parameter="cursor"
    )
