"""What the own API answers about subscriptions, backlogs, health and replays, and what a replay is asked for with."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from bellwire.api.admin_views import View
from bellwire.api.history_parameters import NAME, Moment
from bellwire.api.history_views import HistoryPageView, Time
from bellwire.api.model import RequestBody
from bellwire.delivery.health import LastFailure
from bellwire.engine.envelope import wire_time
from bellwire.engine.history import BacklogPage, WaitingRow
from bellwire.engine.line import LaneView
from bellwire.engine.operate import SubscriptionHealth
from bellwire.model.attempt import FailureCode
from bellwire.model.ids import AccountId, ReplayId, SubscriptionId
from bellwire.model.instants import to_milliseconds
from bellwire.model.replay import Replay, ReplayState
from bellwire.model.subscription import Subscription, SubscriptionApi, SubscriptionStatus, TransportType


def _moment(moment: datetime) -> str:
    return wire_time(to_milliseconds(moment))


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
            timestamp=None if event is None else wire_time(event.timestamp_ms),
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
            oldest_timestamp=None if oldest is None else wire_time(oldest.timestamp_ms),
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
        return cls(
            failure_code=record.code, status=record.status or None, detail=record.detail, at=wire_time(record.at_ms)
        )


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
            from_=None if record.from_ms is None else wire_time(record.from_ms),
            to=None if record.until_ms is None else wire_time(record.until_ms),
            after_position=record.after,
            until_position=record.until,
            cursor=record.cursor,
            progress=min(1.0, (record.cursor - record.after) / length) if length > 0 else 1.0,
            delivered=record.delivered,
            given_up=record.given_up,
            failed_attempts=record.failed_attempts,
            created_at=wire_time(record.created_ms),
            ended_at=None if record.ended_ms is None else wire_time(record.ended_ms),
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
