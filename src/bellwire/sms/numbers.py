"""Which numbers High Volume SMS can text, and how they are spelled.

Only the United States and Canada are served (wire contract, 6.1). `+1` and ten digits are accepted by their look: half
a million of them by phonenumbers would cost 18 s. Anything else in international form is read by that library and
accepted when it is a valid number of one of the two countries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
    region_code_for_number,
)

from bellwire.sms.codes import ErrorCode

PLAIN = re.compile(r"\+1[0-9]{10}")
COUNTRIES = frozenset({"US", "CA"})
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_DIGITS = re.compile(r"[0-9]+")
_TOLL_FREE = re.compile(r"\+18(?:00|33|44|55|66|77|88)[0-9]{7}")
_MAX_WRITTEN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Unusable:
    """A number that is not texted."""

    error_code: ErrorCode
    reason: str


def recipient_number(written: str) -> str | Unusable:
    """A recipient as a request names it, in E.164, or why it can't be one.

    Args:
        written: in international form; spaces, dashes, dots and brackets are taken away.
    """
    if PLAIN.fullmatch(written) is not None:
        return written
    if len(written) > _MAX_WRITTEN_LENGTH:
        return _unusable(f"it is longer than {_MAX_WRITTEN_LENGTH} characters")
    if not written.startswith("+"):
        return _unusable("it is not in international form: a plus, the country code and the number are expected")
    try:
        number = parse(written, None)
    except NumberParseException:
        return _unusable("it is not a phone number")
    if number.extension:
        return _unusable("a text can't be sent to an extension")
    region = region_code_for_number(number)
    if not is_valid_number(number):
        return _unusable("it is not a valid phone number")
    if region not in COUNTRIES:
        return _unusable("only numbers of the United States and Canada can be texted")
    return format_number(number, PhoneNumberFormat.E164)


def is_e164(number: str) -> bool:
    """Whether it is spelled in E.164 with its plus, of any country."""
    return _E164.fullmatch(number) is not None


def is_toll_free(number: str) -> bool:
    """Whether a plain number has one of North America's toll-free prefixes."""
    return _TOLL_FREE.fullmatch(number) is not None


def from_query(value: str) -> str:
    """A number of a query parameter with its plus (wire contract, 2.7).

    An unescaped plus arrives as a space, and bare digits never had one. What is neither is left as it is.
    """
    number = f"+{value[1:]}" if value.startswith(" ") else value
    return f"+{number}" if _DIGITS.fullmatch(number) is not None else number


def _unusable(reason: str) -> Unusable:
    return Unusable(ErrorCode.RC_410, f"The recipient's number is not supported: {reason}")
