"""What clients read about the account: itself, its extensions, and an extension's phone numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from bellwire.api.authentication import (
    Authenticator,
    own_account,
    require_scope,
    require_user_permission,
    visible_extension,
)
from bellwire.api.model import ApiModel
from bellwire.api.problems import CALLED_WITH_TOKEN
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateGroup
from bellwire.api.routing import api_router
from bellwire.errors import NotFound
from bellwire.model.directory import Account, Extension, PhoneNumber, Status
from bellwire.model.identity import Caller
from bellwire.model.permission import Permission, UserPermission
from bellwire.ports.identity import Directory

MAX_PER_PAGE = 1000
_MAX_PAGE = 1000

_T = TypeVar("_T")

Page = Annotated[int, Query(ge=1, le=_MAX_PAGE)]
PerPage = Annotated[int, Query(ge=1, description=f"More than {MAX_PER_PAGE} is {MAX_PER_PAGE}.")]
ExtensionStatus = Literal["", "Enabled", "Disabled", "Frozen", "NotActivated", "Unassigned"]
NumberStatus = Literal["", "Normal", "Pending", "PortedIn", "Temporary", "Unknown"]


class _Wire(ApiModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class AccountLink(_Wire):
    id: str
    uri: str


class AccountInfo(AccountLink):
    """The caller's account."""

    main_number: str | None = None
    status: Literal["Confirmed", "Disabled"]
    setup_wizard_state: Literal["Completed"] = "Completed"


class ExtensionContact(_Wire):
    first_name: str
    last_name: str
    name: str
    company: str
    email: str | None = None


class Toggle(_Wire):
    enabled: bool


class ExtensionPermissions(_Wire):
    admin: Toggle
    international_calling: Toggle


class ExtensionSummary(_Wire):
    """One extension in a list."""

    id: int
    uri: str
    extension_number: str
    name: str
    type: str
    status: str
    hidden: bool = False
    contact: ExtensionContact
    permissions: ExtensionPermissions


class ExtensionInfo(ExtensionSummary):
    """One extension."""

    account: AccountLink
    setup_wizard_state: Literal["Completed"] = "Completed"


class Paging(_Wire):
    page: int
    per_page: int
    page_start: int | None = None
    page_end: int | None = None
    total_pages: int
    total_elements: int


class PageLink(_Wire):
    uri: str


class Navigation(_Wire):
    first_page: PageLink
    next_page: PageLink | None = None
    previous_page: PageLink | None = None
    last_page: PageLink


class ExtensionList(_Wire):
    uri: str
    records: list[ExtensionSummary]
    navigation: Navigation
    paging: Paging


class NumberExtension(_Wire):
    id: int
    uri: str
    extension_number: str


class PhoneNumberInfo(_Wire):
    """One phone number; `features` has `A2PSmsSender` where it may send High Volume SMS."""

    id: int | str
    uri: str
    phone_number: str
    usage_type: str
    type: str
    payment_type: str
    status: Literal["Normal"] = "Normal"
    features: list[str]
    label: str | None = None
    extension: NumberExtension | None = None


class NumberList(_Wire):
    uri: str
    records: list[PhoneNumberInfo]
    navigation: Navigation
    paging: Paging


def directory_routes(*, directory: Directory, authenticator: Authenticator, public_url: PublicUrl) -> APIRouter:
    """Account, extension, extension list and extension phone numbers."""
    router = api_router("/restapi/v1.0/account/{accountId}", tag="Account", responses=CALLED_WITH_TOKEN)
    light = Depends(authenticator.caller(RateGroup.LIGHT))
    medium = Depends(authenticator.caller(RateGroup.MEDIUM))

    def checked_account(caller: Caller, account_id: str) -> Account:
        require_scope(caller, Permission.READ_ACCOUNTS, Permission.EDIT_ACCOUNTS)
        account = directory.account(own_account(caller, account_id))
        if account is None:  # removed while the request ran
            raise NotFound("CMN-102", "Resource for parameter [accountId] is not found", parameter="accountId")
        return account

    @router.get("", response_model=AccountInfo, response_model_exclude_none=True)
    async def read_account(request: Request, accountId: str, caller: Caller = light) -> AccountInfo:  # noqa: N803
        """The caller's account."""
        account = checked_account(caller, accountId)
        return AccountInfo(
            id=account.id,
            uri=_account_uri(public_url.base(request), account),
            main_number=account.main_number,
            status="Confirmed" if account.status is Status.ENABLED else "Disabled",
        )

    @router.get("/extension", response_model=ExtensionList, response_model_exclude_none=True)
    async def list_extensions(
        *,
        request: Request,
        accountId: str,  # noqa: N803
        extension_number: Annotated[str | None, Query(alias="extensionNumber", max_length=8)] = None,
        email: Annotated[list[str], Query(default_factory=list)],
        status: Annotated[list[ExtensionStatus], Query(default_factory=list)],
        type_: Annotated[list[str], Query(default_factory=list, alias="type")],
        page: Page = 1,
        per_page: Annotated[PerPage, Query(alias="perPage")] = 100,
        caller: Caller = medium,
    ) -> ExtensionList:
        """The account's extensions, by extension number."""
        account = checked_account(caller, accountId)
        require_user_permission(directory, caller, UserPermission.READ_EXTENSIONS)
        base = public_url.base(request)
        found = [
            extension
            for extension in directory.extensions(account.id)
            if extension_number in (None, "", extension.extension_number)
            and _fits(email, extension.email)
            and _fits(status, extension.status)
            and _fits(type_, extension.type)
        ]
        found.sort(key=lambda e: (len(e.extension_number), e.extension_number))
        uri = f"{_account_uri(base, account)}/extension"
        shown, paging, navigation = _page(request, uri, found, page, per_page)
        records = [_summary(base, account, extension) for extension in shown]
        return ExtensionList(uri=uri, records=records, paging=paging, navigation=navigation)

    @router.get("/extension/{extensionId}", response_model=ExtensionInfo, response_model_exclude_none=True)
    async def read_extension(
        request: Request,
        accountId: str,  # noqa: N803
        extensionId: str,  # noqa: N803
        caller: Caller = light,
    ) -> ExtensionInfo:
        """One extension of the account."""
        account = checked_account(caller, accountId)
        extension = visible_extension(directory, caller, extensionId, UserPermission.READ_EXTENSIONS)
        base = public_url.base(request)
        summary = _summary(base, account, extension)
        link = AccountLink(id=account.id, uri=_account_uri(base, account))
        return ExtensionInfo(**summary.model_dump(), account=link)

    @router.get("/extension/{extensionId}/phone-number", response_model=NumberList, response_model_exclude_none=True)
    async def list_extension_phone_numbers(
        *,
        request: Request,
        accountId: str,  # noqa: N803
        extensionId: str,  # noqa: N803
        status: Annotated[NumberStatus | None, Query()] = None,
        usage_type: Annotated[list[str], Query(default_factory=list, alias="usageType")],
        page: Page = 1,
        per_page: Annotated[PerPage, Query(alias="perPage")] = 100,
        caller: Caller = light,
    ) -> NumberList:
        """The extension's own numbers, and the company's that belong to no extension. Disabled ones are left out."""
        account = checked_account(caller, accountId)
        extension = visible_extension(directory, caller, extensionId, UserPermission.READ_COMPANY_PHONE_NUMBERS)
        base = public_url.base(request)
        found = [
            number
            for number in directory.numbers(account.id)
            if number.extension_id in (None, extension.id)
            and number.status is Status.ENABLED
            and status in (None, "", "Normal")
            and _fits(usage_type, number.usage_type)
        ]
        found.sort(key=lambda number: number.phone_number)
        uri = f"{_extension_uri(base, account, extension)}/phone-number"
        shown, paging, navigation = _page(request, uri, found, page, per_page)
        records = [_number(base, account, extension, number) for number in shown]
        return NumberList(uri=uri, records=records, paging=paging, navigation=navigation)

    return router


def _fits(wanted: Sequence[str], value: str | None) -> bool:
    """Whether a value is among those of a filter; no filter, or an empty one, takes all."""
    return not any(wanted) or value in wanted


def _account_uri(base: str, account: Account) -> str:
    return f"{base}/restapi/v1.0/account/{account.id}"


def _extension_uri(base: str, account: Account, extension: Extension) -> str:
    return f"{_account_uri(base, account)}/extension/{extension.id}"


def _summary(base: str, account: Account, extension: Extension) -> ExtensionSummary:
    name = f"{extension.first_name} {extension.last_name}".strip()
    return ExtensionSummary(
        id=int(extension.id),
        uri=_extension_uri(base, account, extension),
        extension_number=extension.extension_number,
        name=name,
        type=extension.type,
        status=extension.status,
        contact=ExtensionContact(
            first_name=extension.first_name,
            last_name=extension.last_name,
            name=name,
            company=account.company_name,
            email=extension.email,
        ),
        permissions=ExtensionPermissions(
            admin=Toggle(enabled=extension.is_admin), international_calling=Toggle(enabled=False)
        ),
    )


def _number(base: str, account: Account, extension: Extension, number: PhoneNumber) -> PhoneNumberInfo:
    owner = None
    if number.extension_id == extension.id:
        owner = NumberExtension(
            id=int(extension.id),
            uri=_extension_uri(base, account, extension),
            extension_number=extension.extension_number,
        )
    return PhoneNumberInfo(
        id=int(number.id) if number.id.isdecimal() and number.id.isascii() else number.id,
        uri=f"{_account_uri(base, account)}/phone-number/{number.id}",
        phone_number=number.phone_number,
        usage_type=number.usage_type,
        type=number.type,
        payment_type=number.payment_type,
        features=list(number.features),
        label=number.label,
        extension=owner,
    )


def _page(
    request: Request, uri: str, found: Sequence[_T], page: int, per_page: int
) -> tuple[Sequence[_T], Paging, Navigation]:
    """The records of one page, with what stands beside them. A page after the last has no records."""
    per_page = min(per_page, MAX_PER_PAGE)
    pages = max(1, -(-len(found) // per_page))
    start = (page - 1) * per_page
    shown = found[start : start + per_page]
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in ("page", "perPage", "access_token")]

    def link(number: int) -> PageLink:
        return PageLink(uri=f"{uri}?{urlencode([*kept, ('page', number), ('perPage', per_page)])}")

    return (
        shown,
        Paging(
            page=page,
            per_page=per_page,
            page_start=start if shown else None,
            page_end=start + len(shown) - 1 if shown else None,
            total_pages=pages,
            total_elements=len(found),
        ),
        Navigation(
            first_page=link(1),
            next_page=link(page + 1) if page < pages else None,
            previous_page=link(min(page - 1, pages)) if page > 1 else None,
            last_page=link(pages),
        ),
    )
