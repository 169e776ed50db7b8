"""What answers mean, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bellwire.delivery.failures import failure_of_status, heeds_retry_after, retry_after_seconds, sentence
from bellwire.model.attempt import FailureCode

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, FailureCode.REDIRECT),
        (304, FailureCode.REDIRECT),
        (400, FailureCode.STATUS_4XX),
        (408, FailureCode.STATUS_4XX),
        (429, FailureCode.THROTTLED),
        (500, FailureCode.STATUS_5XX),
        (599, FailureCode.STATUS_5XX),
        (600, FailureCode.STATUS_OTHER),
        (999, FailureCode.STATUS_OTHER),
    ],
)
def test_a_status_means_success_or_one_failure(status: int, failure: FailureCode | None) -> None:
    assert failure_of_status(status) is failure


@pytest.mark.parametrize("code", FailureCode)
def test_each_failure_has_one_plain_sentence(code: FailureCode) -> None:
    text = sentence(code)
    assert text[0].isupper()
    assert text.endswith(".")
    assert text.count(".") == 1
    assert "_" not in text


def test_no_two_failures_are_said_alike() -> None:
    assert len({sentence(code) for code in FailureCode}) == len(FailureCode)


def test_a_sentence_takes_status_and_cause() -> None:
    assert sentence(FailureCode.STATUS_5XX, status=502).endswith("(status 502).")
    assert sentence(FailureCode.DNS, cause="the name does not exist").endswith("(the name does not exist).")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("999999999999", 999999999999.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sunday, 01-Mar-26 12:00:10 GMT", 10.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:05 -0000", 5.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("1" * 13, None),
        ("x" * 10_000, None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def test_retry_after_counts_with_429_and_503_only() -> None:
    assert [status for status in range(200, 600) if heeds_retry_after(status)] == [429, 503]
