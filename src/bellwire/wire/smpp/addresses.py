"""Phone numbers as SMPP spells them: E.164 here, digits with a type of number (TON) and a numbering plan (NPI) there.

Source: SMPP 3.4, 5.2.5 to 5.2.9.
"""

from __future__ import annotations

import re
from enum import IntEnum

from bellwire.wire.smpp.pdus import Address


class Ton(IntEnum):
    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2


_E164_DIGITS = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_NORTH_AMERICAN = re.compile(r"[2-9][0-9]{9}", re.ASCII)


def to_address(number: str, *, ton: int, npi: int) -> Address:
    """A number in E.164, as the peer wants it: without its plus, and as a national one without the country code 1."""
    digits = number.removeprefix("+")
    if ton == Ton.NATIONAL and digits.startswith("1"):
        digits = digits[1:]
    return Address(digits, ton, npi)


def to_number(address: Address) -> str | None:
    """The number in E.164; None: it is a short code, a name, or nothing.

    Peers write numbers in all ways: with a plus or `00`, or ten digits of North America whatever their type.
    """
    written = address.digits.strip()
    digits = written.removeprefix("+").removeprefix("00" if not written.startswith("+") else "")
    may_be_national = address.ton != Ton.INTERNATIONAL and digits == written
    if may_be_national and _NORTH_AMERICAN.fullmatch(digits):
        return f"+1{digits}"
    return f"+{digits}" if _E164_DIGITS.fullmatch(digits) else None
