"""Figures over time, for charts: what the metrics know, sampled now and then, and kept in memory for half an hour."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SAMPLE_SECONDS = 2.0
KEPT_SAMPLES = 900

Series = Sequence[tuple[Mapping[str, str], float]]
"""Samples of one metric: labels and value."""
ReadMetric = Callable[[str, str], Series]
"""Gives a metric's samples of one name: `bellwire_notifications`, `bellwire_delivery_seconds_bucket`."""

QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Totals since the start, and gauges, at one moment. `latencies`: cumulative counts by upper bound in seconds."""

    at_ms: int
    published: float
    delivered: float
    failed: float
    latencies: tuple[tuple[float, float], ...]
    backlog: float
    lag: float
    in_flight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a chart shows of the time between two samples; counts are per second, latencies seconds."""

    at_ms: int
    published: float
    delivered: float
    failed: float
    latencies: tuple[float | None, ...]
    """By `QUANTILES`; None where nothing was delivered."""
    backlog: float
    lag: float
    in_flight: float


class Figures:
    def __init__(self, *, read: ReadMetric, now_ms: Callable[[], int]) -> None:
        self._read = read
        self._now_ms = now_ms
        self._samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)

    async def sample(self) -> None:
        """Take one now; a chore."""
        attempts = self._read("bellwire_delivery_attempts", "_total")
        delivered = sum(value for labels, value in attempts if labels["outcome"] == "delivered")
        published = self._read("bellwire_events_published", "_total")
        buckets = self._read("bellwire_end_to_end_seconds", "_bucket")
        self._samples.append(
            Sample(
                at_ms=self._now_ms(),
                published=sum(value for labels, value in published if labels["outcome"] == "accepted"),
                delivered=delivered,
                failed=sum(value for _, value in attempts) - delivered,
                latencies=tuple((float(labels["le"]), value) for labels, value in buckets),
                backlog=self._gauge("bellwire_backlog_notifications"),
                lag=self._gauge("bellwire_watermark_lag_events"),
                in_flight=self._gauge("bellwire_attempts_in_flight"),
            )
        )

    def points(self, *, seconds: float) -> list[Point]:
        """The last so many seconds, oldest first."""
        if not self._samples:
            return []
        since = self._samples[-1].at_ms - seconds * 1000
        kept = [sample for sample in self._samples if sample.at_ms >= since]
        return [_between(before, after) for before, after in pairwise(kept) if after.at_ms > before.at_ms]

    def _gauge(self, name: str) -> float:
        return sum(value for _, value in self._read(name, ""))


def _between(before: Sample, after: Sample) -> Point:
    seconds = (after.at_ms - before.at_ms) / 1000
    known = dict(before.latencies)
    grown = [(bound, count - known.get(bound, 0.0)) for bound, count in after.latencies]
    return Point(
        at_ms=after.at_ms,
        published=max(0.0, after.published - before.published) / seconds,
        delivered=max(0.0, after.delivered - before.delivered) / seconds,
        failed=max(0.0, after.failed - before.failed) / seconds,
        latencies=tuple(quantile_of(grown, quantile) for quantile in QUANTILES),
        backlog=after.backlog,
        lag=after.lag,
        in_flight=after.in_flight,
    )


def quantile_of(buckets: Sequence[tuple[float, float]], quantile: float) -> float | None:
    """A quantile out of cumulative counts by upper bound, the last bound infinite: linear within its bucket, and the
    largest finite bound beyond. None without any counts."""
    if not buckets or buckets[-1][1] <= 0:
        return None
    wanted = quantile * buckets[-1][1]
    place = bisect_left([count for _, count in buckets], wanted)
    bound, count = buckets[place]
    lower, passed = buckets[place - 1] if place else (0.0, 0.0)
    if bound == float("inf"):
        return lower
    return bound if count == passed else lower + (bound - lower) * (wanted - passed) / (count - passed)
