"""What the own API answers about events, notifications, attempts, subscriptions and replays, and how it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
from fastapi import Depends, Path, Query
from pydantic import BeforeValidator, Field, model_validator

from bellwire.api.admin_views import DEFAULT_PAGE, MAX_PAGE, View
from bellwire.api.model import RequestBody
from bellwire.delivery.health import LastFailure
from bellwire.engine.cursors import MAX_CURSOR_LENGTH
from bellwire.engine.envelope import wire_time
from bellwire.engine.history import (
    BacklogPage,
    EventNotification,
    NotificationState,
    WaitingRow,
)
from bellwire.engine.line import LaneView
from bellwire.engine.operate import SubscriptionHealth
from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId, ReplayId, SubscriptionId
from bellwire.model.replay import Replay, ReplayState
from bellwire.model.subscription import Subscription, SubscriptionApi, SubscriptionStatus, TransportType
from bellwire.ports.history import EventHead, RecordedAttempt

_NUMBER = re.compile(r"\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*")
_SPACE_FOR_PLUS = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds."""

ID = r"^[A-Za-z0-9_-]{1,64}$"
NAME = r"^[A-Za-z0-9._:-]{1,64}$"
CURSOR = r"^[A-Za-z0-9_-]+$"


def _as_written(value: object) -> object:
    """A `+` that a client did not encode arrives as a space (wire contract, 2.7). A number is no time: pydantic would
    take the year 2026 for so many seconds after 1970."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        raise ValueError("an ISO 8601 date-time is expected, as 2026-03-01T12:00:00Z")
    return _SPACE_FOR_PLUS.sub(r"\1+\2", value)


Moment = Annotated[datetime, BeforeValidator(_as_written)]

SubscriptionPath = Annotated[SubscriptionId, Path(alias="subscriptionId", pattern=ID)]
ReplayPath = Annotated[ReplayId, Path(alias="replayId", pattern=ID)]
EventPath = Annotated[str, Path(alias="event", pattern=NAME, description="Its position in the log, or its uuid.")]
AccountQuery = Annotated[AccountId | None, Query(alias="account", pattern=ID, description="Of this account.")]
FromQuery = Annotated[Moment | None, Query(alias="from", description="At this time or later.")]
ToQuery = Annotated[Moment | None, Query(alias="to", description="Before this time.")]


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


def part(
    limit: int = Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE, description="How many records to answer at most."),
    cursor: str | None = Query(
        default=None,
        min_length=1,
        max_length=MAX_CURSOR_LENGTH,
        pattern=CURSOR,
        description="`nextCursor` of the page before. A page may be short, even empty, and have one: there was too "
        "much to look through at once.",
    ),
) -> Part:
    return Part(limit, cursor)


ListPart = Annotated[Part, Depends(part)]


def milliseconds(moment: datetime | None) -> int | None:
    """Since the epoch; a time without offset is UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def time_range(from_: datetime | None, to: datetime | None) -> tuple[int | None, int | None]:
    """Both as milliseconds. Raises InvalidRequest (CMN-101) where the end is not after the beginning."""
    from_ms, until_ms = milliseconds(from_), milliseconds(to)
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [to] is invalid: it must be later than [from], {wire_time(from_ms)}.",
            parameter="to",
            value=wire_time(until_ms),
        )
    return from_ms, until_ms


def _time(at_ms: int) -> str:
    return wire_time(at_ms)


def _moment(moment: datetime) -> str:
    return wire_time(int(moment.timestamp() * 1000))


V = TypeVar("V", bound=View)


class HistoryPageView(View, Generic[V]):
    """`nextCursor` is null where there is nothing more."""

    records: list[V]
    next_cursor: str | None


class EventView(View):
    """An event without its body. `accountId`, `topic` and `uuid` are as it was published."""

    position: int = Field(description="Its place in the log.")
    uuid: str
    account_id: AccountId
    family: str
    topic: str
    timestamp: Time
    size_bytes: int = Field(description="Of the body.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, EventHead)
        return cls(
            position=record.position,
            uuid=record.uuid,
            account_id=record.account,
            family=_family_of(record.topic),
            topic=record.topic,
            timestamp=_time(record.timestamp_ms),
            size_bytes=record.size_bytes,
        )


class EventDetailView(EventView):
    """An event as it was published."""

    body: dict[str, Any]
    audience: list[str] | None = Field(description="The extensions that may see it; null is the whole account.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, LoggedEvent)
        event = record.event
        return cls(
            position=record.position,
            uuid=event.uuid,
            account_id=event.account,
            family=_family_of(event.topic),
            topic=event.topic,
            timestamp=_time(event.timestamp_ms),
            size_bytes=len(event.body),
            body=msgspec.json.decode(event.body),
            audience=None if event.audience is None else list(event.audience),
        )


def _family_of(topic: str) -> str:
    match = REGISTRY.match(topic)
    return "" if match is None else match.family.name


class AttemptView(View):
    """One try to deliver one notification."""

    id: str | None = Field(description="Its place in history; null for one that is not in it yet.")
    subscription_id: SubscriptionId
    position: int = Field(description="Of the event; 0 for a test event.")
    topic: str
    uuid: str = Field(description="The notification's, as the endpoint saw it.")
    number: int = Field(description="1 for the first.")
    address: str
    started_at: Time
    duration_ms: float
    outcome: AttemptOutcome
    failure_code: FailureCode | None
    status: int | None = Field(description="The HTTP status; null where there was no answer.")
    detail: str = Field(description="One plain sentence for people; empty on success.")
    next_try_at: Time | None
    replay_id: ReplayId | None = Field(description="The replay that made it.")

    @classmethod
    def of(cls, record: object) -> Self:
        if isinstance(record, RecordedAttempt):
            return cls._of(record.attempt, str(record.id))
        assert isinstance(record, Attempt)
        return cls._of(record, None)

    @classmethod
    def _of(cls, attempt: Attempt, number_in_history: str | None) -> Self:
        return cls(
            id=number_in_history,
            subscription_id=attempt.subscription,
            position=attempt.position,
            topic=attempt.topic,
            uuid=attempt.uuid,
            number=attempt.number,
            address=attempt.address,
            started_at=_time(attempt.started_ms),
            duration_ms=attempt.duration_us / 1000,
            outcome=attempt.outcome,
            failure_code=attempt.failure,
            status=attempt.status or None,
            detail=attempt.detail,
            next_try_at=None if attempt.next_try_ms is None else _time(attempt.next_try_ms),
            replay_id=attempt.replay,
        )


class NotificationView(View):
    """One notification of an event: to whom, and what came of it so far."""

    subscription_id: SubscriptionId
    topic: str
    subscription_exists: bool
    state: NotificationState
    attempts: int = Field(description="Those of replays not counted.")
    replays_delivered: int = Field(description="How many replays delivered it.")
    last_attempt: AttemptView | None

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, EventNotification)
        return cls(
            subscription_id=record.subscription,
            topic=record.topic,
            subscription_exists=record.is_live,
            state=record.state,
            attempts=record.attempts,
            replays_delivered=record.replays_delivered,
            last_attempt=None if record.last is None else AttemptView.of(record.last),
        )


class NotificationPageView(HistoryPageView[NotificationView]):
    """In the order of subscriptions."""

    is_complete: bool = Field(
        description="False: there were too many attempts to look through, and later ones may be missing."
    )


class LaneInfo(View):
    """How a subscription's notifications stand at this moment."""

    mode: str = Field(description="live: out of memory; spilling, draining: by way of the backlog.")
    is_held: bool = Field(description="Nothing is sent: it is paused or blacklisted.")
    waiting: int = Field(description="In memory.")
    in_flight: int
    backlog_rows: int

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, LaneView)
        return cls(
            mode=record.mode.value,
            is_held=record.is_held,
            waiting=record.waiting,
            in_flight=record.in_flight,
            backlog_rows=record.backlog_rows,
        )


class SubscriptionView(View):
    """A subscription, as an operator sees it."""

    id: SubscriptionId
    api: SubscriptionApi
    account_id: AccountId
    owner_id: str
    client_id: str
    status: SubscriptionStatus
    is_paused: bool
    transport_type: TransportType
    address: str | None
    event_filters: list[str]
    created_at: Time
    expires_at: Time
    blacklisted_at: Time | None
    blacklist_reason: str | None
    deliveries: LaneInfo

    @classmethod
    def made_of(cls, record: Subscription, lane: LaneView) -> Self:
        blacklisting = record.blacklisting
        return cls(
            id=record.id,
            api=record.api,
            account_id=record.account_id,
            owner_id=record.owner_id,
            client_id=record.client_id,
            status=record.status,
            is_paused=record.paused,
            transport_type=record.transport,
            address=None if record.webhook is None else record.webhook.address,
            event_filters=list(record.filters),
            created_at=_moment(record.created_at),
            expires_at=_moment(record.expires_at),
            blacklisted_at=None if blacklisting is None else _moment(blacklisting.at),
            blacklist_reason=None if blacklisting is None else blacklisting.reason,
            deliveries=LaneInfo.of(lane),
        )


class BacklogRowView(View):
    """A notification that waits on disk."""

    position: int
    topic: str
    ordering_key: str
    size_bytes: int
    uuid: str | None = Field(description="The event's; null where the event is no longer kept.")
    timestamp: Time | None

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, WaitingRow)
        row, event = record.row, record.event
        return cls(
            position=row.position,
            topic=row.topic,
            ordering_key=row.key,
            size_bytes=row.size_bytes,
            uuid=None if event is None else event.uuid,
            timestamp=None if event is None else _time(event.timestamp_ms),
        )


class BacklogView(HistoryPageView[BacklogRowView]):
    """What waits for one subscription on disk; records are in the order in which they will go."""

    rows: int
    size_bytes: int = Field(description="Of the events' bodies.")
    is_exact: bool = Field(description="False: there is at least so much.")
    oldest_position: int | None
    oldest_timestamp: Time | None

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, BacklogPage)
        oldest = record.oldest
        return cls(
            rows=record.size.rows,
            size_bytes=record.size.size_bytes,
            is_exact=record.size.is_exact,
            oldest_position=record.size.oldest,
            oldest_timestamp=None if oldest is None else _time(oldest.timestamp_ms),
            records=[BacklogRowView.of(row) for row in record.page.records],
            next_cursor=record.page.next_cursor,
        )


class LastFailureView(View):
    failure_code: FailureCode
    status: int | None
    detail: str = Field(description="One plain sentence for people.")
    at: Time

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, LastFailure)
        return cls(failure_code=record.code, status=record.status or None, detail=record.detail, at=_time(record.at_ms))


class HealthView(View):
    """A subscription's deliveries since the server started."""

    subscription_id: SubscriptionId
    status: SubscriptionStatus
    is_paused: bool
    delivered: int
    failed: int
    success_rate: float | None = Field(description="0 to 1, of all attempts; null before the first.")
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None = Field(description="How long successful attempts took, about; null before the first.")
    consecutive_failures: int
    failing_seconds: float | None = Field(
        description="Null while it does not fail; stands still while the outage is our own."
    )
    blacklisted_in_seconds: float | None = Field(
        description="How much failing time is left; null while it does not fail."
    )
    last_failure: LastFailureView | None
    next_probe_in_seconds: float | None = Field(
        description="Of a blacklisted address; null where it is not tried again by itself."
    )
    own_outage: bool = Field(
        description="Most hosts can't be reached: the fault is taken for ours, and no failing time passes."
    )
    deliveries: LaneInfo

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, SubscriptionHealth)
        return cls(
            subscription_id=record.subscription,
            status=record.status,
            is_paused=record.paused,
            delivered=record.delivered,
            failed=record.failed,
            success_rate=record.success_rate,
            p50_ms=_thousandfold(record.p50_seconds),
            p95_ms=_thousandfold(record.p95_seconds),
            p99_ms=_thousandfold(record.p99_seconds),
            consecutive_failures=record.failures,
            failing_seconds=record.failing_seconds,
            blacklisted_in_seconds=record.blacklisted_in_seconds,
            last_failure=None if record.last_failure is None else LastFailureView.of(record.last_failure),
            next_probe_in_seconds=record.next_probe_in_seconds,
            own_outage=record.own_outage,
            deliveries=LaneInfo.of(record.lane),
        )


def _thousandfold(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


class ProbeView(View):
    """What a try of a blacklisted address came to."""

    is_active: bool = Field(description="Whether the subscription is active again.")
    code: str = Field(description="Of the handshake's refusal, as SUB-525; empty where the address answered.")
    reason: str


class ReplayRequest(View, RequestBody):
    """What to send again: one event, or all that matches in a time range."""

    event: str | None = Field(default=None, pattern=NAME, description="Position or uuid of one event.")
    from_: Moment | None = Field(default=None, alias="from", description="Events of this time or later.")
    to: Moment | None = Field(default=None, description="Events before this time; without it, all so far.")

    @model_validator(mode="after")
    def _names_a_stretch(self) -> Self:
        if (self.event is None) == (self.from_ is None):
            raise ValueError("give either event, or from and maybe to")
        if self.event is not None and self.to is not None:
            raise ValueError("to goes with from, not with event")
        return self


class ReplayView(View):
    """A replay: what was asked for, and how far it came."""

    id: ReplayId
    subscription_id: SubscriptionId
    state: ReplayState
    from_: Time | None = Field(alias="from")
    to: Time | None
    after_position: int
    until_position: int = Field(
        description="The stretch of the log that is looked through: after the one, up to the other."
    )
    cursor: int = Field(description="Up to there, all is done.")
    progress: float = Field(description="0 to 1, of the stretch.")
    delivered: int
    given_up: int
    failed_attempts: int
    created_at: Time
    ended_at: Time | None
    reason: str = Field(description="One plain sentence: why it ended before its time, or what went wrong last.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, Replay)
        length = record.until - record.after
        return cls(
            id=record.id,
            subscription_id=record.subscription,
            state=record.state,
            from_=None if record.from_ms is None else _time(record.from_ms),
            to=None if record.until_ms is None else _time(record.until_ms),
            after_position=record.after,
            until_position=record.until,
            cursor=record.cursor,
            progress=min(1.0, (record.cursor - record.after) / length) if length > 0 else 1.0,
            delivered=record.delivered,
            given_up=record.given_up,
            failed_attempts=record.failed_attempts,
            created_at=_time(record.created_ms),
            ended_at=None if record.ended_ms is None else _time(record.ended_ms),
            reason=record.reason,
        )


class ReplayListView(View):
    """Newest first: those that run, and the latest of those that ended."""

    records: list[ReplayView]


class FailureCodeView(View):
    """Why an attempt failed."""

    code: FailureCode
    meaning: str = Field(description="One plain sentence.")


class FailureCodesView(View):
    """All there are."""

    records: list[FailureCodeView]
