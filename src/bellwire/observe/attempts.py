"""What is counted and logged of each delivery attempt: one wide line, once its outcome is known.

Clean first attempts are logged at debug only, behind a level check: the line would cost half the delivery, and history
has them anyway (design.md, Costs seen). So are those over sockets: an event may concern ten thousand clients at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import structlog

from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START
from bellwire.observe.metrics import END_TO_END_SECONDS, Durations, Metrics
from bellwire.observe.traces import Traces

_DELIVERED = AttemptOutcome.DELIVERED
"""By a name of this module's own: a look into an enumeration costs three times as much."""

Listener = Callable[[Attempt, Event | None], None]


class AttemptWatch:
    """Is told of every attempt; passes it on to listeners (`dev` prints from there)."""

    def __init__(self, metrics: Metrics, *, debug: bool, traces: Traces | None = None) -> None:
        self._log = structlog.get_logger("bellwire.delivery")
        self._debug = debug
        self._delivered = 0
        self._others: Counter[tuple[str, ...]] = Counter()
        self._durations = Durations()
        self._end_to_end = Durations(END_TO_END_SECONDS)
        self._traces = traces
        self._listeners: list[Listener] = []
        metrics.watch_counter(
            "bellwire_delivery_attempts",
            "Delivery attempts by outcome and, where they failed, by code",
            lambda: {(AttemptOutcome.DELIVERED, ""): self._delivered, **self._others},
            labels=("outcome", "failure"),
        )
        metrics.watch_durations("bellwire_delivery_seconds", "How long attempts took", self._durations)
        metrics.watch_durations(
            "bellwire_end_to_end_seconds",
            "From handing an event over to its delivery, by notification; replays and test events left out",
            self._end_to_end,
        )

    def listen(self, listener: Listener) -> None:
        """Be told of each attempt, from the event loop; must be quick."""
        self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Don't tell it any more; one that is unknown changes nothing."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def __call__(self, _destination: object, attempt: Attempt, event: Event | None) -> None:
        delivered = attempt.outcome is _DELIVERED
        if delivered:
            self._delivered += 1
        else:  # an enum's hash costs more than all the rest of this
            self._others[attempt.outcome, attempt.failure or ""] += 1
        seconds = attempt.duration_us / 1e6
        self._durations.observe(seconds)
        if delivered and event is not None and attempt.replay is None and attempt.position > LOG_START:
            since_ms = event.received_ms or event.timestamp_ms
            self._end_to_end.observe(seconds + (attempt.started_ms - since_ms) / 1e3)
        if not ((delivered and attempt.number == 1) or attempt.is_over_socket) or self._debug:
            self._write(attempt, event)
        if self._traces is not None and event is not None and event.trace is not None:
            self._traces.attempted(attempt, event.trace)
        self._tell(attempt, event)

    def sent_over_sockets(self, attempts: Sequence[Attempt], event: Event) -> None:
        """The same for notifications of one event that were written to sockets, all of them clean first attempts."""
        if self._debug or (self._traces is not None and event.trace is not None):
            for attempt in attempts:
                self(None, attempt, event)
            return
        many, since_ms = len(attempts), event.received_ms or event.timestamp_ms
        self._delivered += many
        self._durations.observe_many(0.0, many)
        self._end_to_end.observe_many((attempts[0].started_ms - since_ms) / 1e3, many)
        for attempt in attempts:
            self._tell(attempt, event)

    def _tell(self, attempt: Attempt, event: Event | None) -> None:
        """A listener that fails is its own affair: the attempt's notification has to be finished all the same."""
        for listener in self._listeners:
            try:
                listener(attempt, event)
            except Exception:  # noqa: BLE001 - whatever it is, it is said, and delivery goes on
                self._log.exception("attempts.listener_failed", notification_id=attempt.uuid)

    def _write(self, attempt: Attempt, event: Event | None) -> None:
        clean = attempt.outcome is AttemptOutcome.DELIVERED and attempt.number == 1
        (self._log.debug if clean else self._log.info)(
            "delivery.attempted",
            subscription_id=attempt.subscription,
            event_id=None if event is None else event.uuid,
            notification_id=attempt.uuid,
            account_id=None if event is None else event.account,
            request_id=None if event is None else event.request_id,
            replay_id=attempt.replay,
            position=attempt.position,
            topic=attempt.topic,
            attempt_number=attempt.number,
            endpoint_host=urlsplit(attempt.address).netloc,
            status=attempt.status,
            failure=attempt.failure,
            detail=attempt.detail,
            duration_ms=attempt.duration_us / 1000,
            decision=attempt.outcome,
            retry_at=None if attempt.next_try_ms is None else _time(attempt.next_try_ms),
        )


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
