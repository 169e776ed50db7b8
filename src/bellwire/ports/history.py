"""Reading what happened: events, attempts, and what waits in the backlog.

Every read does a bounded amount of work and never waits for the writer. A page that met its bound before it was full
gives what it found and says where to go on; so an empty page with a place to go on is no end.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Protocol

import msgspec

from bellwire.model.attempt import Attempt, AttemptOutcome, BacklogRow, FailureCode
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId, Partition, Position, ReplayId, SubscriptionId


class EventHead(msgspec.Struct, frozen=True, gc=False):
    """An event without its body."""

    position: Position
    account: AccountId
    uuid: str
    topic: str
    timestamp_ms: int
    size_bytes: int
    """Of the body."""


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; all that is given must hold. Times are the events' own: `[from_ms, until_ms)`."""

    account: AccountId | None = None
    uuid: str | None = None
    topic: str | None = None
    """Exactly this one."""
    topic_patterns: tuple[str, ...] = ()
    """Topics that are like one of these, where `*` stands for any text; empty is all."""
    from_ms: int | None = None
    until_ms: int | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Newest first. `before`: where to go on; None: there is nothing more."""

    records: tuple[EventHead, ...]
    before: Position | None


class Stretch(msgspec.Struct, frozen=True):
    """Oldest first. `reached`: up to there, all was looked at."""

    events: tuple[LoggedEvent, ...]
    reached: Position


class AttemptQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts; all that is given must hold. Times are those of their start: `[from_ms, until_ms)`."""

    subscriptions: Set[SubscriptionId] | None = None
    """Of one of these."""
    position: Position | None = None
    topic: str | None = None
    outcome: AttemptOutcome | None = None
    failure: FailureCode | None = None
    replay: ReplayId | None = None
    from_ms: int | None = None
    until_ms: int | None = None


class RecordedAttempt(msgspec.Struct, frozen=True):
    """An attempt and its place in history: `id` rises with the order of recording."""

    id: int
    attempt: Attempt


class AttemptPage(msgspec.Struct, frozen=True):
    """Newest first. `before`: the id to go on below; None: there is nothing more."""

    records: tuple[RecordedAttempt, ...]
    before: int | None


class NotificationOutcome(msgspec.Struct, frozen=True):
    """What history has of one notification: how many attempts, the last one, and how many replays delivered it."""

    subscription: SubscriptionId
    topic: str
    attempts: int
    """Those of replays not counted."""
    last: RecordedAttempt | None
    """Of those counted."""
    replays_delivered: int


class EventOutcomes(msgspec.Struct, frozen=True):
    """By subscription and topic. Not `is_complete`: the bound was met, and later attempts may be missing."""

    records: tuple[NotificationOutcome, ...]
    is_complete: bool


class BacklogSize(msgspec.Struct, frozen=True):
    """Not `is_exact`: at least so much."""

    rows: int
    size_bytes: int
    oldest: Position | None
    is_exact: bool


class History(Protocol):
    async def events(self, partition: Partition, query: EventQuery, before: Position | None, limit: int) -> EventPage:
        """Events below a position, or from the newest on, newest first."""
        ...

    async def stretch(
        self, partition: Partition, query: EventQuery, span: tuple[Position, Position], *, limit: int, max_bytes: int
    ) -> Stretch:
        """Whole events in `(span[0], span[1]]`, oldest first: about `max_bytes` of bodies, but one however large."""
        ...

    async def heads(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, EventHead]:
        """The events at these positions, in the log or kept for the backlog. Unknown positions are left out."""
        ...

    async def find_chosen(
        self, partition: Partition, accounts: Sequence[AccountId], uuid: str
    ) -> dict[AccountId, Position]:
        """Where the event with a uuid that its producer chose is, in each of these accounts that has one."""
        ...

    async def attempts(self, query: AttemptQuery, before: int | None, limit: int) -> AttemptPage:
        """Attempts below an id, or from the latest on, newest first."""
        ...

    async def outcomes(self, position: Position) -> EventOutcomes:
        """What became of the notifications of one event so far, as far as attempts tell."""
        ...

    async def backlog_size(self, subscription: SubscriptionId) -> BacklogSize: ...

    async def backlog_rows(
        self, subscription: SubscriptionId, after: tuple[Position, str], limit: int
    ) -> list[BacklogRow]:
        """As `Backlog.pending`, for people: it does not stand in the way of a drain."""
        ...

    async def backlogged(
        self, position: Position, subscriptions: Sequence[SubscriptionId]
    ) -> set[tuple[SubscriptionId, str]]:
        """Which of these subscriptions have notifications of an event in the backlog, and on which topics."""
        ...
