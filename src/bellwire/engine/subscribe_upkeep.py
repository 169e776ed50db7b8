"""What happens to subscriptions without their owners: expiry, reminders, revoked permissions, blacklisting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import msgspec
import structlog

from bellwire.engine.subscribe_live import LiveSubscriptions, parse_stored
from bellwire.errors import Unavailable
from bellwire.filters import EventFilter
from bellwire.model.directory import Account, Extension
from bellwire.model.event import Event
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SubscriptionId
from bellwire.model.subscription import (
    Blacklisting,
    DisabledFilter,
    Subscription,
    SubscriptionStatus,
    TransportType,
)
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory
from bellwire.ports.subscription_store import SubscriptionStore
from bellwire.subscriptions.access import OWNER_DISABLED, judge_all, why_owner_is_disabled
from bellwire.subscriptions.resource import reminder_body

TOMBSTONE_LIFE = timedelta(hours=24)
TOMBSTONE_SWEEP = timedelta(hours=1)

_log = structlog.get_logger("bellwire.subscriptions")


class SubscriptionUpkeep:
    """Jobs that the composition root calls: `expire_due` and `due_reminders` every
    `subscriptions.reminders.JOB_PERIOD_SECONDS`, the others when something happened."""

    def __init__(
        self,
        *,
        live: LiveSubscriptions,
        store: SubscriptionStore,
        directory: Directory,
        clock: Clock,
        public_url: str,
        new_uuid: Callable[[], str],
    ) -> None:
        self._live = live
        self._store = store
        self._directory = directory
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._new_uuid = new_uuid
        self._swept_at: datetime | None = None

    async def expire_due(self, now: datetime) -> list[SubscriptionId]:
        """End what has expired, leaving tombstones for a day; returns what ended.

        What can't be removed from the store now is due again at the next call.
        """
        ended = []
        for subscription in self._live.take_expired(now):
            try:
                if await self._live.in_turn(subscription.id, partial(self._expire, subscription.id, now)):
                    ended.append(subscription.id)
            except Unavailable as problem:
                self._live.expire_again(subscription)
                _log.warning("subscription.expiry_failed", subscription_id=subscription.id, error=str(problem))
        if self._swept_at is None or now - self._swept_at >= TOMBSTONE_SWEEP:
            await self._store.forget_tombstones(now - TOMBSTONE_LIFE)
            self._swept_at = now
        return ended

    def due_reminders(self, now: datetime) -> list[Event]:
        """The reminders that are due, as events to be published; they find their subscription by their topic.

        When the last one was sent is kept in memory alone: after a restart a reminder may come sooner than an interval
        after the last ("approximate", wire contract 3.8).
        """
        return [
            Event(
                account=subscription.account_id,
                uuid=self._new_uuid(),
                chosen=False,
                topic=f"/restapi/v1.0/subscription/{subscription.id}",
                timestamp_ms=round(now.timestamp() * 1000),
                body=msgspec.json.encode(reminder_body(subscription, self._public_url, now)),
                audience=(subscription.owner_id,),
            )
            for subscription in self._live.take_reminders(now)
        ]

    async def recheck(
        self,
        *,
        account: AccountId | None = None,
        application: ClientId | None = None,
        extension: ExtensionId | None = None,
    ) -> int:
        """Judge event filters again after rights changed; to be called when the directory has the change already.

        Filters that lack a permission now become disabled filters, and stay so until their owner subscribes to them
        anew. Those of an account, application or user that is disabled come back when it is enabled. Subscriptions of
        one that is gone end.

        Args:
            account, application, extension: what changed; exactly one.

        Returns:
            how many subscriptions were changed or ended.
        """
        if [account, application, extension].count(None) != 2:
            raise ValueError("exactly one of account, application and extension is given")
        subscribers = self._live.subscribers
        concerned = [
            subscriber.id
            for subscriber in (subscribers if extension is None else subscribers.of_owner(extension))
            if (account is None or subscriber.account_id == account)
            and (application is None or subscriber.client_id == application)
        ]
        changed = 0
        for id_ in concerned:
            changed += await self._live.in_turn(id_, partial(self._recheck, id_))
            await asyncio.sleep(0)
        return changed

    async def blacklist(self, subscription: SubscriptionId, reason: str) -> None:
        """Note that an address failed for too long. The delivery engine decides that, and holds the notifications."""
        blacklisting = Blacklisting(at=self._clock.now(), reason=reason)
        await self._live.in_turn(
            subscription, lambda: self._set_status(subscription, SubscriptionStatus.BLACKLISTED, blacklisting)
        )

    async def lift_blacklisting_in_turn(self, subscription: SubscriptionId) -> None:
        """Note that a blacklisted address answered again; for a caller who has the subscription's turn."""
        await self._set_status(subscription, SubscriptionStatus.ACTIVE, None)

    async def _expire(self, id_: SubscriptionId, now: datetime) -> bool:
        subscription = self._live.get(id_)
        if subscription is None or subscription.expires_at > now:
            return False  # deleted or renewed while this waited for its turn
        if subscription.transport is TransportType.WEB_SOCKET:  # it lives as long as its session (wire contract, 5.5)
            lifetime = timedelta(seconds=subscription.lifetime_seconds)
            await self._live.change(replace(subscription, expires_at=now + lifetime))
            return False
        await self._live.remove(id_, expired_at=subscription.expires_at)
        _log.info("subscription.expired", subscription_id=id_, owner_id=subscription.owner_id)
        return True

    async def _recheck(self, id_: SubscriptionId) -> bool:
        subscription = self._live.get(id_)
        if subscription is None:
            return False
        application = self._directory.application(subscription.client_id)
        account = self._directory.account(subscription.account_id)
        owner = self._directory.extension(subscription.owner_id)
        if application is None or account is None or owner is None:
            await self._live.remove(id_)
            _log.info("subscription.ended", subscription_id=id_, reason="its user, account or application is no more")
            return True
        filters, disabled = self._judge_again(subscription, application, account, owner)
        if tuple(f.text for f in filters) == subscription.filters and disabled == subscription.disabled_filters:
            return False
        await self._live.change(replace(subscription, disabled_filters=disabled), filters)
        _log.info("subscription.rechecked", subscription_id=id_, filters=len(filters), disabled_filters=len(disabled))
        return True

    def _judge_again(
        self, subscription: Subscription, application: Application, account: Account, owner: Extension
    ) -> tuple[tuple[EventFilter, ...], tuple[DisabledFilter, ...]]:
        """The filters that are in force from now on, and those that are not."""
        disabled = subscription.disabled_filters
        suspended = tuple(d.filter for d in disabled if d.reason == OWNER_DISABLED)
        kept = tuple(d for d in disabled if d.reason != OWNER_DISABLED)
        in_question = (*subscription.filters, *suspended)
        why = why_owner_is_disabled(application, account, owner)
        if why is not None:
            return (), (*kept, *(DisabledFilter(filter=f, reason=OWNER_DISABLED, message=why) for f in in_question))
        readable = [f for f in parse_stored(subscription, in_question) if f is not None]
        judgement = judge_all(readable, application.permissions, owner, self._directory.extension)
        return judgement.allowed, (*kept, *judgement.disabled())

    async def _set_status(
        self, id_: SubscriptionId, status: SubscriptionStatus, blacklisting: Blacklisting | None
    ) -> None:
        subscription = self._live.get(id_)
        if subscription is not None and subscription.status is not status:
            await self._live.change(replace(subscription, status=status, blacklisting=blacklisting))
