"""Opt-outs of High Volume SMS, first version: the same consents as `sms_consents.py` shows (wire contract, 6.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field, JsonValue

from bellwire.api.a2p_parameters import PREFIX, AskedPaging, number_of
from bellwire.api.a2p_views import TokenPaging, answer
from bellwire.api.authentication import own_account
from bellwire.api.csv_answers import MEDIA_TYPE, csv_answer, wants_csv
from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import CALLED_WITH_TOKEN
from bellwire.api.routing import api_router
from bellwire.engine.assign_consents import Assigned, ConsentAssignment
from bellwire.engine.consent_lists import MAX_PER_PAGE, ConsentLists
from bellwire.model.identity import Caller
from bellwire.model.sms import ConsentSource, ConsentStatus
from bellwire.model.sms_records import Consent
from bellwire.ports.consents import ConsentQuery

CONSENTS_TAG = "SMS consents"
COLUMNS = ("from", "to", "status", "source")

_STATUSES = {
    "optout": frozenset({ConsentStatus.OPT_OUT}),
    "optin": frozenset({ConsentStatus.OPT_IN}),
    "all": frozenset(ConsentStatus),
}
_SOURCES = {ConsentSource.API: "Account"}
"""Where this version's word differs."""

_EXAMPLE: JsonValue = {"from": "+16505550180", "optOuts": ["+12025550101"], "optIns": ["+12025550102"]}


class OptOutView(ApiModel):
    """What one recipient said to one of our numbers."""

    from_: str = Field(alias="from", description="The account's number.")
    to: str
    status: Literal["OptIn", "OptOut"]
    source: Literal["Recipient", "Account", "Upstream", "Carrier"]


class OptOutList(ApiModel):
    records: list[OptOutView]
    paging: TokenPaging


Written = Annotated[str, Field(max_length=256)]
"""A number as the caller wrote it. The limit has another use: what has one is checked to be text that can be told back.
"""


class BulkAssignRequest(RequestBody):
    """Recipients to opt out of one of our numbers, and others to opt in; at least one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    from_: Written = Field(alias="from", description="The account's number, E.164.")
    optOuts: list[Written] | None = None  # noqa: N815 - the wire's name
    optIns: list[Written] | None = None  # noqa: N815


class FailedAssignment(ApiModel):
    to: str
    errorMessage: str  # noqa: N815


class AssignedView(ApiModel):
    successful: list[str]
    failed: list[FailedAssignment]


class BulkAssignAnswer(ApiModel):
    """What became of each number."""

    optIns: AssignedView  # noqa: N815
    optOuts: AssignedView  # noqa: N815


def a2p_opt_out_routes(
    *, lists: ConsentLists, assignment: ConsentAssignment, caller: Callable[..., Awaitable[Caller]]
) -> APIRouter:
    """
    Args:
        caller: a dependency that gives the caller, whose application may use High Volume SMS.
    """
    router = api_router(PREFIX, tag=CONSENTS_TAG, responses=CALLED_WITH_TOKEN)

    @router.get(
        "/opt-outs",
        response_model=OptOutList,
        summary="List opt-outs",
        deprecated=True,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def list_a2p_opt_outs(
        *,
        request: Request,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        sender: Annotated[
            str | None, Query(alias="from", description="From this number of the account (E.164); `*` is any.")
        ] = None,
        to: Annotated[str | None, Query(description="Of this recipient (E.164).")] = None,
        status: Annotated[Literal["optout", "optin", "all"] | None, Query(description="`optout` by default.")] = None,
        paging: AskedPaging,
    ) -> Response:
        """By number; with `Accept: text/csv` all of them as a table, without pages."""
        account = own_account(known, accountId)
        asked = ConsentQuery(
            senders=(number_of(sender, "from"),) if sender and sender != "*" else (),
            recipients=(number_of(to, "to"),) if to else (),
            statuses=_STATUSES[status] if status is not None else None,
        )
        asked = asked if paging.token is not None else _with_default(asked)
        if wants_csv(request.headers.get("accept")):
            chunks = lists.all_consents(account, _with_default(asked))
            return csv_answer(COLUMNS, _rows(chunks), file_name="opt-outs.csv")
        page = await lists.consents(
            account, asked, token=paging.token, per_page=paging.per_page, default_per_page=MAX_PER_PAGE
        )
        return answer({"records": [_view(record) for record in page.records], "paging": page.paging()})

    @router.post(
        "/opt-outs/bulk-assign",
        response_model=BulkAssignAnswer,
        summary="Opt recipients out, or in",
        deprecated=True,
    )
    async def bulk_assign_a2p_opt_outs(
        accountId: str,  # noqa: N803
        wanted: BulkAssignRequest,
        known: Caller = Depends(caller),
    ) -> Response:
        """What is no number is told back; all else is assigned."""
        own_account(known, accountId)
        out, in_ = await assignment.bulk_assign(
            known, wanted.from_, opt_outs=wanted.optOuts or [], opt_ins=wanted.optIns or []
        )
        return answer({"optIns": _assigned(in_), "optOuts": _assigned(out)})

    return router


def _with_default(asked: ConsentQuery) -> ConsentQuery:
    if asked.statuses is not None:
        return asked
    return ConsentQuery(senders=asked.senders, recipients=asked.recipients, statuses=_STATUSES["optout"])


def _view(consent: Consent) -> dict[str, str]:
    return dict(zip(COLUMNS, _row(consent), strict=True))


def _row(consent: Consent) -> tuple[str, ...]:
    return consent.sender, consent.recipient, str(consent.status), _SOURCES.get(consent.source, str(consent.source))


async def _rows(chunks: AsyncIterator[list[Consent]]) -> AsyncIterator[list[Sequence[str]]]:
    async for chunk in chunks:
        yield [_row(consent) for consent in chunk]


def _assigned(assigned: Assigned) -> dict[str, Any]:
    return {
        "successful": assigned.successful,
        "failed": [{"to": number, "errorMessage": reason} for number, reason in assigned.failed],
    }
