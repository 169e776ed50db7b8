"""Looking back: events, who was to get them, attempts, and what waits. For operators; nothing here changes anything.

A key that is good for one account sees that account alone; what it does not reach is not found. Lists of what happened
go from the newest to the oldest. A page may be short, or even empty, and still say where to go on: it met the bound of
its work (ports/history.py).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from heapq import nsmallest
from typing import Generic, TypeVar

from bellwire.engine.cursors import cursor_of, named_place, number_at, numbered_place
from bellwire.engine.deliver import Deliveries
from bellwire.engine.explain import SubscriptionExplanation, explain_logged
from bellwire.engine.provision_scope import Scope, not_found
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.errors import InvalidRequest, NotFound
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily
from bellwire.filters import rows_with_stated
from bellwire.model.attempt import AttemptOutcome, BacklogRow, FailureCode
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId, Partition, Position, ReplayId, SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionStatus
from bellwire.ports.delivery_control import Subscriber
from bellwire.ports.event_log import EventLog
from bellwire.ports.history import (
    AttemptQuery,
    BacklogSize,
    EventHead,
    EventQuery,
    History,
    NotificationOutcome,
    RecordedAttempt,
)
from bellwire.ports.identity import Directory

R = TypeVar("R")

MOST_ACCOUNTS = 1000
"""Accounts in which a chosen uuid is looked up where none was named."""
UUID_PAGES = 8
"""Pages that are looked through for the event of a uuid that nobody chose."""
TURN = 20_000
"""Subscriptions that are looked at in one step of the event loop."""

_LARGEST_POSITION = (1 << 63) - 1
_PLACEHOLDER = re.compile(r"\{[^}]*\}")


class NotificationState(StrEnum):
    """How a notification stands."""

    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    """Not to be tried again by itself; a replay can send it."""
    WAITING = "waiting"
    """In the backlog."""
    PENDING = "pending"
    """In memory or under way, with no outcome yet."""
    UNKNOWN = "unknown"
    """Settled, and its attempts are beyond what history keeps or this look reached."""


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One notification of an event, with its last attempt; those of replays are counted apart."""

    subscription: SubscriptionId
    topic: str
    is_live: bool
    """Whether its subscription is there."""
    state: NotificationState
    attempts: int
    last: RecordedAttempt | None
    replays_delivered: int


@dataclass(frozen=True, slots=True)
class NotificationExplanation:
    """Why a subscription was to get an event, or was not; with the notifications that there are."""

    position: Position
    subscription: SubscriptionId
    explanation: SubscriptionExplanation
    notifications: tuple[EventNotification, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage(Generic[R]):
    """`is_complete`: nothing was left out because there was too much to look through."""

    records: tuple[R, ...]
    next_cursor: str | None
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """As `EventQuery`, in the words of a caller."""

    account: AccountId | None = None
    uuid: str | None = None
    family: str | None = None
    topic: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSearch:
    subscription: SubscriptionId | None = None
    event: str | None = None
    """Position or uuid."""
    outcome: AttemptOutcome | None = None
    failure: FailureCode | None = None
    replay: ReplayId | None = None
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A backlog row, with its event as far as that is kept."""

    row: BacklogRow
    event: EventHead | None


@dataclass(frozen=True, slots=True)
class BacklogPage:
    size: BacklogSize
    oldest: EventHead | None
    page: HistoryPage[WaitingRow]


class Lookback:
    def __init__(
        self,
        *,
        partition: Partition,
        log: EventLog,
        history: History,
        live: LiveSubscriptions,
        deliveries: Deliveries,
        announcements: Announcements,
        directory: Directory,
    ) -> None:
        self._partition = partition
        self._event_log = log
        self._history = history
        self._live = live
        self._deliveries = deliveries
        self._announcements = announcements
        self._directory = directory
        self._match = lru_cache(maxsize=16_384)(REGISTRY.match)

    # Events

    async def events(
        self, scope: Scope, search: EventSearch, *, cursor: str | None, limit: int
    ) -> HistoryPage[EventHead]:
        """Events, newest first.

        Raises:
            InvalidRequest: CMN-101; there is no such family, or the topic is of none.
            NotFound: CMN-102; the account is out of reach.
        """
        account = self._account(scope, search.account)
        family = self._family(search.family)
        before = number_at("event", cursor)
        query = EventQuery(
            account=account,
            uuid=search.uuid,
            topic=self._topic(search.topic),
            topic_patterns=() if family is None else _patterns(family),
            from_ms=search.from_ms,
            until_ms=search.until_ms,
        )
        if search.uuid is not None and before is None:
            chosen = await self._chosen(account, search.uuid)
            if chosen:
                heads = await self._history.heads(self._partition, sorted(chosen, reverse=True)[:limit])
                found = (head for head in heads.values() if _fits(head, query) and self._is_of(family, head.topic))
                return HistoryPage(tuple(sorted(found, key=lambda head: -head.position)), None)
        page = await self._history.events(self._partition, query, _position(before), limit)
        records = tuple(head for head in page.records if self._is_of(family, head.topic))
        return HistoryPage(records, None if page.before is None else cursor_of("event", page.before))

    async def event(self, scope: Scope, name: str) -> LoggedEvent:
        """One event by its position, or by its uuid: digits that are the position of an event mean that.

        Raises:
            NotFound: CMN-102; there is none that is kept, or within reach.
        """
        if name.isascii() and name.isdigit() and int(name) <= _LARGEST_POSITION:
            logged = await self._event_at(Position(int(name)))
            if logged is not None and scope.covers(logged.event.account):
                return logged
        for position in sorted(await self._chosen(scope.account_id, name), reverse=True):
            logged = await self._event_at(position)
            if logged is not None:
                return logged
        query = EventQuery(account=scope.account_id, uuid=name)
        before: Position | None = None
        for _ in range(UUID_PAGES):
            page = await self._history.events(self._partition, query, before, 1)
            if page.records and (logged := await self._event_at(page.records[0].position)) is not None:
                return logged
            before = page.before
            if before is None:
                raise not_found("event", name)
        raise NotFound(
            "CMN-102",
            f"Resource for parameter [event] is not found: {name} is not among the latest events. "
            "Its uuid was not chosen by its producer: name it by position, or search the list of events for it",
            parameter="event",
            value=name,
        )

    async def notifications(
        self, scope: Scope, name: str, *, cursor: str | None, limit: int
    ) -> HistoryPage[EventNotification]:
        """Who was to get an event, in the order of subscriptions, and what came of it so far.

        These are the subscriptions whose filters match it, and those that history has attempts for. Filters that were
        replaced since, and subscriptions that ended, are known by their attempts alone.
        """
        after = ("", "") if cursor is None else named_place("notification", cursor)
        logged = await self.event(scope, name)
        outcomes = await self._history.outcomes(logged.position)
        known = {(outcome.subscription, outcome.topic): outcome for outcome in outcomes.records}
        names = sorted(place for place in {*known, *self._matches(logged)} if place > after)
        shown = names[:limit]
        backlogged = await self._history.backlogged(logged.position, sorted({place[0] for place in shown}))
        records = tuple(
            self._notification(logged.position, place, known.get(place), place in backlogged) for place in shown
        )
        next_cursor = cursor_of("notification", *shown[-1]) if len(names) > limit else None
        return HistoryPage(records, next_cursor, outcomes.is_complete)

    async def explanation(self, scope: Scope, name: str, subscription: SubscriptionId) -> NotificationExplanation:
        """Whether one subscription was to get an event, what came of that so far, and if it was not, why not.

        Raises:
            NotFound: CMN-102; there is no such event or subscription within reach.
        """
        record = self.subscription(scope, subscription)
        logged = await self.event(scope, name)
        outcomes = await self._history.outcomes(logged.position)
        known = {
            (outcome.subscription, outcome.topic): outcome
            for outcome in outcomes.records
            if outcome.subscription == subscription
        }
        matched = (place for place in self._matches(logged) if place[0] == subscription)
        backlogged = await self._history.backlogged(logged.position, [subscription])
        return NotificationExplanation(
            logged.position,
            subscription,
            explain_logged(record, logged, self._announcements),
            tuple(
                self._notification(logged.position, place, known.get(place), place in backlogged)
                for place in sorted({*known, *matched})
            ),
        )

    # Subscriptions and attempts

    async def subscriptions(
        self,
        scope: Scope,
        *,
        account: AccountId | None = None,
        status: SubscriptionStatus | None = None,
        cursor: str | None,
        limit: int,
    ) -> HistoryPage[Subscription]:
        """Subscriptions of all users, in the order of their ids."""
        account = self._account(scope, account)
        after = "" if cursor is None else named_place("subscription", cursor)[0]
        found: list[SubscriptionId] = []
        for turn in self._turns():
            fitting = [
                one.id
                for one in turn
                if one.id > after and account in {None, one.account_id} and _has_status(one, status)
            ]
            found = nsmallest(limit + 1, (*found, *fitting))
            await asyncio.sleep(0)
        records = (self._live.get(id_) for id_ in found[:limit])
        return HistoryPage(
            tuple(record for record in records if record is not None),
            cursor_of("subscription", found[limit - 1]) if len(found) > limit else None,
        )

    def subscription(self, scope: Scope, subscription: SubscriptionId) -> Subscription:
        """Raises NotFound (CMN-102) where there is none, or it is out of reach."""
        record = self._live.get(subscription)
        if record is None or not scope.covers(record.account_id):
            raise not_found("subscriptionId", subscription)
        return record

    async def attempts(
        self, scope: Scope, search: AttemptSearch, *, cursor: str | None, limit: int
    ) -> HistoryPage[RecordedAttempt]:
        """Attempts, newest first. A key for all accounts sees those of subscriptions that ended, too."""
        before = number_at("attempt", cursor)
        subscriptions: frozenset[SubscriptionId] | None = None
        if search.subscription is not None:
            if scope.account_id is not None:
                self.subscription(scope, search.subscription)
            subscriptions = frozenset((search.subscription,))
        elif scope.account_id is not None:
            subscriptions = await self._of_account(scope.account_id)
        position = None if search.event is None else (await self.event(scope, search.event)).position
        query = AttemptQuery(
            subscriptions=subscriptions,
            position=position,
            outcome=search.outcome,
            failure=search.failure,
            replay=search.replay,
            from_ms=search.from_ms,
            until_ms=search.until_ms,
        )
        page = await self._history.attempts(query, before, limit)
        return HistoryPage(page.records, None if page.before is None else cursor_of("attempt", page.before))

    async def backlog(
        self, scope: Scope, subscription: SubscriptionId, *, cursor: str | None, limit: int
    ) -> BacklogPage:
        """What waits for a subscription on disk, oldest first."""
        after = (0, "") if cursor is None else numbered_place("backlog", cursor)
        self.subscription(scope, subscription)
        size = await self._history.backlog_size(subscription)
        rows = await self._history.backlog_rows(subscription, (Position(after[0]), after[1]), limit + 1)
        shown = rows[:limit]
        positions = {row.position for row in shown} | ({size.oldest} if size.oldest is not None else set())
        heads = await self._history.heads(self._partition, sorted(positions))
        last = shown[-1] if len(rows) > limit else None
        return BacklogPage(
            size,
            None if size.oldest is None else heads.get(size.oldest),
            HistoryPage(
                tuple(WaitingRow(row, heads.get(row.position)) for row in shown),
                None if last is None else cursor_of("backlog", last.position, last.topic),
            ),
        )

    # Steps

    def _account(self, scope: Scope, account: AccountId | None) -> AccountId | None:
        """The account to look at: the one named, or the only one within reach."""
        if account is not None and not scope.covers(account):
            raise not_found("accountId", account)
        return account or scope.account_id

    def _family(self, name: str | None) -> EventFamily | None:
        family = None if name is None else REGISTRY.by_name(name)
        if name is not None and family is None:
            raise InvalidRequest(
                "CMN-101",
                f"Parameter [family] value is invalid: there is no event family {name!r}; "
                "GET /bellwire/v1/event-families lists them",
                parameter="family",
                value=name,
            )
        return family

    def _topic(self, topic: str | None) -> str | None:
        """In its canonical spelling."""
        if topic is None:
            return None
        match = self._match(topic)
        if match is None:
            raise InvalidRequest(
                "CMN-101",
                "Parameter [topic] value is invalid: it is a topic of no event family; write a whole path with "
                f"concrete ids and without query, as {REGISTRY.nearest(topic)}",
                parameter="topic",
                value=topic,
            )
        return match.topic

    def _is_of(self, family: EventFamily | None, topic: str) -> bool:
        """Patterns of topics say yes too often: `*` stands for several segments, too."""
        if family is None:
            return True
        match = self._match(topic)
        return match is not None and match.family is family

    async def _chosen(self, account: AccountId | None, uuid: str) -> list[Position]:
        if account is not None:
            accounts = [account]
        else:
            accounts = [known.id for known in self._directory.accounts()]
            if len(accounts) > MOST_ACCOUNTS:
                return []
        return list((await self._history.find_chosen(self._partition, accounts, uuid)).values())

    async def _event_at(self, position: Position) -> LoggedEvent | None:
        event = (await self._event_log.get(self._partition, [position])).get(position)
        return None if event is None else LoggedEvent(position, event)

    def _matches(self, logged: LoggedEvent) -> Iterator[tuple[SubscriptionId, str]]:
        event = logged.event
        rows = rows_with_stated(self._announcements.facts(event).rows, event.stated)
        for topic, key in self._announcements.topics(event):
            for match in self._live.subscribers.matches(key, rows, logged.position, event.audience):
                yield match.subscriber.id, topic

    def _notification(
        self,
        position: Position,
        place: tuple[SubscriptionId, str],
        outcome: NotificationOutcome | None,
        is_backlogged: bool,
    ) -> EventNotification:
        last = None if outcome is None else outcome.last
        if last is not None and last.attempt.outcome is AttemptOutcome.DELIVERED:
            state = NotificationState.DELIVERED
        elif last is not None and last.attempt.outcome is AttemptOutcome.GIVEN_UP:
            state = NotificationState.GIVEN_UP
        elif is_backlogged:
            state = NotificationState.WAITING
        elif position > self._deliveries.committed_watermark:
            state = NotificationState.PENDING
        else:
            state = NotificationState.UNKNOWN
        return EventNotification(
            *place,
            self._live.get(place[0]) is not None,
            state,
            0 if outcome is None else outcome.attempts,
            last,
            0 if outcome is None else outcome.replays_delivered,
        )

    def _turns(self) -> Iterator[list[Subscriber]]:
        """All subscriptions, some at a time; none is missed that is there all the while."""
        subscribers = list(self._live.subscribers)
        for start in range(0, len(subscribers), TURN):
            yield subscribers[start : start + TURN]

    async def _of_account(self, account: AccountId) -> frozenset[SubscriptionId]:
        found: set[SubscriptionId] = set()
        for turn in self._turns():
            found.update(subscriber.id for subscriber in turn if subscriber.account_id == account)
            await asyncio.sleep(0)
        return frozenset(found)


def _patterns(family: EventFamily) -> tuple[str, ...]:
    """Topics are logged in the canonical spelling, so aliases need none."""
    return tuple(dict.fromkeys(_PLACEHOLDER.sub("*", template.path) for template in family.templates))


def _has_status(subscriber: Subscriber, status: SubscriptionStatus | None) -> bool:
    """Whether it has the status asked for, if one is. Few are held, so few records are looked at."""
    if status is None:
        return True
    if not subscriber.is_held:
        return status is SubscriptionStatus.ACTIVE
    return subscriber.subscription.status is status


def _fits(head: EventHead, query: EventQuery) -> bool:
    return (
        query.topic in {None, head.topic}
        and (query.from_ms is None or head.timestamp_ms >= query.from_ms)
        and (query.until_ms is None or head.timestamp_ms < query.until_ms)
    )


def _position(number: int | None) -> Position | None:
    return None if number is None else Position(number)
