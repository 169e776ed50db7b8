"""When a subscription is reminded that it ends soon (wire contract, 3.8).

A reminder filter says `threshold` (reminders start when so many seconds are left) and `interval` (seconds between two).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bellwire.errors import InvalidRequest

JOB_PERIOD_SECONDS = 5
"""How often due reminders are looked for: no threshold or interval may be shorter."""


@dataclass(frozen=True, slots=True)
class ReminderSchedule:
    threshold_seconds: int
    interval_seconds: int


def reminder_schedule(filter_text: str, schedule: Mapping[str, int], lifetime_seconds: int) -> ReminderSchedule:
    """The schedule of a reminder filter, judged against the lifetime that is granted with it.

    Raises:
        InvalidRequest: SUB-516.
    """
    threshold, interval = schedule["threshold"], schedule["interval"]
    if threshold < JOB_PERIOD_SECONDS or interval < JOB_PERIOD_SECONDS:
        raise _refused(filter_text, f"threshold and interval must be at least {JOB_PERIOD_SECONDS} seconds")
    if threshold * 2 > lifetime_seconds:
        raise _refused(
            filter_text,
            f"threshold must be at most half of the subscription's lifetime of {lifetime_seconds} seconds",
        )
    if interval * 2 > threshold:
        raise _refused(filter_text, "interval must be at most half of threshold")
    return ReminderSchedule(threshold, interval)


def first_reminder_at(schedule: ReminderSchedule, expires_at: datetime, lifetime_seconds: int) -> datetime:
    """When the first reminder is due.

    A renewal may have granted a shorter lifetime than the schedule was judged against (an empty renewal grants the
    default); then reminders start at half of the lifetime instead of at once.
    """
    return expires_at - timedelta(seconds=min(schedule.threshold_seconds, lifetime_seconds // 2))


def next_reminder_at(schedule: ReminderSchedule, sent_at: datetime) -> datetime:
    """When the reminder after one that was sent is due."""
    return sent_at + timedelta(seconds=schedule.interval_seconds)


def _refused(filter_text: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        "SUB-516", f"Reminder filter [{filter_text}] is invalid: {reason}.", parameter="eventFilters", value=filter_text
    )
