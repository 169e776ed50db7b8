"""Consents of SMS recipients, second version (wire contract, 6.6): list, search, change, history, export."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from bellwire.api.a2p_opt_outs import CONSENTS_TAG
from bellwire.api.a2p_parameters import MAX_PER_PAGE, AskedPaging, numbers_of
from bellwire.api.a2p_views import TokenPaging
from bellwire.api.authentication import own_account
from bellwire.api.bodies import optional_json
from bellwire.api.csv_answers import MEDIA_TYPE, csv_answer
from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import CALLED_WITH_TOKEN
from bellwire.api.routing import api_router
from bellwire.engine.assign_consents import ConsentAssignment, WantedConsent
from bellwire.engine.consent_lists import ConsentLists, HistoryQuestion
from bellwire.engine.page_tokens import MAX_TOKEN_LENGTH, TOKEN_PATTERN
from bellwire.errors import ErrorEntry, InvalidRequest
from bellwire.model.identity import Caller
from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from bellwire.model.sms_records import Consent, ConsentChange
from bellwire.ports.consents import ConsentQuery
from bellwire.sms.bodies import wire_time

PREFIX = "/restapi/v2/accounts/{accountId}/sms/consents"
DEFAULT_PER_PAGE = 100
MAX_NUMBERS_LISTED = 50
MAX_NUMBERS_SEARCHED = 20
MAX_PATCHED = 1000
COLUMNS = (
    "External Party Number",
    "Internal Party Number",
    "Consent Status",
    "Source",
    "Coverage",
    "Campaign Type",
    "Notes",
    "Last Modified Time",
)
_COVERAGES_EXPORTED = {ConsentCoverage.ACCOUNT: "Company"}
_ETAG = {"ETag": {"description": "Another one after each change", "required": True, "schema": {"type": "string"}}}

CampaignType = Literal["Conversational", "Informational", "Promotional"]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$", max_length=18)]


class _Wire(ApiModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Pair(_Wire):
    from_: E164 = Field(alias="from", description="The account's number.")
    to: E164
    opt_status: ConsentStatus
    source: ConsentSource


class ConsentView(_Pair):
    """Whether a recipient wants texts from one of the account's numbers."""

    coverage: ConsentCoverage
    last_modified_time: str = Field(json_schema_extra={"format": "date-time"})


class ConsentPage(_Wire):
    records: list[ConsentView]
    paging: TokenPaging


class ConsentChangeView(_Pair):
    """One change: when, by whom, and how."""

    created_at: str = Field(json_schema_extra={"format": "date-time"})
    extension_id: str = Field(default_factory=str, description="The user who made it; absent for others.")
    method: str = Field(description="How it came about, in a few words.")


class ConsentHistoryPage(_Wire):
    records: list[ConsentChangeView]
    paging: TokenPaging


class ConsentSearch(_Wire, RequestBody):
    """Which consents; what is left out is any."""

    from_: list[E164] | None = Field(default=None, alias="from", min_length=1, max_length=MAX_NUMBERS_SEARCHED)
    to: list[E164] | None = Field(default=None, min_length=1, max_length=MAX_NUMBERS_SEARCHED)
    opt_status: ConsentStatus | None = None
    coverage: list[ConsentCoverage] | None = Field(default=None, min_length=1)
    campaign_type: list[CampaignType] | None = Field(default=None, min_length=1)
    page_token: str | None = Field(default=None, max_length=MAX_TOKEN_LENGTH, pattern=TOKEN_PATTERN)
    per_page: int | None = Field(default=None, ge=1, strict=True)


class WantedConsentRecord(_Wire):
    """A consent to be set. The numbers are judged one by one; other keys are ignored."""

    from_: str = Field(alias="from", max_length=256, description="E.164; others are told back.")
    to: str = Field(max_length=256, description="E.164; others are told back.")
    opt_status: ConsentStatus
    source: ConsentSource
    coverage: ConsentCoverage = ConsentCoverage.PHONE_NUMBER


class ConsentPatch(_Wire, RequestBody):
    records: list[WantedConsentRecord] = Field(min_length=1, max_length=MAX_PATCHED)


class RecordError(_Wire):
    error_code: str
    message: str


class FailedRecord(_Wire):
    """A record that was not set, as it was given, and why."""

    from_: str = Field(alias="from")
    to: str
    opt_status: ConsentStatus
    source: ConsentSource
    error: RecordError


class ConsentPatchAnswer(_Wire):
    failed_records: list[FailedRecord] = Field(
        default_factory=list, description="There only if some could not be set; all others are."
    )


def sms_consent_routes(
    *, lists: ConsentLists, assignment: ConsentAssignment, caller: Callable[..., Awaitable[Caller]]
) -> APIRouter:
    """
    Args:
        caller: a dependency that gives the caller, whose application may use SMS.
    """
    router = api_router(PREFIX, tag=CONSENTS_TAG, responses=CALLED_WITH_TOKEN)
    with_etag: dict[int | str, dict[str, Any]] = {200: {"headers": _ETAG}}

    async def page_answer(known: Caller, query: ConsentQuery, token: str | None, per_page: int | None) -> Response:
        page = await lists.consents(
            known.account_id, query, token=token, per_page=per_page, default_per_page=DEFAULT_PER_PAGE
        )
        return _answer({"records": [_view(record) for record in page.records], "paging": page.paging()})

    @router.get("", response_model=ConsentPage, summary="List consents", deprecated=True, responses=with_etag)
    async def list_sms_consents(
        *,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        senders: Annotated[list[str] | None, Query(alias="from", description="From any of these (E.164).")] = None,
        recipients: Annotated[list[str] | None, Query(alias="to", description="To any of these (E.164).")] = None,
        opt_status: Annotated[
            list[ConsentStatus] | None, Query(alias="optStatus", description="`OptOut` by default.")
        ] = None,
        coverage: Annotated[list[ConsentCoverage] | None, Query()] = None,
        campaign_type: Annotated[list[CampaignType] | None, Query(alias="campaignType")] = None,
        paging: AskedPaging,
    ) -> Response:
        """By number."""
        own_account(known, accountId)
        statuses = frozenset(opt_status) if opt_status else None
        if statuses is None and paging.token is None:
            statuses = frozenset({ConsentStatus.OPT_OUT})
        query = ConsentQuery(
            senders=_some(senders, "from", MAX_NUMBERS_LISTED),
            recipients=_some(recipients, "to", MAX_NUMBERS_LISTED),
            statuses=statuses,
            coverages=frozenset(coverage) if coverage else None,
            campaign_types=frozenset(campaign_type) if campaign_type else None,
        )
        return await page_answer(known, query, paging.token, paging.per_page)

    @router.post("/search", response_model=ConsentPage, summary="Search consents", responses=with_etag)
    async def search_sms_consents(
        accountId: str,  # noqa: N803
        known: Caller = Depends(caller),
        asked: ConsentSearch | None = Depends(optional_json(ConsentSearch)),
    ) -> Response:
        """By number."""
        own_account(known, accountId)
        asked = asked or ConsentSearch()
        query = ConsentQuery(
            senders=tuple(sorted(set(asked.from_ or ()))),
            recipients=tuple(sorted(set(asked.to or ()))),
            statuses=frozenset({asked.opt_status}) if asked.opt_status is not None else None,
            coverages=frozenset(asked.coverage) if asked.coverage else None,
            campaign_types=frozenset(asked.campaign_type) if asked.campaign_type else None,
        )
        per_page = None if asked.per_page is None else min(asked.per_page, MAX_PER_PAGE)
        return await page_answer(known, query, asked.page_token, per_page)

    @router.patch("", response_model=ConsentPatchAnswer, summary="Set consents", responses=with_etag)
    async def patch_sms_consents(
        accountId: str,  # noqa: N803
        wanted: ConsentPatch,
        known: Caller = Depends(caller),
    ) -> Response:
        """What can't be set is told back; all else is set. History remembers who asked for it."""
        own_account(known, accountId)
        failed = await assignment.patch(known, [_wanted(record) for record in wanted.records])
        return _answer({"failedRecords": [_failed(record, error) for record, error in failed]} if failed else {})

    @router.get("/history", response_model=ConsentHistoryPage, summary="List changes", responses=with_etag)
    async def list_sms_consent_history(
        *,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        recipients: Annotated[list[str] | None, Query(alias="to", description="Of any of these (E.164).")] = None,
        paging: AskedPaging,
    ) -> Response:
        """In the order in which they were made."""
        account = own_account(known, accountId)
        page = await lists.history(
            account,
            HistoryQuestion(_some(recipients, "to", MAX_NUMBERS_SEARCHED)),
            token=paging.token,
            per_page=paging.per_page,
            default_per_page=DEFAULT_PER_PAGE,
        )
        return _answer({"records": [_change_view(change) for _, change in page.records], "paging": page.paging()})

    @router.get(
        "/export",
        summary="All consents as a table",
        response_class=Response,
        responses={200: {"headers": _ETAG, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def export_sms_consents(
        accountId: str,  # noqa: N803
        known: Caller = Depends(caller),
    ) -> Response:
        """CSV, streamed."""
        account = own_account(known, accountId)
        etag = {"ETag": f'"{account}-{await lists.version(account)}"'}
        chunks = lists.all_consents(account, ConsentQuery())
        return csv_answer(COLUMNS, _rows(chunks), file_name="sms-consents.csv", headers=etag)

    return router


def _some(values: list[str] | None, parameter: str, most: int) -> tuple[str, ...]:
    if values is not None and len(values) > most:
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [{parameter}] value is invalid: at most {most} numbers are looked for at once",
            parameter=parameter,
        )
    return numbers_of(values, parameter)


def _answer(content: dict[str, Any]) -> Response:
    """JSON with a tag of what it says."""
    encoded = msgspec.json.encode(content)
    etag = f'"{hashlib.sha256(encoded).hexdigest()[:32]}"'
    return Response(encoded, media_type="application/json", headers={"ETag": etag})


def _view(consent: Consent) -> dict[str, str]:
    return {
        "from": consent.sender,
        "to": consent.recipient,
        "optStatus": str(consent.status),
        "source": str(consent.source),
        "coverage": str(consent.coverage),
        "lastModifiedTime": wire_time(consent.modified_at),
    }


def _change_view(change: ConsentChange) -> dict[str, str]:
    view = {
        "from": change.sender,
        "to": change.recipient,
        "optStatus": str(change.status),
        "source": str(change.source),
        "createdAt": wire_time(change.created_at),
        "method": change.method,
    }
    return view if change.actor is None else {**view, "extensionId": change.actor}


def _wanted(record: WantedConsentRecord) -> WantedConsent:
    return WantedConsent(
        sender=record.from_,
        recipient=record.to,
        status=record.opt_status,
        source=record.source,
        coverage=record.coverage,
    )


def _failed(record: WantedConsent, error: ErrorEntry) -> dict[str, Any]:
    return {
        "from": record.sender,
        "to": record.recipient,
        "optStatus": str(record.status),
        "source": str(record.source),
        "error": {"errorCode": error.code, "message": error.message, "parameterName": error.parameter},
    }


async def _rows(chunks: AsyncIterator[list[Consent]]) -> AsyncIterator[list[Sequence[str]]]:
    async for chunk in chunks:
        yield [_row(consent) for consent in chunk]


def _row(consent: Consent) -> tuple[str, ...]:
    return (
        consent.recipient,
        consent.sender,
        str(consent.status),
        str(consent.source),
        _COVERAGES_EXPORTED.get(consent.coverage, str(consent.coverage)),
        consent.campaign_type or "",
        consent.notes or "",
        wire_time(consent.modified_at),
    )
