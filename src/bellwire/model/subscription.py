"""Subscriptions: standing requests for notifications, with the history of their event filters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId


class TransportType(StrEnum):
    WEB_HOOK = "WebHook"
    WEB_SOCKET = "WebSocket"


class SubscriptionStatus(StrEnum):
    ACTIVE = "Active"
    BLACKLISTED = "Blacklisted"


class SubscriptionApi(StrEnum):
    """Which of the two subscription endpoints made it; their ids and limits are apart (wire contract, section 4)."""

    GENERAL = "general"
    WEBINAR = "webinar"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """Where and how notifications go. The two secrets are sealed: they are sent out, so a hash would not do."""

    address: str
    verification_token_sealed: bytes | None = None
    signing_secret_sealed: bytes | None = None
    """Standard Webhooks, `whsec_` and base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledFilter:
    """A filter that was asked for and is not in force, and why (wire contract, 3.3)."""

    filter: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterVersion:
    """The event filters in force for log positions in `(from_position, until_position]`.

    `filters` are canonical: concrete ids, the subscriber's parameter order. `version` counts from 1.
    """

    version: int
    filters: tuple[str, ...]
    from_position: Position
    until_position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blacklisting:
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    id: SubscriptionId
    api: SubscriptionApi
    account_id: AccountId
    owner_id: ExtensionId
    client_id: ClientId
    transport: TransportType
    webhook: WebhookDelivery | None
    """Given exactly when the transport is WebHook."""
    versions: tuple[FilterVersion, ...]
    """Oldest first; the last is in force. Old ones stay until the watermark has passed their end."""
    disabled_filters: tuple[DisabledFilter, ...]
    created_at: datetime
    expires_at: datetime
    lifetime_seconds: int
    """As granted last; thresholds of reminders are checked against it."""
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    blacklisting: Blacklisting | None = None
    paused: bool = False
    """An operator stopped its deliveries: they gather in the backlog. On the wire its status is what it was."""

    @property
    def is_held(self) -> bool:
        """Nothing may be sent: its address is blacklisted, or an operator paused it."""
        return self.paused or self.status is SubscriptionStatus.BLACKLISTED

    @property
    def filters(self) -> tuple[str, ...]:
        """The event filters in force."""
        return self.versions[-1].filters
