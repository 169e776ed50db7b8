"""What the own API answers about events, their notifications and attempts."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
from pydantic import Field

from bellwire.api.admin_views import View
from bellwire.engine.envelope import wire_time
from bellwire.engine.history import EventNotification, NotificationState
from bellwire.families import REGISTRY
from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId, ReplayId, SubscriptionId
from bellwire.ports.history import EventHead, RecordedAttempt

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds."""

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
            timestamp=wire_time(record.timestamp_ms),
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
            timestamp=wire_time(event.timestamp_ms),
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
            started_at=wire_time(attempt.started_ms),
            duration_ms=attempt.duration_us / 1000,
            outcome=attempt.outcome,
            failure_code=attempt.failure,
            status=attempt.status or None,
            detail=attempt.detail,
            next_try_at=None if attempt.next_try_ms is None else wire_time(attempt.next_try_ms),
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
