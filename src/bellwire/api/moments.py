"""Date-times of query parameters, in any form of ISO 8601 from a bare year on (wire contract, 2.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

from pydantic import BeforeValidator

_ISO_8601 = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?)?"
    r"(?:([Zz])|([+\- ])(\d\d)(?::?(\d\d))?)?)?)?)?",
    re.ASCII,
)


def read_moment(text: str) -> datetime:
    """An instant in UTC; what is left out is the least, an offset that is left out is UTC.

    A `+` that a client did not encode arrives as a space, and is read as one.

    Raises:
        ValueError: it is no date-time, or none that exists.
    """
    found = _ISO_8601.fullmatch(text)
    if found is None:
        raise ValueError("an ISO 8601 date-time is expected, as 2026-03-01T12:00:00Z")
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = found.groups()
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=timezone(-offset if sign == "-" else offset),
        )
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such date and time") from None


def _read(value: object) -> object:
    return read_moment(value) if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_read, json_schema_input_type=str)]
"""A query parameter; its value is aware."""
