"""Figures over time."""

from __future__ import annotations

import pytest

from bellwire.console.figures import KEPT_SAMPLES, Figures, Series, quantile_of

INF = float("inf")


class Metrics:
    def __init__(self) -> None:
        self.now_ms = 0
        self.readings: dict[str, Series] = {}

    def read(self, name: str, suffix: str) -> Series:
        return self.readings.get(name + suffix, [])


async def test_counts_become_rates_and_gauges_stay() -> None:
    metrics = Metrics()
    figures = Figures(read=metrics.read, now_ms=lambda: metrics.now_ms)
    assert figures.points(seconds=60) == []
    for now_ms, published, delivered, failed in ((0, 100, 50, 0), (2000, 140, 60, 4)):
        metrics.now_ms = now_ms
        metrics.readings = {
            "bellwire_events_published_total": [({"outcome": "accepted"}, published), ({"outcome": "rejected"}, 9)],
            "bellwire_delivery_attempts_total": [
                ({"outcome": "delivered", "failure": ""}, delivered),
                ({"outcome": "failed", "failure": "dns"}, failed),
            ],
            "bellwire_end_to_end_seconds_bucket": [({"le": "0.1"}, delivered), ({"le": "+Inf"}, delivered)],
            "bellwire_backlog_notifications": [({}, 7.0)],
            "bellwire_watermark_lag_events": [({}, 3.0)],
        }
        await figures.sample()
    [point] = figures.points(seconds=60)
    assert (point.published, point.delivered, point.failed) == (20.0, 5.0, 2.0)
    assert (point.backlog, point.lag, point.at_ms) == (7.0, 3.0, 2000)
    assert point.latencies[0] == pytest.approx(0.05)


async def test_only_so_much_is_kept_and_only_so_much_is_shown() -> None:
    metrics = Metrics()
    figures = Figures(read=metrics.read, now_ms=lambda: metrics.now_ms)
    for number in range(KEPT_SAMPLES + 50):
        metrics.now_ms = number * 1000
        await figures.sample()
    assert len(figures.points(seconds=1e9)) == KEPT_SAMPLES - 1
    assert len(figures.points(seconds=10)) == 10


@pytest.mark.parametrize(
    ("buckets", "quantile", "value"),
    [
        ([(1.0, 0.0), (INF, 0.0)], 0.5, None),
        ([], 0.5, None),
        ([(1.0, 10.0), (2.0, 20.0), (INF, 20.0)], 0.5, 1.0),
        ([(1.0, 10.0), (2.0, 20.0), (INF, 20.0)], 0.75, 1.5),
        ([(1.0, 0.0), (2.0, 0.0), (INF, 5.0)], 0.99, 2.0),
    ],
)
def test_quantiles_of_cumulative_counts(
    buckets: list[tuple[float, float]], quantile: float, value: float | None
) -> None:
    assert quantile_of(buckets, quantile) == value
