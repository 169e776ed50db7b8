"""The `History` port in memory. What is looked at is all there is, so no page is cut short."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from bellwire.model.attempt import Attempt, AttemptOutcome, BacklogRow
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, Partition, Position, SubscriptionId
from bellwire.ports.history import (
    AttemptPage,
    AttemptQuery,
    BacklogSize,
    EventHead,
    EventOutcomes,
    EventPage,
    EventQuery,
    NotificationOutcome,
    RecordedAttempt,
    Stretch,
)
from bellwire.storage.memory.backlog import MemoryBacklog
from bellwire.storage.memory.event_log import MemoryEventLog, require_only


class MemoryHistory:
    def __init__(self, log: MemoryEventLog, backlog: MemoryBacklog) -> None:
        self._log = log
        self._backlog = backlog

    async def events(self, partition: Partition, query: EventQuery, before: Position | None, limit: int) -> EventPage:
        require_only(partition)
        wanted = [
            _head(logged.position, logged.event)
            for logged in reversed(self._log.events)
            if (before is None or logged.position < before) and _is_event_wanted(query, logged.event)
        ]
        page = tuple(wanted[:limit])
        return EventPage(page, page[-1].position if len(wanted) > limit else None)

    async def stretch(
        self, partition: Partition, query: EventQuery, span: tuple[Position, Position], *, limit: int, max_bytes: int
    ) -> Stretch:
        require_only(partition)
        after, until = span
        events: list[LoggedEvent] = []
        size = 0
        for logged in self._log.events:
            if after < logged.position <= until and _is_event_wanted(query, logged.event):
                size += len(logged.event.body)
                if events and (size > max_bytes or len(events) >= limit):
                    return Stretch(tuple(events), events[-1].position)
                events.append(logged)
        return Stretch(tuple(events), until)

    async def heads(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, EventHead]:
        events = await self._log.get(partition, positions)
        return {position: _head(position, event) for position, event in events.items()}

    async def find_chosen(
        self, partition: Partition, accounts: Sequence[AccountId], uuid: str
    ) -> dict[AccountId, Position]:
        require_only(partition)
        return {
            logged.event.account: logged.position
            for logged in self._log.events
            if logged.event.chosen and logged.event.uuid == uuid and logged.event.account in accounts
        }

    async def attempts(self, query: AttemptQuery, before: int | None, limit: int) -> AttemptPage:
        wanted = [
            RecordedAttempt(number, attempt)
            for number, attempt in enumerate(self._backlog.attempts, 1)
            if (before is None or number < before) and _is_attempt_wanted(query, attempt)
        ]
        wanted.reverse()
        page = tuple(wanted[:limit])
        return AttemptPage(page, page[-1].id if len(wanted) > limit else None)

    async def outcomes(self, position: Position) -> EventOutcomes:
        found: dict[tuple[SubscriptionId, str], list[RecordedAttempt]] = {}
        for number, attempt in enumerate(self._backlog.attempts, 1):
            if attempt.position == position:
                place = (attempt.subscription, attempt.topic)
                found.setdefault(place, []).append(RecordedAttempt(number, attempt))
        return EventOutcomes(
            tuple(_outcome(name, attempts) for name, attempts in sorted(found.items())), is_complete=True
        )

    async def backlog_size(self, subscription: SubscriptionId) -> BacklogSize:
        rows = [row for row in self._backlog.rows.values() if row.subscription == subscription]
        oldest = min((row.position for row in rows), default=None)
        return BacklogSize(len(rows), sum(row.size_bytes for row in rows), oldest, is_exact=True)

    async def backlog_rows(
        self, subscription: SubscriptionId, after: tuple[Position, str], limit: int
    ) -> list[BacklogRow]:
        return await self._backlog.pending(subscription, after, limit)

    async def backlogged(
        self, position: Position, subscriptions: Sequence[SubscriptionId]
    ) -> set[tuple[SubscriptionId, str]]:
        return {
            (subscription, topic)
            for subscription, at, topic in self._backlog.rows
            if at == position and subscription in subscriptions
        }


def _head(position: Position, event: Event) -> EventHead:
    return EventHead(position, event.account, event.uuid, event.topic, event.timestamp_ms, len(event.body))


def _is_event_wanted(query: EventQuery, event: Event) -> bool:
    return (
        query.account in {None, event.account}
        and query.uuid in {None, event.uuid}
        and query.topic in {None, event.topic}
        and (query.from_ms is None or event.timestamp_ms >= query.from_ms)
        and (query.until_ms is None or event.timestamp_ms < query.until_ms)
        and (
            not query.topic_patterns
            or any(fnmatchcase(event.topic, pattern.replace("[", "[[]")) for pattern in query.topic_patterns)
        )
    )


def _is_attempt_wanted(query: AttemptQuery, attempt: Attempt) -> bool:
    return (
        (query.subscriptions is None or attempt.subscription in query.subscriptions)
        and query.position in {None, attempt.position}
        and query.topic in {None, attempt.topic}
        and query.outcome in {None, attempt.outcome}
        and query.failure in {None, attempt.failure}
        and query.replay in {None, attempt.replay}
        and (query.from_ms is None or attempt.started_ms >= query.from_ms)
        and (query.until_ms is None or attempt.started_ms < query.until_ms)
    )


def _outcome(name: tuple[SubscriptionId, str], recorded: list[RecordedAttempt]) -> NotificationOutcome:
    own = [one for one in recorded if one.attempt.replay is None]
    return NotificationOutcome(
        *name,
        len(own),
        own[-1] if own else None,
        sum(one.attempt.replay is not None and one.attempt.outcome is AttemptOutcome.DELIVERED for one in recorded),
    )
