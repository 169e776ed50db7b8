"""The tables of `records.db`, in SQLAlchemy Core; SQLite today, and types that PostgreSQL has too.

Column names are the field names of the records in `model/`, so that a row and a record are each other's keyword
arguments (`rows.py`). Lists are JSON. A subscription has no foreign keys: it lives in the engine's memory as well, and
its record must stay writable while the engine is still letting go of one whose owner was removed.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    false,
)
from sqlalchemy.types import TypeDecorator

from bellwire.model.directory import ExtensionType, Status
from bellwire.model.identity import BlacklistPolicy, Grant, KeyKind
from bellwire.model.instants import from_microseconds, to_microseconds
from bellwire.model.permission import Permission, UserPermission
from bellwire.model.subscription import SubscriptionApi, SubscriptionStatus, TransportType

Condition = ColumnElement[bool]


class Instant(TypeDecorator[datetime]):
    """An aware datetime as microseconds since the epoch: sorts as it should and comes back exactly, in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


class Members(TypeDecorator[frozenset[Any]]):
    """A set of one string enumeration as a sorted JSON list. A member that this release doesn't know is left out."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__()
        self.kind = kind
        self._members = {member.value: member for member in kind}

    def process_bind_param(self, value: frozenset[Any] | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else sorted(member.value for member in value)

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> frozenset[Any] | None:
        return None if value is None else frozenset(self._members[name] for name in value if name in self._members)


class Strings(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings as a JSON list."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(value)


class Member(TypeDecorator[Any]):
    """One member of a string enumeration, as its value."""

    impl = String
    cache_ok = True

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self.kind(value)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _account(*, nullable: bool = False) -> Column[Any]:
    return Column("account_id", String, ForeignKey("account.id", ondelete="CASCADE"), nullable=nullable, index=True)


def _extension(*, nullable: bool = False) -> Column[Any]:
    on_delete = "SET NULL" if nullable else "CASCADE"
    return Column("extension_id", String, ForeignKey("extension.id", ondelete=on_delete), nullable=nullable, index=True)


def _client() -> Column[Any]:
    return Column("client_id", String, ForeignKey("application.client_id", ondelete="CASCADE"), nullable=False)


account = Table(
    "account",
    METADATA,
    Column("id", String, primary_key=True),
    Column("company_name", String, nullable=False),
    Column("main_number", String),
    Column("status", Member(Status), nullable=False),
)

extension = Table(
    "extension",
    METADATA,
    Column("id", String, primary_key=True),
    _account(),
    Column("extension_number", String, nullable=False),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("email", String),
    Column("type", Member(ExtensionType), nullable=False),
    Column("status", Member(Status), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("permissions", Members(UserPermission), nullable=False),
    Column("monitored_lines", Strings, nullable=False),
    Column("favorites", Strings, nullable=False),
    Index(None, "account_id", "extension_number", unique=True),
)

phone_number = Table(
    "phone_number",
    METADATA,
    Column("id", String, primary_key=True),
    _account(),
    Column("phone_number", String, nullable=False, unique=True),
    _extension(nullable=True),
    Column("usage_type", String, nullable=False),
    Column("type", String, nullable=False),
    Column("payment_type", String, nullable=False),
    Column("features", Strings, nullable=False),
    Column("label", String),
    Column("status", Member(Status), nullable=False),
)

device = Table(
    "device",
    METADATA,
    Column("id", String, primary_key=True),
    _account(),
    _extension(nullable=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    Column("status", Member(Status), nullable=False),
)

application = Table(
    "application",
    METADATA,
    Column("client_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("secret_hash", LargeBinary),
    Column("permissions", Members(Permission), nullable=False),
    Column("grants", Members(Grant), nullable=False),
    Column("redirect_uris", Strings, nullable=False),
    _account(nullable=True),
    Column("rate_limit_factor", Float, nullable=False),
    Column("status", Member(Status), nullable=False),
    Column("blacklist_policy", Member(BlacklistPolicy)),
)

user_login = Table(
    "user_login",
    METADATA,
    Column("extension_id", String, ForeignKey("extension.id", ondelete="CASCADE"), primary_key=True),
    Column("user_name", String, unique=True),
    Column("password_hash", LargeBinary),
    Column("failed_attempts", Integer, nullable=False),
    Column("locked_until", Instant),
)

jwt_credential = Table(
    "jwt_credential",
    METADATA,
    Column("jti", String, primary_key=True),
    _extension(),
    Column("label", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("client_ids", Strings, nullable=False),
    Column("expires_at", Instant),
    Column("revoked", Boolean, nullable=False),
)

api_key = Table(
    "api_key",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", Member(KeyKind), nullable=False),
    Column("label", String, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    _account(nullable=True),
    Column("default_account_id", String, ForeignKey("account.id", ondelete="SET NULL")),
    Column("created_at", Instant, nullable=False),
    Column("status", Member(Status), nullable=False),
)

session = Table(
    "session",
    METADATA,
    Column("id", String, primary_key=True),
    _client(),
    _extension(),
    _account(),
    Column("scope", Members(Permission), nullable=False),
    Column("endpoint_id", String, nullable=False),
    Column("access_hash", LargeBinary, nullable=False, unique=True),
    Column("access_expires_at", Instant, nullable=False),
    Column("refresh_hash", LargeBinary, unique=True),
    Column("refresh_expires_at", Instant),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("refresh_ttl_seconds", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("previous_access_hash", LargeBinary, index=True),
    Column("previous_refresh_hash", LargeBinary, index=True),
    Column("refreshed_at", Instant),
    Column("present_pair_sealed", LargeBinary),
    Column("present_access_used_at", Instant),
    Index(None, "client_id", "extension_id"),
)

authorization_code = Table(
    "authorization_code",
    METADATA,
    Column("code_hash", LargeBinary, primary_key=True),
    _client(),
    _extension(),
    Column("redirect_uri", String, nullable=False),
    Column("redirect_uri_given", Boolean, nullable=False),
    Column("scope", Members(Permission), nullable=False),
    Column("code_challenge", String),
    Column("code_challenge_method", String, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

installation = Table(
    "installation",
    METADATA,
    Column("id", String, primary_key=True),
    Column("proof_sealed", LargeBinary, nullable=False),
)

memo = Table(
    "memo",
    METADATA,
    Column("name", String, primary_key=True),
    Column("text_sealed", LargeBinary, nullable=False),
)

subscription = Table(
    "subscription",
    METADATA,
    Column("id", String, primary_key=True),
    Column("api", Member(SubscriptionApi), nullable=False),
    Column("account_id", String, nullable=False, index=True),
    Column("owner_id", String, nullable=False, index=True),
    Column("client_id", String, nullable=False, index=True),
    Column("transport", Member(TransportType), nullable=False),
    Column("address", String),
    Column("verification_token_sealed", LargeBinary),
    Column("signing_secret_sealed", LargeBinary),
    Column("disabled_filters", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("lifetime_seconds", Integer, nullable=False),
    Column("status", Member(SubscriptionStatus), nullable=False),
    Column("blacklisted_at", Instant),
    Column("blacklisted_reason", String),
    Column("paused", Boolean, nullable=False, server_default=false()),
)

filter_version = Table(
    "filter_version",
    METADATA,
    Column("subscription_id", String, ForeignKey("subscription.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("filters", Strings, nullable=False),
    Column("from_position", BigInteger, nullable=False),
    Column("until_position", BigInteger),
)

tombstone = Table(
    "tombstone",
    METADATA,
    Column("subscription_id", String, primary_key=True),
    Column("api", Member(SubscriptionApi), primary_key=True),
    Column("expired_at", Instant, nullable=False, index=True),
)

socket_session = Table(
    "socket_session",
    METADATA,
    Column("key", String, primary_key=True),
    Column("subscription_id", String, ForeignKey("subscription.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("login", String, nullable=False),
    Column("user", String, nullable=False),
)
