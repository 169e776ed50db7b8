"""When a subscription is reminded that it ends soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bellwire.errors import InvalidRequest
from bellwire.subscriptions.reminders import (
    ReminderSchedule,
    first_reminder_at,
    next_reminder_at,
    reminder_schedule,
)

TEXT = "/restapi/v1.0/subscription/~?threshold=60&interval=15"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("threshold", "interval", "lifetime"), [(60, 15, 604_800), (60, 30, 120), (10, 5, 20), (259_200, 43_200, 604_800)]
)
def test_a_schedule_within_the_lifetime_is_taken(threshold: int, interval: int, lifetime: int) -> None:
    schedule = reminder_schedule(TEXT, {"threshold": threshold, "interval": interval}, lifetime)
    assert schedule == ReminderSchedule(threshold, interval)


@pytest.mark.parametrize(
    ("threshold", "interval", "lifetime", "said"),
    [
        (61, 15, 120, "half of the subscription's lifetime"),
        (60, 31, 604_800, "half of threshold"),
        (60, 4, 604_800, "at least 5"),
        (4, 2, 604_800, "at least 5"),
        (0, 0, 604_800, "at least 5"),
    ],
)
def test_case_57_a_threshold_over_half_the_lifetime_or_interval_over_half_the_threshold_is_sub_516(
    threshold: int, interval: int, lifetime: int, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        reminder_schedule(TEXT, {"threshold": threshold, "interval": interval}, lifetime)
    assert (refused.value.code, refused.value.http_status) == ("SUB-516", 400)


def test_reminders_start_at_the_threshold_and_come_an_interval_after_the_last() -> None:
    schedule = ReminderSchedule(60, 15)
    assert first_reminder_at(schedule, NOW + timedelta(seconds=600), 600) == NOW + timedelta(seconds=540)
    assert next_reminder_at(schedule, NOW) == NOW + timedelta(seconds=15)


def test_a_lifetime_that_shrank_below_the_threshold_reminds_from_its_half_on() -> None:
    schedule = ReminderSchedule(1_000_000, 1000)
    assert first_reminder_at(schedule, NOW + timedelta(seconds=604_800), 604_800) == NOW + timedelta(seconds=302_400)
