from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bellwire.observe.metrics import Durations, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_counters_and_gauges_are_read_at_each_scrape() -> None:
    metrics = Metrics()
    figures = {"accepted": 1, "depth": 5}
    metrics.watch_counter("bellwire_events_accepted", "Events accepted.", lambda: figures["accepted"])
    metrics.watch_gauge("bellwire_backlog_rows", "Rows waiting.", lambda: figures["depth"])

    before = samples(metrics)
    figures.update(accepted=9, depth=2)
    after = samples(metrics)

    assert before["bellwire_events_accepted_total", ()] == 1
    assert after["bellwire_events_accepted_total", ()] == 9
    assert (before["bellwire_backlog_rows", ()], after["bellwire_backlog_rows", ()]) == (5, 2)


def test_labelled_figures_have_one_line_for_each_combination() -> None:
    metrics = Metrics()
    counts: dict[tuple[str, ...], float] = {("delivered", ""): 3.0, ("failed", "dns"): 1.0}
    metrics.watch_counter("bellwire_attempts", "Attempts.", lambda: counts, labels=("outcome", "failure"))

    found = samples(metrics)

    assert found["bellwire_attempts_total", (("failure", "dns"), ("outcome", "failed"))] == 1
    assert found["bellwire_attempts_total", (("failure", ""), ("outcome", "delivered"))] == 3


def test_durations_are_counted_up_to_each_bound_inclusively() -> None:
    metrics, durations = Metrics(), Durations((0.01, 0.1))
    metrics.watch_durations("bellwire_attempt_seconds", "Duration of attempts.", durations)

    for seconds in (0.005, 0.01, 0.05, 7.0):
        durations.observe(seconds)

    found = samples(metrics)
    assert found["bellwire_attempt_seconds_bucket", (("le", "0.01"),)] == 2
    assert found["bellwire_attempt_seconds_bucket", (("le", "0.1"),)] == 3
    assert found["bellwire_attempt_seconds_bucket", (("le", "+Inf"),)] == 4
    assert found["bellwire_attempt_seconds_count", ()] == 4
    assert found["bellwire_attempt_seconds_sum", ()] == pytest.approx(7.065)


def test_two_servers_in_one_process_keep_their_figures_apart() -> None:
    one, other = Metrics(), Metrics()
    one.watch_gauge("bellwire_subscriptions", "Subscriptions.", lambda: 1)
    other.watch_gauge("bellwire_subscriptions", "Subscriptions.", lambda: 2)

    assert samples(one)["bellwire_subscriptions", ()] == 1
    assert samples(other)["bellwire_subscriptions", ()] == 2


def test_a_name_is_watched_only_once() -> None:
    metrics = Metrics()
    metrics.watch_gauge("bellwire_subscriptions", "Subscriptions.", lambda: 1)

    with pytest.raises(ValueError, match="watched already"):
        metrics.watch_gauge("bellwire_subscriptions", "Subscriptions.", lambda: 2)


def test_the_process_itself_is_among_the_metrics() -> None:
    assert ("process_resident_memory_bytes", ()) in samples(Metrics())


@given(
    st.lists(st.floats(0, 4, allow_nan=False) | st.sampled_from([0.01, 0.1, 3.0]), max_size=60),
    st.integers(1, 20),
    st.integers(0, 5),
)
def test_durations_put_aside_are_counted_as_one_by_one(seconds: list[float], most_aside: int, every: int) -> None:
    class Counted(Durations):
        MOST_ASIDE = most_aside

    durations, bounds = Counted((0.01, 0.1, 3.0)), (0.01, 0.1, 3.0)
    expected = [0] * 4
    for number, one in enumerate(seconds):
        durations.observe(one)
        expected[bisect_left(bounds, one)] += 1
        if every and number % every == 0:
            assert durations.counts == expected

    durations.observe_many(0.05, 3)
    expected[1] += 3
    assert durations.counts == expected
    assert durations.sum_seconds == pytest.approx(sum(seconds) + 0.15)
