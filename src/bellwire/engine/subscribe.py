"""The use cases of subscriptions: create, list, read, update, renew, delete (wire contract, 3 and 4).

Order of a creation: what was written is judged, then what the caller may see, then the limit; only then is the address
called, and only when it agreed does the subscription exist. Nothing is stored of one that was refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.errors import Forbidden, NotAllowedHere, NotFound
from bellwire.filters import EventFilter, parse_filters
from bellwire.model.identity import Caller
from bellwire.model.ids import ClientId, ExtensionId, SubscriptionId
from bellwire.model.subscription import (
    Subscription,
    SubscriptionApi,
    SubscriptionStatus,
    TransportType,
    WebhookDelivery,
)
from bellwire.ports.address_validation import AddressValidation
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory, Installation
from bellwire.ports.subscription_store import SubscriptionStore
from bellwire.subscriptions.access import Judgement, judge_all, require_some
from bellwire.subscriptions.lifetime import granted_seconds
from bellwire.subscriptions.reminders import reminder_schedule
from bellwire.subscriptions.requested import check_count, requested_filters
from bellwire.subscriptions.versions import first_version
from bellwire.wire.webhook.request import check_verification_token
from bellwire.wire.webhook.signature import parse_signing_secret

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_log = structlog.get_logger("bellwire.subscriptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """What a caller asks for, as it was written. `expires_in` is in seconds; None is the default lifetime."""

    filters: Sequence[str]
    address: str
    verification_token: str | None = None
    signing_secret: str | None = None
    expires_in: int | None = None


class Subscriptions:
    """For callers of the compatible API. Each sees the subscriptions of its own user and application alone."""

    def __init__(
        self,
        *,
        live: LiveSubscriptions,
        store: SubscriptionStore,
        directory: Directory,
        installation: Installation,
        validate: AddressValidation,
        clock: Clock,
        new_id: Callable[[], SubscriptionId],
        expiry_clock: Clock | None = None,
    ) -> None:
        """`expiry_clock`: says who has expired; lifetimes are granted from `clock` on. One and the same by default."""
        self._live = live
        self._store = store
        self._directory = directory
        self._installation = installation
        self._validate = validate
        self._clock = clock
        self._expiry_clock = expiry_clock or clock
        self.new_id = new_id
        self._creating: Counter[tuple[ClientId, ExtensionId, SubscriptionApi]] = Counter()
        """Creations under way, by whose limit they count against."""

    async def create(self, caller: Caller, api: SubscriptionApi, request: WebhookRequest) -> Subscription:
        """Make a webhook subscription.

        Raises:
            InvalidRequest: CMN-101, SUB-508, SUB-516, and what the handshake raises (SUB-520 to SUB-525).
            Forbidden: SUB-406, SUB-408, SUB-505, or the code of the permission that is missing for all filters.
        """
        id_ = self.new_id()
        return await self._live.in_turn(id_, lambda: self._create(id_, caller, api, request))

    def list(self, caller: Caller, api: SubscriptionApi) -> list[Subscription]:
        """The caller's subscriptions, oldest first, whatever their transport."""
        now = self._expiry_clock.now()
        mine = self._live.subscribers.of_user(caller.extension_id, caller.client_id)
        records = (subscriber.subscription for subscriber in mine if subscriber.expires_at > now)
        return sorted((record for record in records if record.api is api), key=lambda one: (one.created_at, one.id))

    async def get(self, caller: Caller, api: SubscriptionApi, subscription: SubscriptionId) -> Subscription:
        """One of the caller's subscriptions.

        Raises:
            NotFound: CMN-102, or SUB-507 for a day after it expired.
        """
        now = self._expiry_clock.now()
        record = self._live.get(subscription)
        if (
            record is not None
            and record.api is api
            and record.owner_id == caller.extension_id
            and record.client_id == caller.client_id
        ):
            if record.expires_at > now:
                return record
            raise _expired(subscription)
        if record is None and _UUID.fullmatch(subscription) and await self._store.expired_at(subscription, api):
            raise _expired(subscription)
        raise NotFound(
            "CMN-102",
            f"Resource for parameter [subscriptionId] is not found: {subscription}",
            parameter="subscriptionId",
            value=subscription,
        )

    async def update(
        self,
        caller: Caller,
        api: SubscriptionApi,
        subscription: SubscriptionId,
        *,
        filters: Sequence[str] | None,
        expires_in: int | None,
    ) -> Subscription:
        """Replace the event filters, if any are given, and renew the lifetime: the default one, if none is given.

        Raises:
            NotFound: as `get`.
            NotAllowedHere: SUB-511 for a WebSocket subscription.
            InvalidRequest, Forbidden: as `create`; a blacklisted subscription's address is validated again.
        """
        return await self._live.in_turn(
            subscription, lambda: self._update(caller, api, subscription, filters, expires_in)
        )

    async def renew(self, caller: Caller, api: SubscriptionApi, subscription: SubscriptionId) -> Subscription:
        """Grant the default lifetime from now on. On a WebSocket subscription, which lives as long as its session,
        it changes nothing.

        Raises:
            NotFound: as `get`.
            InvalidRequest: the address of a blacklisted subscription still fails the handshake.
        """
        return await self._live.in_turn(subscription, lambda: self._renew(caller, api, subscription))

    async def delete(self, caller: Caller, api: SubscriptionApi, subscription: SubscriptionId) -> None:
        """End a subscription, and drop what waits for it.

        Raises:
            NotFound: as `get`.
        """
        await self._live.in_turn(subscription, lambda: self._delete(caller, api, subscription))

    async def _create(
        self, id_: SubscriptionId, caller: Caller, api: SubscriptionApi, request: WebhookRequest
    ) -> Subscription:
        lifetime = granted_seconds(request.expires_in)
        token, secret = request.verification_token, request.signing_secret
        if token is not None:
            check_verification_token(token)
        if secret is not None:
            parse_signing_secret(secret)
        parsed = self.parsed(caller, api, id_, request.filters, lifetime)
        self.judged(caller, parsed)
        counted = (caller.client_id, caller.extension_id, api)
        check_count(len(self.list(caller, api)) + self._creating[counted])
        self._creating[counted] += 1
        try:
            await self._validate(request.address, token)
        finally:
            self._creating[counted] -= 1
            if not self._creating[counted]:
                del self._creating[counted]
        judgement = self.judged(caller, parsed)  # again: a permission may have been revoked meanwhile
        now = self.now()
        subscription = Subscription(
            id=id_,
            api=api,
            account_id=caller.account_id,
            owner_id=caller.extension_id,
            client_id=caller.client_id,
            transport=TransportType.WEB_HOOK,
            webhook=WebhookDelivery(
                address=request.address,
                verification_token_sealed=None if token is None else self._installation.seal(token),
                signing_secret_sealed=None if secret is None else self._installation.seal(secret),
            ),
            versions=(first_version(_texts(judgement), self._live.head()),),
            disabled_filters=judgement.disabled(),
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime),
            lifetime_seconds=lifetime,
        )
        await self._live.open(subscription, judgement.allowed)
        _record("subscription.created", subscription)
        return subscription

    async def _update(
        self,
        caller: Caller,
        api: SubscriptionApi,
        id_: SubscriptionId,
        filters: Sequence[str] | None,
        expires_in: int | None,
    ) -> Subscription:
        subscription = await self.get(caller, api, id_)
        if subscription.transport is TransportType.WEB_SOCKET:
            raise NotAllowedHere(
                "SUB-511", "A WebSocket subscription can't be updated over HTTP; update it over its socket."
            )
        lifetime = granted_seconds(expires_in)
        parsed = None if filters is None else self.parsed(caller, api, id_, filters, lifetime)
        if parsed is not None:
            self.judged(caller, parsed)
        renewed = self._renewed(await self._validated(subscription), lifetime)
        if parsed is None:
            changed = await self._live.change(renewed)
        else:
            judgement = self.judged(caller, parsed)
            changed = await self._live.change(
                replace(renewed, disabled_filters=judgement.disabled()), judgement.allowed
            )
        self._resume_if_validated(subscription)
        _record("subscription.updated", changed)
        return changed

    async def _renew(self, caller: Caller, api: SubscriptionApi, id_: SubscriptionId) -> Subscription:
        subscription = await self.get(caller, api, id_)
        if subscription.transport is TransportType.WEB_SOCKET:
            return subscription
        renewed = self._renewed(await self._validated(subscription), granted_seconds(None))
        changed = await self._live.change(renewed)
        self._resume_if_validated(subscription)
        _record("subscription.renewed", changed)
        return changed

    async def _delete(self, caller: Caller, api: SubscriptionApi, id_: SubscriptionId) -> None:
        subscription = await self.get(caller, api, id_)
        await self._live.remove(id_)
        _record("subscription.deleted", subscription)

    async def _validated(self, subscription: Subscription) -> Subscription:
        """The subscription, not blacklisted; if it was, its address passed the handshake just now."""
        if subscription.status is not SubscriptionStatus.BLACKLISTED:
            return subscription
        assert subscription.webhook is not None, "only webhook subscriptions are blacklisted"
        sealed = subscription.webhook.verification_token_sealed
        token = None if sealed is None else self._installation.unseal(sealed)
        await self._validate(subscription.webhook.address, token)
        return replace(subscription, status=SubscriptionStatus.ACTIVE, blacklisting=None)

    def _resume_if_validated(self, before: Subscription) -> None:
        if before.status is SubscriptionStatus.BLACKLISTED:
            self._live.reactivate(before.id)

    def _renewed(self, subscription: Subscription, lifetime_seconds: int) -> Subscription:
        expires_at = self.now() + timedelta(seconds=lifetime_seconds)
        return replace(subscription, expires_at=expires_at, lifetime_seconds=lifetime_seconds)

    def parsed(
        self, caller: Caller, api: SubscriptionApi, id_: SubscriptionId, filters: Sequence[str], lifetime_seconds: int
    ) -> Sequence[EventFilter]:
        """The filters as they will be stored, each once, also where two spellings mean the same."""
        parsed = parse_filters(
            requested_filters(filters),
            account=caller.account_id,
            extension=caller.extension_id,
            api=api,
            subscription=id_,
        )
        distinct: dict[str, EventFilter] = {}
        for event_filter in parsed:
            distinct.setdefault(event_filter.text, event_filter)
        for event_filter in distinct.values():
            if event_filter.schedule:
                reminder_schedule(event_filter.text, event_filter.schedule, lifetime_seconds)
        return tuple(distinct.values())

    def judged(self, caller: Caller, filters: Sequence[EventFilter]) -> Judgement:
        """The filters sorted by what the caller may see. Raises Forbidden where nothing is left."""
        owner = self._directory.extension(caller.extension_id)
        application = self._directory.application(caller.client_id)
        if owner is None or application is None:
            raise Forbidden("CMN-405", "Login is required: the user or the application is no more.")
        scope = caller.scope & application.permissions
        return require_some(judge_all(filters, scope, owner, self._directory.extension))

    def now(self) -> datetime:
        """To the millisecond, as it is written."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _texts(judgement: Judgement) -> tuple[str, ...]:
    return tuple(event_filter.text for event_filter in judgement.allowed)


def _expired(subscription: SubscriptionId) -> NotFound:
    return NotFound("SUB-507", f"Subscription [{subscription}] is expired.", parameter="subscriptionId")


def _record(event: str, subscription: Subscription) -> None:
    _log.info(
        event,
        subscription_id=subscription.id,
        api=str(subscription.api),
        owner_id=subscription.owner_id,
        client_id=subscription.client_id,
        filters=len(subscription.filters),
        disabled_filters=len(subscription.disabled_filters),
        lifetime_seconds=subscription.lifetime_seconds,
    )
