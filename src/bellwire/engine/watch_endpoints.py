"""Watching endpoints: who fails, who is about to be blacklisted, who is, and who has healed.

What is decided is in delivery/health.py and delivery/outage.py; this file tells them of each attempt, asks them once a
second, and does what they say: tells the operator, holds deliveries, keeps the record, tries blacklisted addresses
again by the handshake (wire contract, 3.6 and 3.10). The backlog stays, and drains in order once the address answers.

Nothing here is stored but the record's status: after a restart failing begins anew, and probes of those that are
blacklisted go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from urllib.parse import urlsplit

import structlog

from bellwire.delivery.health import BlacklistRule, EndpointHealth, LastFailure, Step, blacklist_reason
from bellwire.delivery.outage import UNREACHABLE, OutageWatch
from bellwire.engine.deliver import Deliveries
from bellwire.engine.operator_alerts import OperatorAlerts
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.errors import InvalidRequest, Unavailable
from bellwire.model.attempt import Attempt, FailureCode
from bellwire.model.event import Event
from bellwire.model.identity import BlacklistPolicy
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionStatus
from bellwire.ports.address_validation import AddressValidation
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory

WATCH_SECONDS = 1.0
"""How often `watch` is to be called."""
STANDSTILL_SECONDS = 5.0
"""When it is called so much later than due, our own process stood still: stopped, or frozen with its container."""
PROBES_AT_ONCE = 16
PROBE_JITTER = 0.1
"""A probe comes up to this part of its period earlier, so that those blacklisted together are not tried together."""
TURN = 1000

_log = structlog.get_logger("bellwire.endpoints")


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe came to: `code` and `reason` are of the handshake's refusal, empty when the address answered."""

    is_active: bool
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPolicy:
    rule: BlacklistRule = field(default_factory=BlacklistRule)
    policy: BlacklistPolicy = BlacklistPolicy.HEALING
    """For applications that have none of their own."""
    probe_every_seconds: float = 900.0


class EndpointWatch:
    """Owned by one event loop. `attempted` is called for every attempt; `start` and `stop` frame the probes."""

    def __init__(
        self,
        *,
        live: LiveSubscriptions,
        upkeep: SubscriptionUpkeep,
        deliveries: Deliveries,
        directory: Directory,
        validate: AddressValidation,
        unseal: Callable[[bytes], str],
        alerts: OperatorAlerts,
        clock: Clock,
        random: Random,
        policy: WatchPolicy,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._live = live
        self._upkeep = upkeep
        self._deliveries = deliveries
        self._directory = directory
        self._validate = validate
        self._unseal = unseal
        self._alerts = alerts
        self._clock = clock
        self._random = random
        self._policy = policy
        self._on_fatal = on_fatal
        self._health: dict[SubscriptionId, EndpointHealth] = {}
        self._failing: dict[SubscriptionId, EndpointHealth] = {}
        self._outage = OutageWatch()
        self._probe_at: dict[SubscriptionId, float] = {}
        """Of blacklisted subscriptions: when each is tried again, in running time."""
        self._probing: dict[SubscriptionId, asyncio.Task[Probed]] = {}
        self._places = asyncio.Semaphore(PROBES_AT_ONCE)
        self._looked_at = asyncio.get_running_loop().time()
        self.blacklisted = 0
        self.reactivated = 0
        """How often, since the start."""

    # What others ask

    @property
    def rule(self) -> BlacklistRule:
        return self._policy.rule

    @property
    def is_own_outage(self) -> bool:
        return self._outage.is_on

    @property
    def failing(self) -> int:
        """How many subscriptions fail now."""
        return len(self._failing)

    def failing_clock(self) -> float:
        """Now, on the clock that `EndpointHealth.failing_since` is read from."""
        return self._outage.failing_clock(self._clock.monotonic())

    def health(self, subscription: SubscriptionId) -> EndpointHealth | None:
        """None before its first outcome in this process."""
        return self._health.get(subscription)

    def next_probe_in(self, subscription: SubscriptionId) -> float | None:
        """Seconds; None if it is not blacklisted, or does not heal by itself."""
        at, record = self._probe_at.get(subscription), self._live.get(subscription)
        if at is None or record is None or not self._heals(record):
            return None
        return max(0.0, at - self._clock.monotonic())

    # What happens

    def attempted(self, attempt: Attempt, _event: Event | None) -> None:
        """Take note of an attempt; the deliveries call this for each one, on the hot path."""
        failure = attempt.failure
        if failure is FailureCode.CANCELLED:
            return  # it says nothing of an endpoint
        subscription = attempt.subscription
        health = self._health.get(subscription)
        if health is None:
            if attempt.is_over_socket or self._live.subscribers.get(subscription) is None:
                return  # it ended meanwhile
            health = self._health[subscription] = EndpointHealth(urlsplit(attempt.address).hostname or "")
        now = self._clock.monotonic()
        host = health.host
        if failure is None:
            self._outage.reached(host, now)
            if health.failing_since is not None:
                self._failing.pop(subscription, None)
            health.succeeded(attempt.duration_us / 1_000_000)
            return
        self._look_for_standstill()
        if failure in UNREACHABLE:
            self._outage.unreachable(host, now)
        else:
            self._outage.reached(host, now)
        last = LastFailure(failure, attempt.status, attempt.detail, attempt.started_ms)
        record = self._live.get(subscription)
        if record is None or record.is_held:
            health.failed_with(last, None)
        else:
            health.failed_with(last, self._outage.failing_clock(now))
            self._failing[subscription] = health

    def brought_back(self, subscription: SubscriptionId) -> None:
        """Its address answered the handshake: it begins anew, and is not to be tried by a probe."""
        self._probe_at.pop(subscription, None)
        self.start_afresh(subscription)

    def start_afresh(self, subscription: SubscriptionId) -> None:
        """Its failing so far counts no more: an operator paused or resumed it."""
        self._failing.pop(subscription, None)
        health = self._health.get(subscription)
        if health is not None:
            health.start_afresh()

    def forget(self, subscription: SubscriptionId) -> None:
        """The subscription is no more."""
        self._health.pop(subscription, None)
        self._failing.pop(subscription, None)
        self._probe_at.pop(subscription, None)

    # What is done about it

    def start(self) -> None:
        """Take up the probes of those that an earlier process blacklisted. All subscriptions are restored by now; that
        it took a while is no standstill."""
        self._looked_at = asyncio.get_running_loop().time()
        for subscriber in self._live.subscribers:
            if not subscriber.is_held:
                continue
            record = subscriber.subscription
            if record.status is SubscriptionStatus.BLACKLISTED:
                self._plan_probe(record, first_after=self._random.random())

    async def stop(self) -> None:
        for task in list(self._probing.values()):
            task.cancel()
        await asyncio.gather(*self._probing.values(), return_exceptions=True)

    async def watch(self) -> None:
        """Judge everybody who fails, and begin the probes that are due.

        Raises:
            Unavailable: a record could not be stored; its subscription goes on, and is judged again at the next call.
        """
        self._look_for_standstill()
        self._watch_outage()
        at = self.failing_clock()
        for number, (id_, health) in enumerate(list(self._failing.items())):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            if self._failing.get(id_) is not health:
                continue  # it was heard from meanwhile
            record = self._live.get(id_)
            if record is None:
                self.forget(id_)
            elif not record.is_held and not self._deliveries.view(id_).is_trying:  # else the outcome decides
                match health.judge(at, self.rule):
                    case Step.WARN:
                        self._warn(record, health)
                    case Step.BLACKLIST:
                        await self._blacklist(record, health)
                    case None:
                        pass
        self._begin_due_probes()

    async def probe(self, subscription: SubscriptionId) -> Probed:
        """Try a blacklisted address now; when it answers as it should, the subscription is active again.

        A probe that is under way already is waited for instead.
        """
        task = self._probing.get(subscription)
        if task is None:
            task = self._begin_probe(subscription)
        return await asyncio.shield(task)

    def _look_for_standstill(self) -> None:
        """By the event loop's time, which advancing the clock leaves alone."""
        now = asyncio.get_running_loop().time()
        stood = now - self._looked_at - WATCH_SECONDS
        self._looked_at = now
        if stood > STANDSTILL_SECONDS:
            self._outage.stood_still(stood)
            _log.warning("process.stood_still", seconds=round(stood, 1))

    def _watch_outage(self) -> None:
        if self._outage.judge(self._clock.monotonic()):
            unreachable, hosts = self._outage.figures
            kind = "delivery.outage_began" if self._outage.is_on else "delivery.outage_ended"
            self._alerts.tell(kind, unreachableHosts=unreachable, hosts=hosts)

    def _warn(self, record: Subscription, health: EndpointHealth) -> None:
        left = health.seconds_to_blacklisting(self.failing_clock(), self.rule)
        self._tell("subscription.failing", record, health, blacklistedInSeconds=round(left or 0.0))

    async def _blacklist(self, record: Subscription, health: EndpointHealth) -> None:
        """In one step of the event loop with the judgement its deliveries are held, so no success comes between."""
        assert health.last_failure is not None
        self._deliveries.hold(record.id)
        reason = blacklist_reason(health.last_failure)
        try:
            await self._upkeep.blacklist(record.id, reason)
        except BaseException:
            self._deliveries.release(record.id)
            raise
        changed = self._live.get(record.id)
        if changed is None:
            return
        self._deliveries.hold(record.id)  # once more: whoever had its turn before us may have released it
        self.blacklisted += 1
        self._tell(
            "subscription.blacklisted",
            changed,
            health,
            reason=reason,
            backlogRows=self._deliveries.view(record.id).backlog_rows,
            heals=self._heals(changed),
        )
        self.start_afresh(record.id)
        self._plan_probe(changed)

    def _tell(self, kind: str, record: Subscription, health: EndpointHealth, **more: object) -> None:
        last = health.last_failure
        assert last is not None
        assert record.webhook is not None
        since = health.failing_since
        self._alerts.tell(
            kind,
            subscriptionId=record.id,
            address=record.webhook.address,
            accountId=record.account_id,
            ownerId=record.owner_id,
            clientId=record.client_id,
            failures=health.failures,
            failingSeconds=0 if since is None else round(self.failing_clock() - since),
            lastFailure={"code": str(last.code), "status": last.status, "detail": last.detail},
            **more,
        )

    # Probes

    def _heals(self, record: Subscription) -> bool:
        application = self._directory.application(record.client_id)
        own = None if application is None else application.blacklist_policy
        return (own or self._policy.policy) is BlacklistPolicy.HEALING

    def _plan_probe(self, record: Subscription, *, first_after: float = 1.0) -> None:
        """Note when to try it next. Whether it heals is asked again then: the policy may change meanwhile.

        Args:
            first_after: part of the period; at a start, any, so that not all are tried at once.
        """
        period = self._policy.probe_every_seconds * (1 - PROBE_JITTER * self._random.random())
        self._probe_at[record.id] = self._clock.monotonic() + period * first_after

    def _begin_due_probes(self) -> None:
        now = self._clock.monotonic()
        for id_ in [id_ for id_, at in self._probe_at.items() if at <= now]:
            record = self._live.get(id_)
            if record is None or record.status is not SubscriptionStatus.BLACKLISTED:
                del self._probe_at[id_]
            elif id_ not in self._probing:
                self._plan_probe(record)
                if self._heals(record):
                    self._begin_probe(id_)

    def _begin_probe(self, id_: SubscriptionId) -> asyncio.Task[Probed]:
        task = asyncio.get_running_loop().create_task(self._probe_in_turn(id_), name=f"probe {id_}")
        self._probing[id_] = task
        task.add_done_callback(partial(self._probe_ended, id_))
        return task

    async def _probe_in_turn(self, id_: SubscriptionId) -> Probed:
        """In the subscription's turn: whoever updates, renews or deletes it waits, and finds a whole record."""
        async with self._places:
            return await self._live.in_turn(id_, partial(self._probe, id_))

    async def _probe(self, id_: SubscriptionId) -> Probed:
        record = self._live.get(id_)
        if record is None or record.status is not SubscriptionStatus.BLACKLISTED:
            return Probed(is_active=record is not None)
        assert record.webhook is not None, "only webhook subscriptions are blacklisted"
        sealed = record.webhook.verification_token_sealed
        try:
            await self._validate(record.webhook.address, None if sealed is None else self._unseal(sealed))
        except InvalidRequest as refused:
            _log.info("subscription.probed", subscription_id=id_, is_active=False, reason=refused.message)
            return Probed(is_active=False, code=refused.code, reason=refused.message)
        await self._upkeep.lift_blacklisting_in_turn(id_)
        self.brought_back(id_)
        self._deliveries.release(id_)
        self.reactivated += 1
        self._alerts.tell(
            "subscription.reactivated",
            subscriptionId=id_,
            address=record.webhook.address,
            backlogRows=self._deliveries.view(id_).backlog_rows,
        )
        return Probed(is_active=True)

    def _probe_ended(self, id_: SubscriptionId, task: asyncio.Task[Probed]) -> None:
        self._probing.pop(id_, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, Unavailable):
            _log.warning("probe.failed", subscription_id=id_, error=str(error))
        else:
            self._on_fatal(error)
