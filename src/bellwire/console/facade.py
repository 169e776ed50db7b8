"""What the console's pages ask of the engine, and nothing else of it.

Each method takes the scope of who asks, and asks the same use cases as the HTTP API, in this process. Subscriptions are
created, renewed and ended as their owners would do it: with the owner's rights and limits, not the operator's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bellwire.console.figures import Figures
from bellwire.console.sms_facade import SmsLab
from bellwire.engine.deliver import Deliveries
from bellwire.engine.explain import SubscriptionExplanation, as_announced, explain_logged
from bellwire.engine.history import AttemptSearch, EventNotification, EventSearch, HistoryPage, Lookback
from bellwire.engine.line import LaneView
from bellwire.engine.notification_request import NotificationRequest, notification_request
from bellwire.engine.operate import Operations, SubscriptionHealth
from bellwire.engine.provision_scope import Reach, Scope
from bellwire.engine.replay import Replays
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe import Subscriptions, WebhookRequest
from bellwire.errors import InvalidRequest, NotFound
from bellwire.families import REGISTRY
from bellwire.filters import EventFilter, Explanation, explain, parse_filter, rows_with_stated
from bellwire.model.attempt import Attempt
from bellwire.model.directory import Account, Extension, ExtensionType, Status
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.identity import Application, Caller, KeyKind
from bellwire.model.ids import AccountId, ClientId, ExtensionId, Partition, ReplayId, SessionId, SubscriptionId
from bellwire.model.replay import Replay
from bellwire.model.subscription import Subscription, SubscriptionApi, SubscriptionStatus, TransportType
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.history import RecordedAttempt
from bellwire.ports.identity import CredentialStore, Directory

MOST_EXPLAINED = 200
"""Subscriptions for which is said why they did not get an event."""
_OPERATOR = SessionId("console")


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A subscription that did not get an event, and why."""

    subscription: Subscription
    explanation: SubscriptionExplanation


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the façade stands before."""

    partition: Partition
    log: EventLog
    lookback: Lookback
    operations: Operations
    replays: Replays
    subscriptions: Subscriptions
    deliveries: Deliveries
    announcements: Announcements
    directory: Directory
    credentials: CredentialStore
    clock: Clock
    user_agent: str


class EngineFacade:
    def __init__(
        self, parts: EngineParts, *, figures: Figures, is_ready: Callable[[], bool], sms: SmsLab | None = None
    ) -> None:
        self._parts = parts
        self._reach = Reach(parts.directory)
        self.figures = figures
        self.sms = sms
        """The SMS lab, where there is one."""
        self.is_ready = is_ready
        """Whether the engine runs; it does not while a development server is being reset."""

    # Who asks

    def scope_of(self, key_hash: bytes) -> Scope | None:
        """What an admin key reaches; None if there is no such key, or it is disabled."""
        key = self._parts.credentials.key_with_hash(key_hash)
        if key is None or key.kind is not KeyKind.ADMIN or key.status is not Status.ENABLED:
            return None
        return Scope.of(key)

    def now(self) -> datetime:
        return self._parts.clock.now()

    def now_ms(self) -> int:
        return self._parts.clock.now_ms()

    def accounts(self, scope: Scope) -> list[Account]:
        """Those within reach, by name."""
        known = (account for account in self._parts.directory.accounts() if scope.covers(account.id))
        return sorted(known, key=lambda account: (account.company_name, account.id))

    def account_with_users(self, scope: Scope) -> Account | None:
        """The first within reach that has somebody to own subscriptions, or else just the first."""
        known = self.accounts(scope)
        return next((account for account in known if self.users(scope, account.id)), known[0] if known else None)

    def users(self, scope: Scope, account: AccountId) -> list[Extension]:
        """Who may own subscriptions, administrators first. Raises NotFound for an account out of reach."""
        found = self._parts.directory.extensions(self._reach.account(scope, account).id)
        users = (one for one in found if one.type is ExtensionType.USER and one.status is Status.ENABLED)
        return sorted(users, key=lambda one: (not one.is_admin, len(one.extension_number), one.extension_number))

    def applications(self, scope: Scope, account: AccountId) -> list[Application]:
        """Those with which users of an account may log in."""
        self._reach.account(scope, account)
        found = (
            one
            for one in self._parts.directory.applications()
            if one.account_id in {None, account} and one.status is Status.ENABLED
        )
        return sorted(found, key=lambda one: (one.name, one.client_id))

    def extension(self, extension: ExtensionId) -> Extension | None:
        return self._parts.directory.extension(extension)

    def application(self, client: ClientId) -> Application | None:
        return self._parts.directory.application(client)

    # Events

    async def events(
        self, scope: Scope, search: EventSearch, cursor: str | None, limit: int
    ) -> HistoryPage[LoggedEvent]:
        """Events with their bodies, newest first."""
        page = await self._parts.lookback.events(scope, search, cursor=cursor, limit=limit)
        positions = [head.position for head in page.records]
        found = await self._parts.log.get(self._parts.partition, positions)
        records = tuple(LoggedEvent(position, found[position]) for position in positions if position in found)
        return HistoryPage(records, page.next_cursor, page.is_complete)

    async def event(self, scope: Scope, name: str) -> LoggedEvent:
        return await self._parts.lookback.event(scope, name)

    async def notifications(self, scope: Scope, name: str, limit: int) -> HistoryPage[EventNotification]:
        return await self._parts.lookback.notifications(scope, name, cursor=None, limit=limit)

    async def who_did_not(
        self, scope: Scope, logged: LoggedEvent, got: frozenset[SubscriptionId]
    ) -> tuple[list[Unmatched], bool]:
        """Subscriptions of the event's account that did not get it, those with a filter of its family first; and
        whether these are all."""
        page = await self._parts.lookback.subscriptions(
            scope, account=logged.event.account, cursor=None, limit=MOST_EXPLAINED + len(got)
        )
        others = [record for record in page.records if record.id not in got]
        explained = [Unmatched(one, explain_logged(one, logged, self._parts.announcements)) for one in others]
        missed = [one for one in explained if not one.explanation.matches]
        return missed, page.next_cursor is None

    def read_filter(self, text: str, account: AccountId, extension: ExtensionId) -> EventFilter:
        """A filter as a subscriber writes it, of either endpoint.

        Raises:
            FilterRefused, ForeignAccount: with the place, what may stand there, and what was probably meant.
        """
        match = REGISTRY.match_shape(text.strip().partition("?")[0])
        api = SubscriptionApi.GENERAL if match is None else match.family.api
        return parse_filter(text.strip(), account=account, extension=extension, api=api)

    def explain_filter(self, event_filter: EventFilter, event: Event, owner: ExtensionId | None = None) -> Explanation:
        """Whether a filter matches an event, and if not, why not."""
        return explain(event_filter, as_announced(event, self._parts.announcements), owner=owner)

    def is_wanted(self, event_filter: EventFilter, event: Event) -> bool:
        """As `explain_filter`, without the reasons, for many events."""
        announcements = self._parts.announcements
        if not any(key == event_filter.key for _, key in announcements.topics(event)):
            return False
        return event_filter.fits(rows_with_stated(announcements.facts(event).rows, event.stated))

    # Subscriptions

    async def list_subscriptions(
        self, scope: Scope, account: AccountId | None, status: SubscriptionStatus | None, limit: int
    ) -> HistoryPage[Subscription]:
        return await self._parts.lookback.subscriptions(scope, account=account, status=status, cursor=None, limit=limit)

    def subscription(self, scope: Scope, subscription: SubscriptionId) -> Subscription:
        return self._parts.lookback.subscription(scope, subscription)

    def health(self, scope: Scope, subscription: SubscriptionId) -> SubscriptionHealth | None:
        """None for a WebSocket subscription: its deliveries are its socket's."""
        record = self.subscription(scope, subscription)
        return None if record.transport is not TransportType.WEB_HOOK else self._parts.operations.health(record.id)

    def lane(self, subscription: SubscriptionId) -> LaneView:
        return self._parts.deliveries.view(subscription)

    async def create(self, scope: Scope, owner: ExtensionId, client: ClientId, request: WebhookRequest) -> Subscription:
        """A webhook subscription of a user with an application.

        Raises:
            NotFound: user or application are out of reach.
            InvalidRequest, Forbidden: as `Subscriptions.create`.
        """
        extension = self._reach.extension(scope, owner)
        application = self._parts.directory.application(client)
        if application is None or application.account_id not in {None, extension.account_id}:
            raise NotFound("CMN-102", "Resource for parameter [clientId] is not found", parameter="clientId")
        apis = {self._api_of(text) for text in request.filters}
        if len(apis) > 1:
            raise InvalidRequest(
                "SUB-508",
                "Webinar events and others can't be in one subscription: they have endpoints of their own. Make two.",
                parameter="eventFilters",
            )
        caller = Caller(
            session_id=_OPERATOR,
            client_id=application.client_id,
            account_id=extension.account_id,
            extension_id=extension.id,
            scope=application.permissions,
            rate_limit_factor=application.rate_limit_factor,
        )
        api = next(iter(apis), SubscriptionApi.GENERAL)
        return await self._parts.subscriptions.create(caller, api, request)

    async def renew(self, scope: Scope, subscription: SubscriptionId) -> Subscription:
        record = self.subscription(scope, subscription)
        return await self._parts.subscriptions.renew(_owner_of(record), record.api, record.id)

    async def delete(self, scope: Scope, subscription: SubscriptionId) -> None:
        record = self.subscription(scope, subscription)
        await self._parts.subscriptions.delete(_owner_of(record), record.api, record.id)

    async def pause(self, scope: Scope, subscription: SubscriptionId) -> Subscription:
        return await self._parts.operations.pause(self.subscription(scope, subscription).id)

    async def resume(self, scope: Scope, subscription: SubscriptionId) -> Subscription:
        return await self._parts.operations.resume(self.subscription(scope, subscription).id)

    async def test_event(self, scope: Scope, subscription: SubscriptionId) -> Attempt:
        return await self._parts.operations.test_event(self.subscription(scope, subscription).id)

    async def probe(self, scope: Scope, subscription: SubscriptionId) -> str:
        """Try a blacklisted address now; returns what came of it, in a sentence."""
        probed = await self._parts.operations.probe(self.subscription(scope, subscription).id)
        return "The address answered; deliveries go on." if probed.is_active else probed.reason

    # Deliveries

    async def attempts(
        self, scope: Scope, search: AttemptSearch, cursor: str | None, limit: int
    ) -> HistoryPage[RecordedAttempt]:
        return await self._parts.lookback.attempts(scope, search, cursor=cursor, limit=limit)

    async def request_of(self, scope: Scope, attempt: Attempt) -> NotificationRequest | None:
        """The request of an attempt, as far as event and subscription are still there."""
        try:
            record = self.subscription(scope, attempt.subscription)
            logged = await self.event(scope, str(attempt.position))
        except NotFound:
            return None
        parts = self._parts
        return notification_request(
            record, logged, attempt.topic, announcements=parts.announcements, user_agent=parts.user_agent
        )

    async def replay_event(self, scope: Scope, subscription: SubscriptionId, event: str) -> Replay:
        record = self.subscription(scope, subscription)
        logged = await self.event(scope, event)
        return await self._parts.replays.of_event(record, logged.position)

    async def replay_time(
        self, scope: Scope, subscription: SubscriptionId, from_ms: int | None, until_ms: int | None
    ) -> Replay:
        record = self.subscription(scope, subscription)
        return await self._parts.replays.of_time(record, from_ms, until_ms)

    def list_replays(self, scope: Scope, subscription: SubscriptionId | None = None) -> Sequence[Replay]:
        return self._parts.replays.listed(scope, subscription)

    async def cancel_replay(self, scope: Scope, replay: ReplayId) -> Replay:
        return await self._parts.replays.cancel(scope, replay)

    def _api_of(self, text: str) -> SubscriptionApi:
        match = REGISTRY.match_shape(text.strip().partition("?")[0])
        return SubscriptionApi.GENERAL if match is None else match.family.api


def _owner_of(record: Subscription) -> Caller:
    """The subscription's owner, as its own requests would come."""
    return Caller(
        session_id=_OPERATOR,
        client_id=record.client_id,
        account_id=record.account_id,
        extension_id=record.owner_id,
        scope=frozenset(),
        rate_limit_factor=1.0,
    )
