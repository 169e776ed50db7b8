"""What an administrator may ask for, with every limit. The admin API reads these from JSON as they are (camelCase).

`New…` makes a record. `…Changes` changes the fields that are given and not null; null clears the fields that `CLEARS`
names and leaves others as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from bellwire.model.directory import ExtensionType, Status
from bellwire.model.identity import BlacklistPolicy, Grant
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import ORDINARY_USER, Permission, UserPermission

MIN_PASSWORD_CHARACTERS = 8
MAX_WATCHED = 200
MAX_REDIRECT_URIS = 20
MAX_JWT_CLIENTS = 50


def _without_uniqueness(schema: dict[str, Any]) -> None:
    """A set may be written with repetitions, and its schema must not say otherwise."""
    schema.pop("uniqueItems", None)


_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_ID = StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
AccountRef = Annotated[AccountId, _ID]
ExtensionRef = Annotated[ExtensionId, _ID]
ClientRef = Annotated[ClientId, _ID]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]$")]
PersonName = Annotated[str, StringConstraints(max_length=64, pattern=_PRINTABLE)]
E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$", max_length=16)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$")]
ExtensionNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,8}$", max_length=8)]
RedirectUri = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+$")]
UserName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=128, pattern=r"^[^\s*\x00-\x1f\x7f]*[^\s*\x00-\x1f\x7f0-9()+.-][^\s*\x00-\x1f\x7f]*$"
    ),
]
"""No blanks, no `*`, and not made of a phone number's characters alone: a login may name a number as well."""

ExtensionIds = Annotated[tuple[ExtensionRef, ...], Field(max_length=MAX_WATCHED)]
_Repeatable = Field(json_schema_extra=_without_uniqueness)
Permissions = Annotated[frozenset[Permission], _Repeatable]
UserPermissions = Annotated[frozenset[UserPermission], _Repeatable]
Grants = Annotated[frozenset[Grant], _Repeatable]
Feature = Literal["CallerId", "SmsSender", "A2PSmsSender", "MmsSender", "InternationalSmsSender", "Delegated"]
Features = Annotated[tuple[Feature, ...], Field(max_length=6)]
UsageType = Literal[
    "MainCompanyNumber",
    "AdditionalCompanyNumber",
    "CompanyNumber",
    "DirectNumber",
    "CompanyFaxNumber",
    "ForwardedNumber",
    "ForwardedCompanyNumber",
    "ContactCenterNumber",
    "ConferencingNumber",
    "NumberPool",
    "BusinessMobileNumber",
    "IntegrationNumber",
]
NumberType = Literal["VoiceFax", "VoiceOnly", "FaxOnly"]
PaymentType = Literal["External", "TollFree", "Local", "Mobile"]
DeviceType = Literal["BLA", "SoftPhone", "OtherPhone", "HardPhone", "WebPhone", "Paging", "Room", "WebRTC"]
RateLimitFactor = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False, strict=True)]
"""Times the documented rate limits."""


class Command(BaseModel):
    """One order of an administrator."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
    )

    CLEARS: ClassVar[frozenset[str]] = frozenset()

    def changes(self) -> dict[str, Any]:
        """The fields to change, by name."""
        return {
            name: value
            for name in self.model_fields_set
            if (value := getattr(self, name)) is not None or name in self.CLEARS
        }


class NewAccount(Command):
    company_name: Name
    main_number: E164 | None = None
    status: Status = Status.ENABLED


class AccountChanges(Command):
    CLEARS: ClassVar[frozenset[str]] = frozenset({"main_number"})

    company_name: Name | None = None
    main_number: E164 | None = None
    status: Status | None = None


class NewExtension(Command):
    extension_number: ExtensionNumber
    first_name: Annotated[PersonName, Field(min_length=1)]
    last_name: PersonName = ""
    email: Email | None = None
    type: ExtensionType = ExtensionType.USER
    status: Status = Status.ENABLED
    is_admin: StrictBool = False
    permissions: UserPermissions = ORDINARY_USER
    monitored_lines: ExtensionIds = ()
    favorites: ExtensionIds = ()


class ExtensionChanges(Command):
    CLEARS: ClassVar[frozenset[str]] = frozenset({"email"})

    extension_number: ExtensionNumber | None = None
    first_name: Annotated[PersonName, Field(min_length=1)] | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    type: ExtensionType | None = None
    status: Status | None = None
    is_admin: StrictBool | None = None
    permissions: UserPermissions | None = None
    monitored_lines: ExtensionIds | None = None
    favorites: ExtensionIds | None = None


class NewNumber(Command):
    phone_number: E164
    extension_id: ExtensionRef | None = None
    usage_type: UsageType = "DirectNumber"
    type: NumberType = "VoiceFax"
    payment_type: PaymentType = "Local"
    features: Features = ("CallerId", "SmsSender")
    label: Name | None = None
    status: Status = Status.ENABLED


class NumberChanges(Command):
    CLEARS: ClassVar[frozenset[str]] = frozenset({"extension_id", "label"})

    extension_id: ExtensionRef | None = None
    usage_type: UsageType | None = None
    type: NumberType | None = None
    payment_type: PaymentType | None = None
    features: Features | None = None
    label: Name | None = None
    status: Status | None = None


class NewDevice(Command):
    name: Name
    extension_id: ExtensionRef | None = None
    type: DeviceType = "HardPhone"
    status: Status = Status.ENABLED


class DeviceChanges(Command):
    CLEARS: ClassVar[frozenset[str]] = frozenset({"extension_id"})

    name: Name | None = None
    extension_id: ExtensionRef | None = None
    type: DeviceType | None = None
    status: Status | None = None


class NewApplication(Command):
    name: Name
    is_public: StrictBool = Field(default=False, description="A public client has no secret and proves itself by PKCE.")
    permissions: Permissions
    grants: Grants = frozenset(Grant)
    redirect_uris: Annotated[tuple[RedirectUri, ...], Field(max_length=MAX_REDIRECT_URIS)] = ()
    account_id: AccountRef | None = None
    rate_limit_factor: RateLimitFactor = 1.0
    status: Status = Status.ENABLED
    blacklist_policy: BlacklistPolicy | None = Field(
        default=None, description="Whether blacklisted subscriptions heal by themselves; null is the server's setting."
    )


class ApplicationChanges(Command):
    CLEARS: ClassVar[frozenset[str]] = frozenset({"blacklist_policy"})

    name: Name | None = None
    permissions: Permissions | None = None
    grants: Grants | None = None
    redirect_uris: Annotated[tuple[RedirectUri, ...], Field(max_length=MAX_REDIRECT_URIS)] | None = None
    rate_limit_factor: RateLimitFactor | None = None
    status: Status | None = None
    blacklist_policy: BlacklistPolicy | None = Field(
        default=None, description="Whether blacklisted subscriptions heal by themselves; null is the server's setting."
    )


class LoginChanges(Command):
    """A user's name and password; a new password also lifts a lock."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    CLEARS: ClassVar[frozenset[str]] = frozenset({"user_name"})

    user_name: UserName | None = None
    password: (
        Annotated[SecretStr, Field(json_schema_extra={"minLength": MIN_PASSWORD_CHARACTERS, "maxLength": 256})] | None
    ) = Field(
        default=None, description="Its length is checked where it is stored, so that a refusal doesn't repeat it."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.changes():
            raise ValueError("userName, password or both have to be given")
        return self


class NewJwt(Command):
    label: Name = "JWT"
    client_ids: tuple[ClientRef, ...] = Field(
        default=(), max_length=MAX_JWT_CLIENTS, description="The applications that may use it; none means all."
    )
    expires_at: AwareDatetime | None = None


class NewAdminKey(Command):
    label: Name
    account_id: AccountRef | None = Field(
        default=None, description="The only account that it is good for; null is all."
    )


class NewPublisherKey(NewAdminKey):
    default_account_id: AccountRef | None = Field(
        default=None, description="For a key that is good for all: the account of events that don't say theirs."
    )


class KeyChanges(Command):
    label: Name | None = None
    status: Status | None = None
