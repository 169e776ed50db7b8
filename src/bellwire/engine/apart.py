"""Attempts outside the lanes: test events and replays.

They go past holds, queues and order, and their failure is final as far as the deliveries are concerned. They share the
places of draining lanes, so that they never take what is kept free for first attempts.

An attempt that was begun is settled by whoever asked for it, whatever happens to the asker: one that is cut off may
have reached the endpoint, so it is in history like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from bellwire.delivery.failures import sentence
from bellwire.delivery.notification import Notification
from bellwire.engine.line import Destination, Line, Observe
from bellwire.engine.places import Gate
from bellwire.model.attempt import Attempt, AttemptOutcome, AttemptResult, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.ports.clock import Clock
from bellwire.ports.webhook_sender import WebhookSender

Settle = Callable[[Attempt], Attempt]
"""Takes an attempt that came to an end, or was cut off, sees to its record, and returns it as recorded."""


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

    async def send(
        self, subscription: SubscriptionId, notification: Notification, headers: bytes, settle: Settle
    ) -> Attempt | None:
        """One attempt, when its turn comes.

        Args:
            notification: with its event.
            headers: lines that go out beside the others, each ended by CRLF.
            settle: called exactly once if the attempt was begun, also when the caller is cancelled meanwhile: then,
                unless the endpoint answered in the same moment, with failure CANCELLED.

        Returns:
            the attempt as settled; None if the subscription is no more, and nothing was begun.

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
            ended = partial(self._ended, destination, notification, uuid, self._clock.now_ms(), settle)
            began = self._clock.monotonic()
            for gate in gates:
                gate.in_flight += 1
            cancel = self._sender.post(destination.endpoint, head + headers, body, partial(_resolve, outcome))
            try:
                result = await outcome
            except asyncio.CancelledError:
                if outcome.done() and not outcome.cancelled():
                    ended(outcome.result())
                else:
                    ended(_cut_off(self._clock.monotonic() - began))
                raise
            finally:
                for gate in gates:
                    gate.in_flight -= 1
                    self._on_free(gate)
                cancel()
        return ended(result)

    def _ended(  # noqa: PLR0917 - bound by `partial` at every attempt
        self,
        destination: Destination,
        notification: Notification,
        uuid: str,
        started_ms: int,
        settle: Settle,
        result: AttemptResult,
    ) -> Attempt:
        attempt = Attempt(
            subscription=destination.id,
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
        # Invariant: nothing without a trace. First the record; what is counted and logged is the attempt as recorded.
        attempt = settle(attempt)
        self._observe(destination, attempt, notification.event)
        return attempt


def _cut_off(seconds: float) -> AttemptResult:
    return AttemptResult(FailureCode.CANCELLED, 0, sentence(FailureCode.CANCELLED), seconds)


def _resolve(outcome: asyncio.Future[AttemptResult], result: AttemptResult) -> None:
    if not outcome.done():
        outcome.set_result(result)
