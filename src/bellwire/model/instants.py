"""Points of time as whole numbers. Exact: a float, as `datetime.timestamp` gives, is not, in the far future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


def to_milliseconds(moment: datetime) -> int:
    """Since the epoch, rounded down. `moment` has an offset."""
    return (moment - EPOCH) // _MILLISECOND


def to_microseconds(moment: datetime) -> int:
    """Since the epoch; loses nothing. `moment` has an offset."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment so many microseconds after the epoch, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)
