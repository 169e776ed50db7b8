"""How the own API is asked about what happened: ids, times, and which part of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BeforeValidator

from bellwire.api.admin_views import DEFAULT_PAGE, MAX_PAGE
from bellwire.engine.cursors import MAX_CURSOR_LENGTH
from bellwire.engine.envelope import wire_time
from bellwire.errors import InvalidRequest
from bellwire.model.ids import AccountId, ReplayId, SubscriptionId
from bellwire.model.instants import to_milliseconds

_NUMBER = re.compile(r"\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*")
_SPACE_FOR_PLUS = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$")

ID = r"^[A-Za-z0-9_-]{1,64}$"
NAME = r"^[A-Za-z0-9._:-]{1,64}$"
CURSOR = r"^[A-Za-z0-9_-]+$"


def _as_written(value: object) -> object:
    """A `+` that a client did not encode arrives as a space (wire contract, 2.7). A number is no time: pydantic would
    take the year 2026 for so many seconds after 1970."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        raise ValueError("an ISO 8601 date-time is expected, as 2026-03-01T12:00:00Z")
    return _SPACE_FOR_PLUS.sub(r"\1+\2", value)


Moment = Annotated[datetime, BeforeValidator(_as_written)]

SubscriptionPath = Annotated[SubscriptionId, Path(alias="subscriptionId", pattern=ID)]
ReplayPath = Annotated[ReplayId, Path(alias="replayId", pattern=ID)]
EventPath = Annotated[str, Path(alias="event", pattern=NAME, description="Its position in the log, or its uuid.")]
AccountQuery = Annotated[AccountId | None, Query(alias="account", pattern=ID, description="Of this account.")]
FromQuery = Annotated[Moment | None, Query(alias="from", description="At this time or later.")]
ToQuery = Annotated[Moment | None, Query(alias="to", description="Before this time.")]


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


def part(
    limit: int = Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE, description="How many records to answer at most."),
    cursor: str | None = Query(
        default=None,
        min_length=1,
        max_length=MAX_CURSOR_LENGTH,
        pattern=CURSOR,
        description="`nextCursor` of the page before. A page may be short, even empty, and have one: there was too "
        "much to look through at once.",
    ),
) -> Part:
    return Part(limit, cursor)


ListPart = Annotated[Part, Depends(part)]


def milliseconds(moment: datetime | None) -> int | None:
    """Since the epoch; a time without offset is UTC."""
    if moment is None:
        return None
    return to_milliseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def time_range(from_: datetime | None, to: datetime | None) -> tuple[int | None, int | None]:
    """Both as milliseconds. Raises InvalidRequest (CMN-101) where the end is not after the beginning."""
    from_ms, until_ms = milliseconds(from_), milliseconds(to)
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [to] is invalid: it must be later than [from], {wire_time(from_ms)}.",
            parameter="to",
            value=wire_time(until_ms),
        )
    return from_ms, until_ms
