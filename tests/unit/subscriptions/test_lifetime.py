"""How long a subscription lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bellwire.errors import InvalidRequest
from bellwire.subscriptions.lifetime import granted_seconds, remaining_seconds

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, 604_800), (1, 1), (604_801, 604_801), (315_360_000, 315_360_000), (315_360_001, 315_360_000)],
)
def test_the_lifetime_is_what_was_asked_within_ten_years_and_seven_days_otherwise(
    asked: int | None, granted: int
) -> None:
    assert granted_seconds(asked) == granted


@pytest.mark.parametrize("asked", [0, -1, -(10**30)])
def test_less_than_a_second_is_refused_with_the_name_of_the_field(asked: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        granted_seconds(asked)
    (entry,) = refused.value.entries
    assert (entry.code, entry.parameter) == ("CMN-101", "expiresIn")


def test_the_seconds_that_are_left_are_rounded_down_and_at_least_one() -> None:
    in_a_minute = NOW + timedelta(seconds=60)
    assert remaining_seconds(in_a_minute, NOW) == 60
    assert remaining_seconds(in_a_minute, NOW + timedelta(milliseconds=1)) == 59
    assert remaining_seconds(in_a_minute, NOW + timedelta(seconds=59.5)) == 1
    assert remaining_seconds(in_a_minute, NOW + timedelta(seconds=61)) == 1
