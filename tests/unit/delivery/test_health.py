"""When an endpoint counts as failing, when its operator is told, and when it is blacklisted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.delivery.health import (
    LATENCY_BOUNDS,
    BlacklistRule,
    EndpointHealth,
    LastFailure,
    Step,
    blacklist_detail,
    blacklist_reason,
)
from bellwire.model.attempt import FailureCode

RULE = BlacklistRule()
REFUSED = LastFailure(FailureCode.CONNECT_REFUSED, 0, "The endpoint refused the connection.", 0)


def failing_since(at: float, failures: int) -> EndpointHealth:
    health = EndpointHealth("example.com")
    for _ in range(failures):
        health.failed_with(REFUSED, at)
    return health


def test_ten_minutes_of_failures_blacklist_with_a_warning_half_way_said_once() -> None:
    health = failing_since(100.0, failures=2)
    said = {second: health.judge(100.0 + second, RULE) for second in (0, 299, 300, 301, 599)}
    assert said == {0: None, 299: None, 300: Step.WARN, 301: None, 599: None}
    assert health.judge(700.0, RULE) is Step.BLACKLIST


def test_one_failure_alone_never_blacklists_and_the_second_does() -> None:
    health = failing_since(0.0, failures=1)
    assert health.judge(5000.0, RULE) is Step.WARN
    assert health.judge(5000.0, RULE) is None
    health.failed_with(REFUSED, 5000.0)
    assert health.judge(5000.0, RULE) is Step.BLACKLIST


def test_a_success_ends_failing_and_the_next_failure_begins_anew() -> None:
    health = failing_since(0.0, failures=5)
    assert health.judge(400.0, RULE) is Step.WARN
    health.succeeded(0.01)
    assert health.judge(10_000.0, RULE) is None
    health.failed_with(REFUSED, 10_000.0)
    health.failed_with(REFUSED, 10_001.0)
    assert health.judge(10_299.0, RULE) is None
    assert health.judge(10_300.0, RULE) is Step.WARN


def test_time_left_counts_down_while_failing_and_is_not_given_otherwise() -> None:
    health = failing_since(10.0, failures=1)
    assert health.seconds_to_blacklisting(110.0, RULE) == 500.0
    assert health.seconds_to_blacklisting(9999.0, RULE) == 0.0
    health.succeeded(0.1)
    assert health.seconds_to_blacklisting(9999.0, RULE) is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 120)), max_size=40))
def test_it_is_blacklisted_exactly_after_so_long_without_a_success_and_two_failures(
    outcomes: list[tuple[bool, float]],
) -> None:
    health, now = EndpointHealth("h"), 0.0
    first_failure: float | None = None
    failures = 0
    for is_success, pause in outcomes:
        now += pause
        if is_success:
            health.succeeded(0.1)
            first_failure, failures = None, 0
        else:
            health.failed_with(REFUSED, now)
            first_failure = now if first_failure is None else first_failure
            failures += 1
        due = first_failure is not None and now - first_failure >= 600 and failures >= 2
        assert (health.judge(now, RULE) is Step.BLACKLIST) == due


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_lies_within_the_bounds_around_the_true_one(seconds: list[float], quantile: float) -> None:
    health = EndpointHealth("h")
    for one in seconds:
        health.succeeded(one)
    exact = sorted(seconds)[max(0, -int(-quantile * len(seconds) // 1) - 1)]
    lower = max((bound for bound in (0.0, *LATENCY_BOUNDS) if bound < exact), default=0.0)
    upper = min(bound for bound in LATENCY_BOUNDS if bound >= exact)
    found = health.latency_seconds(quantile)
    assert found is not None
    assert lower <= found <= upper


def test_rates_and_percentiles_are_unknown_before_the_first_attempt() -> None:
    health = EndpointHealth("h")
    assert health.success_rate is None
    assert health.latency_seconds(0.5) is None
    health.succeeded(0.1)
    health.failed_with(REFUSED, 0.0)
    assert health.success_rate == 0.5


@pytest.mark.parametrize(
    ("failure", "reason", "plain"),
    [
        (
            LastFailure(FailureCode.STATUS_4XX, 404, "The endpoint refused the notification (status 404).", 0),
            "Webhook responses with code: [404], reason: [Not Found]",
            "the endpoint answered HTTP 404 Not Found",
        ),
        (
            LastFailure(FailureCode.STATUS_OTHER, 799, "Odd.", 0),
            "Webhook responses with code: [799], reason: [Unknown]",
            "the endpoint answered HTTP 799 Unknown",
        ),
        (
            LastFailure(FailureCode.RESPONSE_TIMEOUT, 0, "The endpoint did not answer in time.", 0),
            "I/O operation is failed. Details: [The endpoint did not answer in time]",
            "The endpoint did not answer in time",
        ),
    ],
)
def test_the_reason_says_the_status_or_what_went_wrong(failure: LastFailure, reason: str, plain: str) -> None:
    assert blacklist_reason(failure) == reason
    assert blacklist_detail(reason) == plain
