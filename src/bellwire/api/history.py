"""The own API for operators, under `/bellwire/v1`: events, who got them, attempts, backlogs, health, replays.

For admin keys; one that is good for a single account sees that account alone. What happens is the engine's
(`engine/history.py`, `engine/operate.py`, `engine/replay.py`); here is only HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bellwire.api.admin_scope import ScopeOf, scope_by
from bellwire.api.explain_views import NotificationExplanationView
from bellwire.api.history_parameters import (
    ID,
    NAME,
    AccountQuery,
    EventPath,
    FromQuery,
    ListPart,
    ReplayPath,
    SubscriptionPath,
    ToQuery,
    time_range,
)
from bellwire.api.history_views import (
    AttemptView,
    EventDetailView,
    EventView,
    HistoryPageView,
    NotificationPageView,
    NotificationView,
)
from bellwire.api.operate_views import (
    BacklogView,
    FailureCodesView,
    FailureCodeView,
    HealthView,
    ProbeView,
    ReplayListView,
    ReplayRequest,
    ReplayView,
    SubscriptionView,
)
from bellwire.api.problems import Responses, documented
from bellwire.api.routing import api_router
from bellwire.delivery.failures import sentence
from bellwire.engine.deliver import Deliveries
from bellwire.engine.history import AttemptSearch, EventSearch, HistoryPage, Lookback
from bellwire.engine.operate import Operations
from bellwire.engine.provision_scope import Scope
from bellwire.engine.replay import Replays
from bellwire.model.attempt import AttemptOutcome, FailureCode
from bellwire.model.identity import ApiKey
from bellwire.model.ids import ReplayId, SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionStatus
from bellwire.ports.history import RecordedAttempt

PREFIX = "/bellwire/v1"
PATHS = tuple(f"{PREFIX}/{name}" for name in ("events", "subscriptions", "deliveries", "replays", "failure-codes"))
"""What the paths of all routes begin with."""
MAX_TOPIC_LENGTH = 2048

OutcomeQuery = Annotated[AttemptOutcome | None, Query(description="What it meant for its notification.")]
FailureQuery = Annotated[FailureCode | None, Query(description="Why it failed; see /bellwire/v1/failure-codes.")]
EventQueryName = Annotated[str | None, Query(alias="event", pattern=NAME, description="Position or uuid of the event.")]
ReplayQuery = Annotated[ReplayId | None, Query(alias="replay", pattern=ID, description="Made by this replay.")]
SubscriptionQuery = Annotated[SubscriptionId | None, Query(alias="subscription", pattern=ID)]


def attempt_search(
    *,
    from_: FromQuery = None,
    to: ToQuery = None,
    outcome: OutcomeQuery = None,
    failure: FailureQuery = None,
    event: EventQueryName = None,
    replay: ReplayQuery = None,
) -> AttemptSearch:
    from_ms, until_ms = time_range(from_, to)
    return AttemptSearch(
        event=event,
        outcome=outcome,
        failure=failure,
        replay=replay,
        from_ms=from_ms,
        until_ms=until_ms,
    )


AttemptFilter = Annotated[AttemptSearch, Depends(attempt_search)]


def history_routes(
    *,
    lookback: Lookback,
    operations: Operations,
    replays: Replays,
    deliveries: Deliveries,
    admin: Callable[..., Awaitable[ApiKey]],
) -> list[APIRouter]:
    """
    Args:
        admin: a FastAPI dependency that gives the enabled admin key of the request, or raises `Unauthenticated`.
    """

    scope = scope_by(admin)

    return [
        _event_routes(lookback, scope),
        _subscription_routes(lookback, deliveries, scope),
        _operation_routes(lookback, operations, deliveries, scope),
        _replay_routes(lookback, replays, scope),
        _failure_codes(),
    ]


def _guarded(scope_of: ScopeOf, path: str = "", *, tag: str, responses: Responses | None = None) -> APIRouter:
    """The key is asked for first: what a request says is judged for those alone who may ask."""
    return api_router(
        PREFIX + path,
        tag=tag,
        responses=documented(400, 401, 404, 503) | (responses or {}),
        dependencies=[Depends(scope_of)],
    )


def _event_routes(lookback: Lookback, scope_of: ScopeOf) -> APIRouter:
    router = _guarded(scope_of, "/events", tag="Event history")

    @router.get("", summary="List events, newest first")
    async def list_events(
        *,
        part: ListPart,
        from_: FromQuery = None,
        to: ToQuery = None,
        family: Annotated[str | None, Query(max_length=64, description="Name of an event family.")] = None,
        topic: Annotated[
            str | None, Query(max_length=MAX_TOPIC_LENGTH, description="The topic it was published on.")
        ] = None,
        account: AccountQuery = None,
        uuid: Annotated[str | None, Query(pattern=NAME)] = None,
        scope: Scope = Depends(scope_of),
    ) -> HistoryPageView[EventView]:
        """Times are the events' own. All that is given must hold."""
        from_ms, until_ms = time_range(from_, to)
        page = await lookback.events(
            scope,
            EventSearch(
                account=account,
                uuid=uuid,
                family=family,
                topic=topic,
                from_ms=from_ms,
                until_ms=until_ms,
            ),
            cursor=part.cursor,
            limit=part.limit,
        )
        return HistoryPageView[EventView](
            records=[EventView.of(head) for head in page.records], next_cursor=page.next_cursor
        )

    @router.get("/{event}", summary="Read an event")
    async def read_event(event: EventPath, scope: Scope = Depends(scope_of)) -> EventDetailView:
        """By position or uuid; digits that are the position of an event mean that one."""
        return EventDetailView.of(await lookback.event(scope, event))

    @router.get("/{event}/notifications", summary="Who was to get an event, and what came of it so far")
    async def list_notifications(
        event: EventPath, part: ListPart, scope: Scope = Depends(scope_of)
    ) -> NotificationPageView:
        """The subscriptions whose filters match it, and those that history has attempts for."""
        page = await lookback.notifications(scope, event, cursor=part.cursor, limit=part.limit)
        return NotificationPageView(
            records=[NotificationView.of(record) for record in page.records],
            next_cursor=page.next_cursor,
            is_complete=page.is_complete,
        )

    @router.get(
        "/{event}/subscriptions/{subscriptionId}", summary="Whether a subscription was to get an event, and if not, why"
    )
    async def explain_notification(
        event: EventPath, subscription: SubscriptionPath, scope: Scope = Depends(scope_of)
    ) -> NotificationExplanationView:
        """By the event filters that were in force when the event was logged."""
        return NotificationExplanationView.of(await lookback.explanation(scope, event, subscription))

    return router


def _subscription_routes(lookback: Lookback, deliveries: Deliveries, scope_of: ScopeOf) -> APIRouter:
    router = _guarded(scope_of, tag="Delivery history")

    def view(record: Subscription) -> SubscriptionView:
        return SubscriptionView.made_of(record, deliveries.view(record.id))

    @router.get("/subscriptions", summary="List the subscriptions of all users")
    async def list_all_subscriptions(
        part: ListPart,
        account: AccountQuery = None,
        status: SubscriptionStatus | None = None,
        scope: Scope = Depends(scope_of),
    ) -> HistoryPageView[SubscriptionView]:
        """In the order of their ids."""
        page = await lookback.subscriptions(scope, account=account, status=status, cursor=part.cursor, limit=part.limit)
        return HistoryPageView[SubscriptionView](
            records=[view(record) for record in page.records], next_cursor=page.next_cursor
        )

    @router.get("/subscriptions/{subscriptionId}", summary="Read a subscription, whoever owns it")
    async def read_any_subscription(
        subscription: SubscriptionPath, scope: Scope = Depends(scope_of)
    ) -> SubscriptionView:
        return view(lookback.subscription(scope, subscription))

    @router.get("/subscriptions/{subscriptionId}/attempts", summary="List a subscription's attempts, newest first")
    async def list_subscription_attempts(
        subscription: SubscriptionPath, part: ListPart, search: AttemptFilter, scope: Scope = Depends(scope_of)
    ) -> HistoryPageView[AttemptView]:
        """With `event`: of one notification."""
        lookback.subscription(scope, subscription)
        search = replace(search, subscription=subscription)
        return _attempts(await lookback.attempts(scope, search, cursor=part.cursor, limit=part.limit))

    @router.get("/subscriptions/{subscriptionId}/backlog", summary="Look at what waits for a subscription")
    async def read_subscription_backlog(
        subscription: SubscriptionPath, part: ListPart, scope: Scope = Depends(scope_of)
    ) -> BacklogView:
        return BacklogView.of(await lookback.backlog(scope, subscription, cursor=part.cursor, limit=part.limit))

    @router.get("/deliveries", summary="List attempts of all subscriptions, newest first")
    async def list_deliveries(
        part: ListPart,
        search: AttemptFilter,
        subscription: SubscriptionQuery = None,
        scope: Scope = Depends(scope_of),
    ) -> HistoryPageView[AttemptView]:
        """Those of subscriptions that have ended are seen with a key for all accounts only."""
        search = replace(search, subscription=subscription)
        return _attempts(await lookback.attempts(scope, search, cursor=part.cursor, limit=part.limit))

    return router


def _operation_routes(
    lookback: Lookback, operations: Operations, deliveries: Deliveries, scope_of: ScopeOf
) -> APIRouter:
    router = _guarded(
        scope_of, "/subscriptions/{subscriptionId}", tag="Operating subscriptions", responses=documented(405, 409)
    )

    def view(record: Subscription) -> SubscriptionView:
        return SubscriptionView.made_of(record, deliveries.view(record.id))

    @router.get("/health", summary="How a subscription's deliveries fare")
    async def read_subscription_health(subscription: SubscriptionPath, scope: Scope = Depends(scope_of)) -> HealthView:
        """Success rate, latencies, the last failure, and how long until the address is blacklisted."""
        lookback.subscription(scope, subscription)
        return HealthView.of(operations.health(subscription))

    @router.post("/pause", summary="Pause deliveries")
    async def pause_subscription(subscription: SubscriptionPath, scope: Scope = Depends(scope_of)) -> SubscriptionView:
        """Notifications gather in the backlog; restarts change nothing about it."""
        lookback.subscription(scope, subscription)
        return view(await operations.pause(subscription))

    @router.post("/resume", summary="Go on with what gathered, in order")
    async def resume_subscription(subscription: SubscriptionPath, scope: Scope = Depends(scope_of)) -> SubscriptionView:
        lookback.subscription(scope, subscription)
        return view(await operations.resume(subscription))

    @router.post("/test", summary="Send a sample event to the address, now and once")
    async def test_subscription(subscription: SubscriptionPath, scope: Scope = Depends(scope_of)) -> AttemptView:
        """With the header `Bellwire-Test: true`; also while paused or blacklisted. The answer says what came of it."""
        lookback.subscription(scope, subscription)
        return AttemptView.of(await operations.test_event(subscription))

    @router.post("/probe", summary="Try a blacklisted address now")
    async def probe_subscription(subscription: SubscriptionPath, scope: Scope = Depends(scope_of)) -> ProbeView:
        """By the handshake of subscribing; the subscription becomes active if the address answers as it should."""
        lookback.subscription(scope, subscription)
        return ProbeView.of(await operations.probe(subscription))

    return router


def _replay_routes(lookback: Lookback, replays: Replays, scope_of: ScopeOf) -> APIRouter:
    router = _guarded(scope_of, tag="Replays")

    @router.post(
        "/subscriptions/{subscriptionId}/replay",
        status_code=202,
        summary="Send one event, or a time range, to a subscription again",
        responses=documented(405, 413, 415, 429),
    )
    async def create_replay(
        subscription: SubscriptionPath, wanted: ReplayRequest, scope: Scope = Depends(scope_of)
    ) -> ReplayView:
        """What matches its present filters is sent with the original `uuid` and the header `Bellwire-Replay`,
        whatever came of it before. It runs on its own, over restarts too; watch it under `/bellwire/v1/replays`."""
        record = lookback.subscription(scope, subscription)
        if wanted.event is not None:
            logged = await lookback.event(scope, wanted.event)
            return ReplayView.of(await replays.of_event(record, logged.position))
        return ReplayView.of(await replays.of_time(record, *time_range(wanted.from_, wanted.to)))

    @router.get("/replays", summary="List replays, newest first")
    async def list_replays(subscription: SubscriptionQuery = None, scope: Scope = Depends(scope_of)) -> ReplayListView:
        return ReplayListView(records=[ReplayView.of(replay) for replay in replays.listed(scope, subscription)])

    @router.get("/replays/{replayId}", summary="How far a replay came")
    async def read_replay(replay: ReplayPath, scope: Scope = Depends(scope_of)) -> ReplayView:
        return ReplayView.of(replays.get(scope, replay))

    @router.delete("/replays/{replayId}", summary="Cancel a replay", responses=documented(409))
    async def cancel_replay(replay: ReplayPath, scope: Scope = Depends(scope_of)) -> ReplayView:
        """What was sent stays sent."""
        return ReplayView.of(await replays.cancel(scope, replay))

    return router


def _failure_codes() -> APIRouter:
    router = api_router(PREFIX, tag="Delivery history")
    records = [FailureCodeView(code=code, meaning=sentence(code)) for code in FailureCode]

    @router.get("/failure-codes", summary="Why attempts fail: all codes, in plain words")
    async def list_failure_codes() -> FailureCodesView:
        return FailureCodesView(records=records)

    return router


def _attempts(page: HistoryPage[RecordedAttempt]) -> HistoryPageView[AttemptView]:
    return HistoryPageView[AttemptView](
        records=[AttemptView.of(recorded) for recorded in page.records], next_cursor=page.next_cursor
    )
