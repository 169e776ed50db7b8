"""What the resources of High Volume SMS have in common: where they are, and their query parameters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from bellwire.api.authentication import require_scope
from bellwire.api.moments import Moment
from bellwire.engine.page_tokens import MAX_TOKEN_LENGTH, TOKEN_PATTERN
from bellwire.errors import InvalidRequest
from bellwire.model.identity import Caller
from bellwire.model.permission import Permission
from bellwire.model.sms import BatchId, MessageDirection
from bellwire.ports.sms_store import MessageQuery
from bellwire.sms.numbers import from_query, is_e164

PREFIX = "/restapi/v1.0/account/{accountId}/a2p-sms"
TAG = "High Volume SMS"
MAX_PER_PAGE = 1000

DateFrom = Annotated[
    Moment | None, Query(alias="dateFrom", description="At this time or later; a day before `dateTo` by default.")
]
DateTo = Annotated[Moment | None, Query(alias="dateTo", description="At this time or earlier; now by default.")]
PerPage = Annotated[
    int | None,
    Query(alias="perPage", ge=1, description=f"Records of a page; more than {MAX_PER_PAGE} is {MAX_PER_PAGE}."),
]
PageToken = Annotated[
    str | None,
    Query(
        alias="pageToken",
        max_length=MAX_TOKEN_LENGTH,
        pattern=TOKEN_PATTERN,
        description="One of `paging` of an earlier answer; what else was asked then need not be asked again.",
    ),
]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for."""

    token: str | None
    per_page: int | None
    """None: what the token says, or else the list's default."""


def paging(token: PageToken = None, per_page: PerPage = None) -> Paging:
    return Paging(token, None if per_page is None else min(per_page, MAX_PER_PAGE))


def message_query(
    batch: Annotated[str | None, Query(alias="batchId", max_length=256, description="Messages of this batch.")] = None,
    direction: Annotated[
        list[Literal["Inbound", "Outbound"]] | None, Query(description="One direction; both by default.")
    ] = None,
    since: DateFrom = None,
    until: DateTo = None,
    numbers: Annotated[
        list[str] | None,
        Query(alias="phoneNumber", description="Messages from or to any of these numbers (E.164); at most 15."),
    ] = None,
) -> MessageQuery:
    return MessageQuery(
        batch=BatchId(batch) if batch else None,
        directions=frozenset(map(MessageDirection, direction)) if direction else None,
        since=since,
        until=until,
        numbers=numbers_of(numbers, "phoneNumber"),
    )


AskedPaging = Annotated[Paging, Depends(paging)]
AskedMessages = Annotated[MessageQuery, Depends(message_query)]


def number_of(value: str, parameter: str) -> str:
    """A number of a query parameter in E.164 (wire contract, 2.7).

    Raises:
        InvalidRequest: CMN-101.
    """
    number = from_query(value)
    if not is_e164(number):
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [{parameter}] value is invalid: a number in E.164 format is expected, as +16505550100",
            parameter=parameter,
            value=value,
        )
    return number


def numbers_of(values: list[str] | None, parameter: str) -> tuple[str, ...]:
    """Each number once, in an order that does not depend on that of the question; empty values say nothing."""
    return tuple(sorted({number_of(value, parameter) for value in values or () if value}))


def permitted(caller: Callable[..., Awaitable[Caller]], permission: Permission) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, whose application has the permission (403 CMN-401 if not)."""

    async def allowed(known: Caller = Depends(caller)) -> Caller:
        require_scope(known, permission)
        return known

    return allowed
