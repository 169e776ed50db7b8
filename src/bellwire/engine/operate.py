"""What an operator may do with any subscription, whoever owns it: pause, resume, test, probe, and look at its health.

The own API and the CLI are built on this. Each method raises NotFound (CMN-102) for a subscription that is not live.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from itertools import count

import msgspec
import structlog

from bellwire.delivery.health import LastFailure
from bellwire.delivery.notification import Notification
from bellwire.engine.deliver import Deliveries
from bellwire.engine.line import LaneView
from bellwire.engine.subscribe_live import LiveSubscriptions, parse_stored
from bellwire.engine.watch_endpoints import EndpointWatch, Probed
from bellwire.errors import Conflict, NotAllowedHere, NotFound
from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Position, SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionStatus, TransportType
from bellwire.ports.clock import Clock

TEST_HEADER = b"Bellwire-Test: true\r\n"
"""Tells a test event from a real one."""
TESTS_AT_ONCE = 16

_log = structlog.get_logger("bellwire.operate")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionHealth:
    """A subscription's deliveries as they are now. Counts are since the server started; times are seconds."""

    subscription: SubscriptionId
    status: SubscriptionStatus
    paused: bool
    delivered: int
    failed: int
    success_rate: float | None
    """0 to 1, of all attempts; None before the first."""
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    """How long successful attempts took; None before the first."""
    failures: int
    """In a row, since the last success."""
    failing_seconds: float | None
    """None while it does not fail. Stands still while the outage is our own."""
    blacklisted_in_seconds: float | None
    """How much failing time is left; None while it does not fail."""
    last_failure: LastFailure | None
    next_probe_in_seconds: float | None
    """Of a blacklisted address; None when it is not tried again by itself."""
    own_outage: bool
    """Most hosts can't be reached: the fault is taken for ours, and no failing time passes."""
    lane: LaneView


class Operations:
    def __init__(self, *, live: LiveSubscriptions, deliveries: Deliveries, watch: EndpointWatch, clock: Clock) -> None:
        self._live = live
        self._deliveries = deliveries
        self._watch = watch
        self._clock = clock
        self._testing = asyncio.Semaphore(TESTS_AT_ONCE)
        self._test_positions = count(-1, -1)

    async def pause(self, subscription: SubscriptionId) -> Subscription:
        """Stop deliveries, over restarts too; notifications gather in the backlog. The wire status is what it was.

        What is under way ends by itself. Pausing what is paused changes nothing.

        Raises:
            NotAllowedHere: SUB-511 for a WebSocket subscription.
            Unavailable: it could not be stored; it goes on.
        """
        return await self._live.in_turn(subscription, lambda: self._set_paused(subscription, paused=True))

    async def resume(self, subscription: SubscriptionId) -> Subscription:
        """Go on, in order, with what gathered. One that is blacklisted stays held until its address answers.

        Raises:
            NotAllowedHere: SUB-511 for a WebSocket subscription.
            Unavailable: it could not be stored; it stays paused.
        """
        return await self._live.in_turn(subscription, lambda: self._set_paused(subscription, paused=False))

    async def test_event(self, subscription: SubscriptionId) -> Attempt:
        """Send a sample event of the subscription's first event filter to its address, now and once.

        It goes past the lane, so also while paused or blacklisted, with the header `Bellwire-Test: true` and a uuid
        that begins with `test-`. It is no event of the log: its attempt is in history, with position 0.

        Raises:
            NotAllowedHere: SUB-511 for a WebSocket subscription.
            Conflict: CMN-101; none of its filters is in force.
        """
        record = self._webhook(subscription)
        sample = self._sample(record)
        async with self._testing:
            attempt = await self._deliveries.send_apart(subscription, sample, headers=TEST_HEADER, settle=self._tested)
        if attempt is None:
            raise _not_found(subscription)
        return attempt

    async def probe(self, subscription: SubscriptionId) -> Probed:
        """Try a blacklisted address now, by the handshake; it becomes active if it answers as it should.

        Raises:
            Conflict: CMN-101; it is not blacklisted.
        """
        record = self._webhook(subscription)
        if record.status is not SubscriptionStatus.BLACKLISTED:
            raise Conflict("CMN-101", f"Subscription [{subscription}] is not blacklisted.")
        return await self._watch.probe(subscription)

    def health(self, subscription: SubscriptionId) -> SubscriptionHealth:
        """As it is now, from memory.

        Raises:
            NotAllowedHere: SUB-511 for a WebSocket subscription.
        """
        record = self._webhook(subscription)
        known = self._watch.health(subscription)
        at = self._watch.failing_clock()
        failing_since = None if known is None else known.failing_since
        return SubscriptionHealth(
            subscription=subscription,
            status=record.status,
            paused=record.paused,
            delivered=0 if known is None else known.delivered,
            failed=0 if known is None else known.failed,
            success_rate=None if known is None else known.success_rate,
            p50_seconds=None if known is None else known.latency_seconds(0.50),
            p95_seconds=None if known is None else known.latency_seconds(0.95),
            p99_seconds=None if known is None else known.latency_seconds(0.99),
            failures=0 if known is None else known.failures,
            failing_seconds=None if failing_since is None else at - failing_since,
            blacklisted_in_seconds=None if known is None else known.seconds_to_blacklisting(at, self._watch.rule),
            last_failure=None if known is None else known.last_failure,
            next_probe_in_seconds=self._watch.next_probe_in(subscription),
            own_outage=self._watch.is_own_outage,
            lane=self._deliveries.view(subscription),
        )

    async def _set_paused(self, id_: SubscriptionId, *, paused: bool) -> Subscription:
        before = self._webhook(id_)
        if before.paused is paused:
            return before
        if paused:
            self._deliveries.hold(id_)
        try:
            changed = await self._live.change(replace(before, paused=paused))
        except BaseException:
            self._deliveries.release(id_)
            raise
        self._watch.start_afresh(id_)
        if not paused:
            self._deliveries.release(id_)
        _log.info(
            "subscription.paused" if paused else "subscription.resumed",
            subscription_id=id_,
            backlog_rows=self._deliveries.view(id_).backlog_rows,
        )
        return changed

    def _tested(self, attempt: Attempt) -> Attempt:
        attempt = msgspec.structs.replace(attempt, position=LOG_START)
        self._deliveries.record(attempt)
        return attempt

    def _webhook(self, id_: SubscriptionId) -> Subscription:
        record = self._live.get(id_)
        if record is None:
            raise _not_found(id_)
        if record.transport is not TransportType.WEB_HOOK:
            raise NotAllowedHere("SUB-511", "A WebSocket subscription is delivered over its socket alone.")
        return record

    def _sample(self, record: Subscription) -> Notification:
        """A sample of the first readable filter's family, as a notification that no lane knows."""
        version = record.versions[-1]
        readable = ((i, f) for i, f in enumerate(parse_stored(record, version.filters)) if f is not None)
        first = next(readable, None)
        if first is None:
            raise Conflict("CMN-101", f"Subscription [{record.id}] has no event filter in force.")
        index, event_filter = first
        topic = event_filter.topic
        event = Event(
            account=record.account_id,
            uuid=f"test-{uuid.uuid4()}",
            chosen=False,
            topic=topic,
            timestamp_ms=self._clock.now_ms(),
            body=msgspec.json.encode(event_filter.family.sample),
        )
        # Each with a position of its own, below the log's: what is rendered is remembered by position.
        position = Position(next(self._test_positions))
        return Notification(
            position, topic, "", version.version, index, event, len(event.body), self._clock.monotonic()
        )


def _not_found(subscription: SubscriptionId) -> NotFound:
    return NotFound(
        "CMN-102",
        f"Resource for parameter [subscriptionId] is not found: {subscription}",
        parameter="subscriptionId",
        value=subscription,
    )
