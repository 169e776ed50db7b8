"""Changes of live subscriptions: memory, store and deliveries in step.

A subscription exists three times: in the registry, which matches events; in the store, which a restart reads; and as a
lane of the delivery engine. Each method here brings all three from one consistent state to the next, or, when the store
fails, back. The order differs, so that a crash in between never loses a notification that was owed:

- *open*: memory first, at the log's head, with deliveries held; then the store; then release. Events that come while
  the store writes are matched already; none goes out for a subscription that may not exist after a restart.
- *change*: the store first, with a new version of filters from the log's head on; then memory. So no notification ever
  names a version that a restart does not know. Events that come while the store writes are still matched with the
  filters before; after a crash in that moment, with the new ones.
- *remove*: the store first; then memory, and with it the backlog.

What reads a subscription in order to change it does so in its turn (`in_turn`), and runs to its end even when the
request that asked for it is cancelled.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from bellwire.engine.subscribers import Subscribers
from bellwire.errors import InvalidRequest, TooManyRequests
from bellwire.filters import EventFilter, parse_stored_filter
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.model.subscription import Subscription
from bellwire.ports.delivery_control import DeliveryControl, Subscriber
from bellwire.ports.event_log import EventLog
from bellwire.ports.subscription_store import SubscriptionStore
from bellwire.subscriptions.deadlines import Deadlines
from bellwire.subscriptions.reminders import ReminderSchedule, first_reminder_at, next_reminder_at
from bellwire.subscriptions.versions import with_next_version, without_versions_below

MAX_VERSIONS = 100
"""Of one subscription's filters, at a time. Old ones leave when nothing in the backlog names them."""

FREEZE_FROM = 10_000
"""Subscriptions loaded at start from which on the collector is told to leave them alone for good."""

_Result = TypeVar("_Result")
_log = structlog.get_logger("bellwire.subscriptions")


class LiveSubscriptions:
    """All subscriptions of one partition. Owned by one event loop."""

    def __init__(
        self,
        *,
        partition: Partition,
        store: SubscriptionStore,
        subscribers: Subscribers,
        log: EventLog,
        delivery: DeliveryControl,
    ) -> None:
        self.subscribers = subscribers
        self._partition = partition
        self._store = store
        self._event_log = log
        self._delivery = delivery
        self._turns: WeakValueDictionary[SubscriptionId, asyncio.Lock] = WeakValueDictionary()
        self._running: set[asyncio.Task[Any]] = set()
        self._reminders: dict[SubscriptionId, tuple[ReminderSchedule, datetime]] = {}
        """Schedule and next time, of the subscriptions that want reminders."""
        self._expiries = Deadlines(self._expires_at, subscribers.__len__)
        self._reminder_times = Deadlines(self._reminder_at, self._reminders.__len__)
        self._newest = LOG_START

    async def in_turn(self, subscription: SubscriptionId, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run what changes one subscription, alone among such, and to its end: its caller may be cancelled meanwhile,
        but memory and store must not part."""

        async def alone() -> _Result:
            lock = self._turns.get(subscription)
            if lock is None:
                lock = self._turns[subscription] = asyncio.Lock()
            async with lock:
                return await work()

        task = asyncio.get_running_loop().create_task(alone())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def get(self, subscription: SubscriptionId) -> Subscription | None:
        subscriber = self.subscribers.get(subscription)
        return None if subscriber is None else subscriber.subscription

    def head(self) -> Position:
        return self._event_log.head(self._partition)

    @property
    def restored_up_to(self) -> Position:
        """The highest log position that a filter of a restored subscription begins or ends at; `LOG_START` without
        any."""
        return self._newest

    async def restore(self) -> int:
        """Open all stored subscriptions, at start; returns how many. Expired ones go with the first `expire_due`."""
        number = 0
        with _collector_off():
            async for page in self._store.pages():
                for subscription in page:
                    self._open_stored(subscription)
                number += len(page)
        if number >= FREEZE_FROM:
            gc.freeze()
        return number

    def _open_stored(self, subscription: Subscription) -> None:
        versions = subscription.versions
        parsed = [parse_stored(subscription, version.filters) for version in versions]
        subscriber = self.subscribers.open(subscription, parsed)
        self._track(subscription, parsed[-1])
        for version in versions:
            self._newest = max(self._newest, version.from_position, version.until_position or LOG_START)
        self._delivery.restored(subscriber)

    async def open(self, subscription: Subscription, filters: Sequence[EventFilter]) -> None:
        """Begin a subscription whose only version starts at `head()`, called in the same step of the loop.

        Raises:
            Unavailable: it could not be stored; nothing of it is left.
        """
        subscriber = self.subscribers.open(subscription, [filters])
        self._track(subscription, filters)
        self._delivery.opened(subscriber)
        try:
            await self._store.save(subscription)
        except BaseException:
            self._forget(subscription.id)
            raise
        self._delivery.released(subscription.id)

    async def change(self, changed: Subscription, filters: Sequence[EventFilter] | None = None) -> Subscription:
        """Replace a subscription's record, and its event filters when they are given and others than before.

        Args:
            changed: the record to be; its versions are those of now.

        Returns:
            the record as stored.

        Raises:
            Unavailable: it could not be stored; all is as before.
            TooManyRequests: CMN-301, when too many versions of filters are still needed.
        """
        before = self._subscriber(changed.id).subscription
        if filters is None or tuple(event_filter.text for event_filter in filters) == before.filters:
            await self._store.save(changed)
            self.subscribers.replace(changed)
            self._track(changed, None)
        else:
            changed = self._with_filters(changed, filters)
            await self._store.save(changed)
            self.subscribers.refilter(changed, filters)
            self._delivery.refiltered(changed.id)
            self._track(changed, filters)
        return changed

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        """End a subscription.

        Args:
            expired_at: given when it ends by itself, so that reads can say so for a while.
        """
        await self._store.remove(subscription, expired_at=expired_at)
        self._forget(subscription)

    def reactivate(self, subscription: SubscriptionId) -> None:
        self._delivery.reactivate(subscription)

    def take_expired(self, now: datetime) -> list[Subscription]:
        """Subscriptions whose time is up, to be removed; each is given once."""
        expired = (self.get(subscription) for subscription in self._expiries.take_due(now))
        return [subscription for subscription in expired if subscription is not None]

    def expire_again(self, subscription: Subscription) -> None:
        """Put an expired subscription that could not be removed back among the due ones."""
        self._expiries.put(subscription.id, subscription.expires_at)

    def take_reminders(self, now: datetime) -> list[Subscription]:
        """Subscriptions that are due for a reminder now; the next is due an interval later."""
        reminded = []
        for id_ in self._reminder_times.take_due(now):
            subscription = self._subscriber(id_).subscription
            schedule, _ = self._reminders[id_]
            self._remind_at(id_, schedule, next_reminder_at(schedule, now))
            if subscription.expires_at > now:
                reminded.append(subscription)
        return reminded

    def _with_filters(self, changed: Subscription, filters: Sequence[EventFilter]) -> Subscription:
        """The record with these filters in force from the log's head on."""
        record = with_next_version(
            self._without_unneeded_versions(changed), [event_filter.text for event_filter in filters], self.head()
        )
        if len(record.versions) > MAX_VERSIONS:
            raise TooManyRequests(
                "CMN-301",
                "The event filters were changed too often while notifications wait for delivery; try again later.",
                retry_after_seconds=60,
            )
        return record

    def _without_unneeded_versions(self, subscription: Subscription) -> Subscription:
        """Without the versions that neither the router nor a waiting notification can ask for again."""
        needed = self.subscribers.oldest_needed(subscription.id)
        pending = self._delivery.oldest_pending(subscription.id)
        if pending is not None:
            needed = min(needed, Position(pending - 1))
        return without_versions_below(subscription, needed)

    def _forget(self, subscription: SubscriptionId) -> None:
        self.subscribers.close(subscription)
        self._reminders.pop(subscription, None)
        self._delivery.closed(subscription)

    def _track(self, subscription: Subscription, filters: Sequence[EventFilter | None] | None) -> None:
        """Note when the subscription ends and is to be reminded of.

        The first reminder filter is the one that counts, since it is the one that a notification would echo.

        Args:
            filters: those in force now; None when they are those of before.
        """
        self._expiries.put(subscription.id, subscription.expires_at)
        if filters is None:
            known = self._reminders.get(subscription.id)
            schedule = None if known is None else known[0]
        else:
            written = next((f.schedule for f in filters if f is not None and f.schedule), None)
            schedule = None if written is None else ReminderSchedule(written["threshold"], written["interval"])
        if schedule is None:
            self._reminders.pop(subscription.id, None)
        else:
            at = first_reminder_at(schedule, subscription.expires_at, subscription.lifetime_seconds)
            self._remind_at(subscription.id, schedule, at)

    def _remind_at(self, subscription: SubscriptionId, schedule: ReminderSchedule, at: datetime) -> None:
        self._reminders[subscription] = (schedule, at)
        self._reminder_times.put(subscription, at)

    def _expires_at(self, subscription: SubscriptionId) -> datetime | None:
        subscriber = self.subscribers.get(subscription)
        return None if subscriber is None else subscriber.expires_at

    def _reminder_at(self, subscription: SubscriptionId) -> datetime | None:
        known = self._reminders.get(subscription)
        return None if known is None else known[1]

    def _subscriber(self, subscription: SubscriptionId) -> Subscriber:
        subscriber = self.subscribers.get(subscription)
        assert subscriber is not None, f"subscription {subscription} is not open"
        return subscriber


@contextmanager
def _collector_off() -> Iterator[None]:
    """Without the garbage collector, which would pass over all that was loaded again and again (engine.md, Memory)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse_stored(subscription: Subscription, filters: Sequence[str]) -> list[EventFilter | None]:
    """Filters out of the store. One that this release can't read any more keeps its place and matches nothing."""
    parsed: list[EventFilter | None] = []
    for text in filters:
        try:
            parsed.append(
                parse_stored_filter(
                    text,
                    account=subscription.account_id,
                    extension=subscription.owner_id,
                    api=subscription.api,
                    subscription=subscription.id,
                )
            )
        except InvalidRequest as error:
            parsed.append(None)
            _log.error(
                "subscription.filter_unreadable", subscription_id=subscription.id, filter=text, error=error.message
            )
    return parsed
