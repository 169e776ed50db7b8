"""Prometheus metrics, read when they are asked for.

The event path counts in plain integers of its own; nothing here is called per event. What is counted is handed over
as a function (`watch_counter`, `watch_gauge`) and read at each scrape. Durations, which can't be read afterwards, are
counted into a `Durations`, at a tenth of the price of a Prometheus histogram.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]
Readings = float | Mapping[Labels, float]
"""One figure, or one for each combination of label values."""

Histogram = tuple[Sequence[tuple[str, float]], float]
"""Cumulative counts by upper bound, and the sum."""

DELIVERY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Bounds for attempts: a webhook has 3 seconds to answer."""

END_TO_END_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0)
"""Bounds from publish to delivery: milliseconds on the happy path, hours after an outage of the endpoint."""


class Durations:
    """How often something took how long: counts by bound, and the sum.

    Single observations are put aside and counted many at a time: sorted, with a bisection for each bound and not for
    each observation.
    """

    MOST_ASIDE = 1024

    __slots__ = ("_aside", "_bounds", "_counts", "_sum_seconds")

    def __init__(self, bounds: Sequence[float] = DELIVERY_SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum_seconds = 0.0
        self._aside: list[float] = []

    def observe(self, seconds: float) -> None:
        aside = self._aside
        aside.append(seconds)
        if len(aside) >= self.MOST_ASIDE:
            self._count()

    def observe_many(self, seconds: float, times: int) -> None:
        """So many that took equally long."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._sum_seconds += seconds * times

    @property
    def sum_seconds(self) -> float:
        self._count()
        return self._sum_seconds

    @property
    def counts(self) -> list[int]:
        """How many took at most each bound and more than the one before; the last, more than all."""
        self._count()
        return self._counts

    def _count(self) -> None:
        """Count what was put aside."""
        aside = self._aside
        if not aside:
            return
        aside.sort()
        below = 0
        for place, bound in enumerate(self._bounds):
            up_to = bisect_right(aside, bound, lo=below)
            self._counts[place] += up_to - below
            below = up_to
        self._counts[-1] += len(aside) - below
        self._sum_seconds += sum(aside)
        aside.clear()

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus wants them."""
        cumulated, total = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self.counts, strict=True):
            total += count
            cumulated.append((bound, float(total)))
        return cumulated


class Metrics(Collector):
    """All metrics of one server, in a registry of its own: two servers in one process don't mix."""

    def __init__(self) -> None:
        self._sources: dict[str, Callable[[], Metric]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def watch_counter(self, name: str, help_text: str, read: Callable[[], Readings], *, labels: Labels = ()) -> None:
        """A figure that only grows. `name` without `_total`, which is added."""
        self._watch(name, lambda: _filled(CounterMetricFamily(name, help_text, labels=labels), read()))

    def watch_gauge(self, name: str, help_text: str, read: Callable[[], Readings], *, labels: Labels = ()) -> None:
        """A figure that goes up and down."""
        self._watch(name, lambda: _filled(GaugeMetricFamily(name, help_text, labels=labels), read()))

    def watch_durations(self, name: str, help_text: str, durations: Durations) -> None:
        self.watch_histogram(name, help_text, lambda: (durations.buckets(), durations.sum_seconds))

    def watch_histogram(self, name: str, help_text: str, read: Callable[[], Histogram]) -> None:
        """Counts by upper bound, cumulative, the last bound `+Inf`; and the sum of all that was counted."""

        def collect() -> Metric:
            buckets, total = read()
            return HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=total)

        self._watch(name, collect)

    def render(self) -> bytes:
        """The text exposition; its media type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def samples(self, name: str, suffix: str = "") -> list[tuple[dict[str, str], float]]:
        """What one metric says now: labels and value of each of its samples that is named so.

        Args:
            suffix: `_total` of counters, `_bucket`, `_sum` and `_count` of histograms.
        """
        wanted = name + suffix
        return [(sample.labels, sample.value) for sample in self._sources[name]().samples if sample.name == wanted]

    def describe(self) -> Iterator[Metric]:
        """Nothing is read when a registry asks what there is: sources may not be ready then."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for source in self._sources.values():
            yield source()

    def _watch(self, name: str, source: Callable[[], Metric]) -> None:
        if name in self._sources:
            raise ValueError(f"the metric {name} is watched already")
        self._sources[name] = source


def _filled(family: CounterMetricFamily | GaugeMetricFamily, readings: Readings) -> Metric:
    if isinstance(readings, Mapping):
        for labels, value in readings.items():
            family.add_metric(labels, value)
    else:
        family.add_metric((), readings)
    return family
