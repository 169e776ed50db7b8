"""What the admin API answers: records as JSON in camelCase, without hashes, and pages of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Depends, Path, Query
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bellwire.api.model import ApiModel
from bellwire.engine.provision_applications import ApplicationWithSecret
from bellwire.engine.provision_credentials import JwtWithToken, KeyWithSecret
from bellwire.engine.provision_scope import Page
from bellwire.model.directory import ExtensionType, Status
from bellwire.model.identity import BlacklistPolicy, Grant, JwtCredential, KeyKind, UserLogin
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission, UserPermission

MAX_PAGE = 1000
DEFAULT_PAGE = 100
_ID = r"^[A-Za-z0-9_-]+$"

AccountPath = Annotated[AccountId, Path(alias="accountId", max_length=64, pattern=_ID)]
ExtensionPath = Annotated[ExtensionId, Path(alias="extensionId", max_length=64, pattern=_ID)]
NumberPath = Annotated[str, Path(alias="numberId", max_length=64, pattern=_ID)]
DevicePath = Annotated[str, Path(alias="deviceId", max_length=64, pattern=_ID)]
ClientPath = Annotated[ClientId, Path(alias="clientId", max_length=64, pattern=_ID)]
JtiPath = Annotated[str, Path(alias="jti", max_length=64, pattern=_ID)]
KeyPath = Annotated[str, Path(alias="keyId", max_length=64, pattern=_ID)]

V = TypeVar("V", bound="View")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


def paging(
    limit: int = Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE, description="How many records to answer at most."),
    cursor: str | None = Query(
        default=None, min_length=1, max_length=64, pattern=_ID, description="`nextCursor` of the page before."
    ),
) -> Paging:
    return Paging(limit, cursor)


Part = Annotated[Paging, Depends(paging)]


class View(ApiModel):
    """One record as it is answered, read off the record's attributes."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        from_attributes=True,
        frozen=True,
    )

    @classmethod
    def of(cls, record: object) -> Self:
        return cls.model_validate(record)


class PageView(View, Generic[V]):
    """Records in the order of their ids. `nextCursor` is null on the last page."""

    records: list[V]
    next_cursor: str | None


def page_view(view: type[V], page: Page[T]) -> PageView[V]:
    return PageView[view](records=[view.of(record) for record in page.records], next_cursor=page.next_cursor)  # type: ignore[valid-type]  # built at run time


Sorted = BeforeValidator(sorted)
"""Sets are answered in a stable order."""


class AccountView(View):
    id: AccountId
    company_name: str
    main_number: str | None
    status: Status


class ExtensionView(View):
    id: ExtensionId
    account_id: AccountId
    extension_number: str
    first_name: str
    last_name: str
    email: str | None
    type: ExtensionType
    status: Status
    is_admin: bool
    permissions: Annotated[list[UserPermission], Sorted]
    monitored_lines: list[ExtensionId]
    favorites: list[ExtensionId]


class NumberView(View):
    id: str
    account_id: AccountId
    phone_number: str
    extension_id: ExtensionId | None
    usage_type: str
    type: str
    payment_type: str
    features: list[str]
    label: str | None
    status: Status


class DeviceView(View):
    id: str
    account_id: AccountId
    extension_id: ExtensionId | None
    name: str
    type: str
    status: Status


class ApplicationView(View):
    client_id: ClientId
    name: str
    is_public: bool
    permissions: Annotated[list[Permission], Sorted]
    grants: Annotated[list[Grant], Sorted]
    redirect_uris: list[str]
    account_id: AccountId | None = Field(
        description="The only account whose users may log in with it; null is every account."
    )
    rate_limit_factor: float
    status: Status
    blacklist_policy: BlacklistPolicy | None = Field(
        description="Whether blacklisted subscriptions heal by themselves; null is the server's setting."
    )


class ApplicationSecretView(ApplicationView):
    client_secret: str | None = Field(description="Shown this once; null for a public client.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, ApplicationWithSecret)
        fields = ApplicationView.of(record.application).model_dump()
        return cls(**fields, client_secret=record.client_secret)


class LoginView(View):
    extension_id: ExtensionId
    user_name: str | None
    has_password: bool
    locked_until: datetime | None

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, UserLogin)
        return cls(
            extension_id=record.extension_id,
            user_name=record.user_name,
            has_password=record.password_hash is not None,
            locked_until=record.locked_until,
        )


class JwtView(View):
    jti: str
    extension_id: ExtensionId
    label: str
    created_at: datetime
    client_ids: list[ClientId] = Field(description="The applications that may use it; empty is all.")
    expires_at: datetime | None
    revoked: bool


class JwtTokenView(JwtView):
    token: str = Field(description="Shown this once.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, JwtWithToken)
        credential: JwtCredential = record.credential
        return cls(**JwtView.of(credential).model_dump(), token=record.token)


class KeyView(View):
    id: str
    kind: KeyKind
    label: str
    account_id: AccountId | None = Field(description="The only account that it is good for; null is all.")
    default_account_id: AccountId | None
    created_at: datetime
    status: Status


class KeySecretView(KeyView):
    key: str = Field(description="Shown this once.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, KeyWithSecret)
        return cls(**KeyView.of(record.record).model_dump(), key=record.key)
