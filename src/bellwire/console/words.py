"""How things stand, in plain words: times, health, outcomes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bellwire.delivery.health import blacklist_detail
from bellwire.engine.history import NotificationState
from bellwire.engine.operate import SubscriptionHealth
from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.subscription import Subscription, SubscriptionStatus, TransportType
from bellwire.sms.codes import ErrorCode

GOOD, WARN, BAD, PLAIN = "good", "warn", "bad", ""


@dataclass(frozen=True, slots=True)
class Standing:
    """`level`: one of the four above. `word`: for a badge. `sentence`: what it means, and what to do."""

    level: str
    word: str
    sentence: str


def standing_of(record: Subscription, health: SubscriptionHealth | None) -> Standing:
    """How a subscription fares. `health`: None for one over WebSocket."""
    if health is None:
        return Standing(PLAIN, "WebSocket", "It lives as long as its session, whose socket its notifications go over.")
    waits = _waiting(health.lane.backlog_rows)
    if record.status is SubscriptionStatus.BLACKLISTED:
        reason = "" if record.blacklisting is None else f": {blacklist_detail(record.blacklisting.reason)}"
        probe = health.next_probe_in_seconds
        then = "when its owner renews it" if probe is None else f"in {duration(probe)}"
        said = f"Its address failed too long{reason}. It is tried again {then}, and at once with “Try it now”. {waits}"
        return Standing(BAD, "Blacklisted", said.strip())
    if record.paused:
        return Standing(WARN, "Paused", f"An operator paused it. {waits or 'Nothing waits yet.'}")
    if health.failing_seconds is not None:
        why = health.last_failure.detail if health.last_failure is not None else ""
        said = f"Failing for {duration(health.failing_seconds)}: {why} {waits}".strip()
        if health.own_outage:
            return Standing(WARN, "Own outage", f"{said} Most hosts can’t be reached from here.")
        left = health.blacklisted_in_seconds
        end = "" if left is None else f" Blacklisted in {duration(left)} unless it answers."
        return Standing(BAD, "Failing", said + end)
    if health.lane.backlog_rows:
        return Standing(WARN, "Catching up", waits)
    if not health.delivered:
        return Standing(PLAIN, "No traffic yet", "Nothing was sent to it since the server started.")
    failed = "none failed" if not health.failed else f"{count(health.failed, 'attempt')} failed before"
    speed = "" if health.p50_seconds is None else f"; half are answered within {milliseconds(health.p50_seconds)}"
    return Standing(GOOD, "Delivering", f"{count(health.delivered, 'delivery', 'deliveries')}, {failed}{speed}.")


def _waiting(rows: int) -> str:
    return "" if not rows else f"{count(rows, 'notification')} {'waits' if rows == 1 else 'wait'}."


def outcome_word(attempt: Attempt) -> tuple[str, str]:
    """Level and word of an attempt."""
    match attempt.outcome:
        case AttemptOutcome.DELIVERED:
            return GOOD, "Delivered"
        case AttemptOutcome.FAILED:
            return WARN, "Failed"
        case AttemptOutcome.GIVEN_UP:
            return BAD, "Given up"


def state_word(state: NotificationState) -> tuple[str, str]:
    """Level and word of a notification."""
    match state:
        case NotificationState.DELIVERED:
            return GOOD, "Delivered"
        case NotificationState.GIVEN_UP:
            return BAD, "Given up"
        case NotificationState.WAITING:
            return WARN, "Waiting"
        case NotificationState.PENDING:
            return PLAIN, "Under way"
        case NotificationState.UNKNOWN:
            return PLAIN, "No record"


def answer_of(attempt: Attempt) -> str:
    """What the endpoint answered, in a few words."""
    if attempt.status:
        return f"HTTP {attempt.status}"
    if attempt.is_over_socket and attempt.failure is None:
        return "Written to its socket"
    return attempt.detail or "No answer"


def count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """About how long: `4 s`, `3 min`, `5 h`, `6 days`."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    if seconds < 2 * 86_400:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86_400):,} days"


def milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:,.1f} ms" if value < 10 else f"{value:,.0f} ms"


def clock_time(at_ms: int, *, now_ms: int | None = None) -> str:
    """UTC; with the day unless it is today's."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if now_ms is not None and datetime.fromtimestamp(now_ms / 1000, UTC).date() == at.date():
        return f"{at:%H:%M:%S}"
    return f"{at:%Y-%m-%d %H:%M:%S}"


def rate(a_second: float) -> str:
    return f"{a_second:,.0f}" if a_second >= 10 else f"{a_second:,.1f}"


def transport_word(record: Subscription) -> str:
    return "WebSocket" if record.transport is TransportType.WEB_SOCKET else "Webhook"


def sms_error(code: str) -> str:
    """Why a text failed, and the code that programs read: `The destination is not supported. (SMS-RC-410)`."""
    try:
        return f"{ErrorCode(code).sentence} ({code})"
    except ValueError:  # of another release
        return code
