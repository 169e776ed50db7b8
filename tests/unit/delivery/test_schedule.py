"""When an attempt is repeated, and when a notification is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.delivery.schedule import DELIVERED, GIVE_UP, RetryAfter, RetryPolicy, after_attempt
from bellwire.model.attempt import AttemptResult, FailureCode

POLICY = RetryPolicy()


def failed(failure: FailureCode, status: int = 0, retry_after: float | None = None) -> AttemptResult:
    return AttemptResult(failure, status, "no", 0.1, retry_after)


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10, 60), (11, 120), (14, 900), (500, 900)]
)
def test_pauses_double_to_a_minute_and_later_to_fifteen(failures: int, ceiling: float) -> None:
    assert POLICY.pause(failures, 1.0) == ceiling


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_never_nothing_and_never_over_fifteen_minutes(failures: int, jitter: float) -> None:
    assert POLICY.least_pause <= POLICY.pause(failures, jitter) <= 900


def test_success_is_the_end() -> None:
    assert (
        after_attempt(AttemptResult(None, 204, "", 0.1), failures=1, refusals=0, policy=POLICY, jitter=1) == DELIVERED
    )


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_the_tenth_refusal_gives_up(status: int) -> None:
    result = failed(FailureCode.STATUS_4XX, status)
    ninth = after_attempt(result, failures=9, refusals=9, policy=POLICY, jitter=1)
    tenth = after_attempt(result, failures=10, refusals=10, policy=POLICY, jitter=1)
    assert isinstance(ninth, RetryAfter)
    assert tenth == GIVE_UP


def test_a_server_error_is_never_given_up() -> None:
    verdict = after_attempt(failed(FailureCode.STATUS_5XX, 500), failures=900, refusals=20, policy=POLICY, jitter=1)
    assert verdict == RetryAfter(900)


@pytest.mark.parametrize(("asked", "granted"), [(30, 33), (0, 1), (86_400, 900)])
def test_the_endpoint_is_left_alone_for_as_long_as_it_asked_and_some_jitter_within_fifteen_minutes(
    asked: float, granted: float
) -> None:
    verdict = after_attempt(failed(FailureCode.THROTTLED, 429, asked), failures=1, refusals=0, policy=POLICY, jitter=1)
    assert verdict == RetryAfter(granted, whole_endpoint=True)
