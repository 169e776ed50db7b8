"""Accounts and what belongs to them: extensions, phone numbers, devices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.permission import ORDINARY_USER, UserPermission


class Status(StrEnum):
    """Whether a record takes part. A disabled account or extension can't log in and gets no notifications."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class ExtensionType(StrEnum):
    USER = "User"
    CALL_QUEUE = "Department"
    """The wire's name for a call queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: AccountId
    company_name: str
    main_number: str | None = None
    """E.164."""
    status: Status = Status.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    id: ExtensionId
    account_id: AccountId
    extension_number: str
    first_name: str
    last_name: str = ""
    email: str | None = None
    type: ExtensionType = ExtensionType.USER
    status: Status = Status.ENABLED
    is_admin: bool = False
    permissions: frozenset[UserPermission] = ORDINARY_USER
    monitored_lines: tuple[ExtensionId, ...] = ()
    """Extensions whose presence this one is told on `presence/line/presence`."""
    favorites: tuple[ExtensionId, ...] = ()
    """Extensions whose presence this one is told on `favorite/presence`."""

    def may(self, permission: UserPermission) -> bool:
        return self.is_admin or permission in self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneNumber:
    id: str
    account_id: AccountId
    phone_number: str
    """E.164."""
    extension_id: ExtensionId | None = None
    usage_type: str = "DirectNumber"
    """MainCompanyNumber, DirectNumber, CompanyNumber, …"""
    type: str = "VoiceFax"
    payment_type: str = "Local"
    """Local or TollFree."""
    features: tuple[str, ...] = ("CallerId", "SmsSender")
    """`A2PSmsSender` among them: the number may send High Volume SMS."""
    label: str | None = None
    status: Status = Status.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    id: str
    account_id: AccountId
    extension_id: ExtensionId | None
    name: str
    type: str = "HardPhone"
    status: Status = Status.ENABLED
