"""What is counted and logged of publishing: one wide line a request, at info where something of it was not taken.

Requests that were taken whole are logged at debug only, behind a level check: with one event in each, the line would
cost a quarter of the request.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bellwire.observe.metrics import Durations, Metrics
from bellwire.ports.clock import Clock


class PublishWatch:
    """Is told by the publish route of each group of events that is durable, and of each request."""

    def __init__(self, metrics: Metrics, clock: Clock, counts: Mapping[str, int], *, debug: bool) -> None:
        """`counts`: events appended since the start, by outcome; this adds those that were rejected before."""
        self._clock = clock
        self._debug = debug
        self._rejected = 0
        self._refused = 0
        self._durations = Durations()
        self._log = structlog.get_logger("bellwire.publish")
        metrics.watch_counter(
            "bellwire_events_published",
            "Events handed over: accepted, known already (duplicate), or rejected for what they say",
            lambda: {(outcome,): count for outcome, count in {**counts, "rejected": self._rejected}.items()},
            labels=("outcome",),
        )
        metrics.watch_counter(
            "bellwire_publish_refused",
            "Publish requests that were refused or broke off as a whole: overloaded, no space, unreadable",
            lambda: self._refused,
        )
        metrics.watch_durations(
            "bellwire_publish_seconds", "Judging a group of events and making it durable", self._durations
        )

    def begun(self) -> float:
        """A group is taken up; what is given goes back into `group`."""
        return self._clock.monotonic()

    def group(self, begun: float, *, rejected: int) -> None:
        """It is durable."""
        self._durations.observe(self._clock.monotonic() - begun)
        self._rejected += rejected

    def request(self, *, accepted: int, duplicates: int, rejected: int, first_rejection: str, refusal: str) -> None:
        """A request has ended. `refusal`: why it was refused as a whole or broke off; empty is not."""
        if refusal:
            self._refused += 1
        clean = not rejected and not refusal
        if clean and not self._debug:
            return
        (self._log.debug if clean else self._log.info)(
            "events.published",
            accepted=accepted,
            duplicates=duplicates,
            rejected=rejected,
            first_rejection=first_rejection or None,
            refusal=refusal or None,
        )
