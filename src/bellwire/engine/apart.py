"""Attempts outside the lanes: test events and replays.

They go past holds, queues and order, and their failure is final as far as the deliveries are concerned. They share the
places of draining lanes, so that they never take what is kept free for first attempts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from bellwire.delivery.notification import Notification
from bellwire.engine.line import Line, Observe
from bellwire.engine.places import Gate
from bellwire.model.attempt import Attempt, AttemptOutcome, AttemptResult
from bellwire.model.ids import SubscriptionId
from bellwire.ports.clock import Clock
from bellwire.ports.webhook_sender import WebhookSender


class ApartAttempts:
    def __init__(
        self,
        *,
        line: Callable[[SubscriptionId], Line | None],
        sender: WebhookSender,
        clock: Clock,
        observe: Observe,
        on_free: Callable[[Gate[Line]], None],
        at_once: int,
    ) -> None:
        """`line`: a subscription's, if anything may be sent to it. `on_free`: a place of the gate is free again."""
        self._line = line
        self._sender = sender
        self._clock = clock
        self._observe = observe
        self._on_free = on_free
        self._turns = asyncio.Semaphore(at_once)

    async def send(self, subscription: SubscriptionId, notification: Notification, headers: bytes) -> Attempt | None:
        """One attempt, when its turn comes. The caller records what becomes of it.

        Args:
            notification: with its event.
            headers: lines that go out beside the others, each ended by CRLF.

        Returns:
            None if the subscription is no more.

        Raises:
            Unreadable: it can't be written.
        """
        assert notification.event is not None
        async with self._turns:
            line = self._line(subscription)
            if line is None:
                return None
            destination, gates = line.destination, line.places.draining
            uuid, head, body = destination.request(notification, notification.event)
            outcome: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
            started_ms = self._clock.now_ms()
            for gate in gates:
                gate.in_flight += 1
            cancel = self._sender.post(destination.endpoint, head + headers, body, partial(_resolve, outcome))
            try:
                result = await outcome
            finally:
                for gate in gates:
                    gate.in_flight -= 1
                    self._on_free(gate)
                cancel()
        attempt = Attempt(
            subscription=subscription,
            position=notification.position,
            topic=notification.topic,
            uuid=uuid,
            number=1,
            address=destination.address,
            started_ms=started_ms,
            duration_us=int(result.duration_seconds * 1_000_000),
            outcome=AttemptOutcome.DELIVERED if result.failure is None else AttemptOutcome.GIVEN_UP,
            failure=result.failure,
            status=result.status,
            detail=result.detail,
        )
        self._observe(destination, attempt, notification.event)
        return attempt


def _resolve(outcome: asyncio.Future[AttemptResult], result: AttemptResult) -> None:
    if not outcome.done():
        outcome.set_result(result)
