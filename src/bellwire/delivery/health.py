"""One endpoint's health: since when it fails, how quick it is, and when its subscription is blacklisted. No I/O.

           first failure            half of the policy's time          all of it, and two failures or more
    healthy ───────────▶ failing ─────────────────────────▶ warned ─────────────────────────────────────▶ blacklisted
       ▲                    │                                  │
       └──────── a success, or a fresh start by an operator ───┘

Times are of the failing clock (`outage.py`): running time that stands still while the outage is our own, so that
neither sleep nor clock jumps nor a dead uplink blacklist anybody (engine.md, Time; wire contract, 3.10).
"""

from __future__ import annotations

import http
import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum

from bellwire.model.attempt import FailureCode

LATENCY_BOUNDS = (
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0,
)  # fmt: skip
"""Seconds. A percentile is off by less than half between two of them."""


@dataclass(frozen=True, slots=True)
class BlacklistRule:
    """`after_seconds` of nothing but failures, and at least `least_failures` of them."""

    after_seconds: float = 600.0
    least_failures: int = 2
    warn_at: float = 0.5
    """The part of the time after which the operator is told."""


class Step(Enum):
    """What has to be done about a failing endpoint."""

    WARN = "warn"
    BLACKLIST = "blacklist"


@dataclass(frozen=True, slots=True)
class LastFailure:
    """`detail` is one plain sentence for people, `at_ms` wall-clock time."""

    code: FailureCode
    status: int
    detail: str
    at_ms: int


class EndpointHealth:
    """Counts since the process started. All steps take constant time; made at a subscription's first outcome."""

    __slots__ = ("_counts", "_warned", "delivered", "failed", "failing_since", "failures", "host", "last_failure")

    def __init__(self, host: str) -> None:
        self.host = host
        self.delivered = 0
        self.failed = 0
        self.failing_since: float | None = None
        """The first failure after the last success."""
        self.failures = 0
        """Since then."""
        self.last_failure: LastFailure | None = None
        self._warned = False
        self._counts = [0] * (len(LATENCY_BOUNDS) + 1)

    def succeeded(self, seconds: float) -> None:
        self.delivered += 1
        self._counts[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        if self.failing_since is not None:
            self.start_afresh()

    def failed_with(self, failure: LastFailure, at: float | None) -> None:
        """`at`: on the failing clock; None while its deliveries are held: a test event that fails meanwhile, or what
        was under way, is counted and shown, and begins no failing time."""
        self.failed += 1
        self.last_failure = failure
        if at is None:
            return
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = at

    def start_afresh(self) -> None:
        """Forget that it was failing: it answered, was blacklisted, or an operator took it in hand."""
        self.failing_since = None
        self.failures = 0
        self._warned = False

    def judge(self, at: float, rule: BlacklistRule) -> Step | None:
        """What is due now, on the failing clock. `WARN` is said once for each time that it fails."""
        left = self.seconds_to_blacklisting(at, rule)
        if left is None:
            return None
        if left <= 0 and self.failures >= rule.least_failures:
            return Step.BLACKLIST
        if not self._warned and left <= rule.after_seconds * (1 - rule.warn_at):
            self._warned = True
            return Step.WARN
        return None

    def seconds_to_blacklisting(self, at: float, rule: BlacklistRule) -> float | None:
        """How much failing time is left; None while it does not fail."""
        return None if self.failing_since is None else max(0.0, rule.after_seconds - (at - self.failing_since))

    @property
    def success_rate(self) -> float | None:
        """Of all attempts so far, 0 to 1; None before the first."""
        attempts = self.delivered + self.failed
        return self.delivered / attempts if attempts else None

    def latency_seconds(self, quantile: float) -> float | None:
        """How long the given part of successful attempts took at most, about; None before the first.

        Args:
            quantile: 0 to 1; 0.99 is the 99th percentile.
        """
        wanted = quantile * self.delivered
        passed, lower = 0, 0.0
        for count, upper in zip(self._counts, (*LATENCY_BOUNDS, LATENCY_BOUNDS[-1]), strict=True):
            if count and passed + count >= wanted:
                return lower + (upper - lower) * max(0.0, wanted - passed) / count
            passed += count
            lower = upper
        return None


def blacklist_reason(failure: LastFailure) -> str:
    """Why an address is blacklisted, in the style of the texts that were seen (wire contract, 3.10)."""
    if failure.status:
        try:
            phrase = http.HTTPStatus(failure.status).phrase
        except ValueError:
            phrase = "Unknown"
        return f"Webhook responses with code: [{failure.status}], reason: [{phrase}]"
    return f"I/O operation is failed. Details: [{failure.detail.rstrip('.')}]"


def blacklist_detail(reason: str) -> str:
    """In plain words what `blacklist_reason` made of a failure, without a full stop; other texts as they are."""
    for form, plain in _REASON_FORMS:
        if (found := form.fullmatch(reason)) is not None:
            return plain.format(*found.groups())
    return reason.rstrip(".")


_REASON_FORMS = (
    (re.compile(r"I/O operation is failed\. Details: \[(.*)\]", re.DOTALL), "{0}"),
    (re.compile(r"Webhook responses with code: \[(\d+)\], reason: \[(.*)\]"), "the endpoint answered HTTP {0} {1}"),
)
