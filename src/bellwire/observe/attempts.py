"""What is counted and logged of each delivery attempt: one wide line, once its outcome is known.

Clean first attempts are logged at debug only, behind a level check: the line would cost half the delivery, and history
has them anyway (design.md, Costs seen).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.event import Event
from bellwire.observe.metrics import Durations, Metrics

Listener = Callable[[Attempt, Event | None], None]


class AttemptWatch:
    """Is told of every attempt; passes it on to listeners (`dev` prints from there)."""

    def __init__(self, metrics: Metrics, *, debug: bool) -> None:
        self._log = structlog.get_logger("bellwire.delivery")
        self._debug = debug
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._durations = Durations()
        self._listeners: list[Listener] = []
        metrics.watch_counter(
            "bellwire_delivery_attempts",
            "Delivery attempts by outcome and, where they failed, by code",
            lambda: dict(self._counts),
            labels=("outcome", "failure"),
        )
        metrics.watch_durations("bellwire_delivery_seconds", "How long attempts took", self._durations)

    def listen(self, listener: Listener) -> None:
        """Be told of each attempt, from the event loop; must be quick."""
        self._listeners.append(listener)

    def __call__(self, _destination: object, attempt: Attempt, event: Event | None) -> None:
        self._counts[attempt.outcome, attempt.failure or ""] += 1
        self._durations.observe(attempt.duration_us / 1e6)
        if self._debug or attempt.outcome is not AttemptOutcome.DELIVERED or attempt.number > 1:
            self._write(attempt)
        for listener in self._listeners:
            listener(attempt, event)

    def _write(self, attempt: Attempt) -> None:
        clean = attempt.outcome is AttemptOutcome.DELIVERED and attempt.number == 1
        (self._log.debug if clean else self._log.info)(
            "delivery.attempted",
            subscription_id=attempt.subscription,
            notification_id=attempt.uuid,
            position=attempt.position,
            topic=attempt.topic,
            attempt_number=attempt.number,
            endpoint_host=urlsplit(attempt.address).netloc,
            status=attempt.status,
            failure=attempt.failure,
            detail=attempt.detail,
            duration_ms=attempt.duration_us / 1000,
            decision=attempt.outcome,
            retry_at_ms=attempt.next_try_ms,
        )
