"""What an endpoint's answer, or the lack of one, means: its code, and one plain sentence for people. No I/O.

2xx is success; 429 is `throttled`; redirects are failures, since they are never followed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bellwire.model.attempt import FailureCode

_SECONDS = re.compile(r"[0-9]{1,12}")
_LONGEST_DATE = 64
_STATUSES_WITH_RETRY_AFTER = frozenset({429, 503})

_SENTENCES = {
    FailureCode.DNS: "The address's host name could not be resolved",
    FailureCode.CONNECT_REFUSED: "The endpoint refused the connection",
    FailureCode.CONNECT_TIMEOUT: "The endpoint did not accept a connection in time",
    FailureCode.CONNECT_FAILED: "No connection to the endpoint could be made",
    FailureCode.TLS: "A secure connection to the endpoint could not be made",
    FailureCode.RESPONSE_TIMEOUT: "The endpoint did not answer in time",
    FailureCode.RESET: "The endpoint closed the connection before it had answered",
    FailureCode.MALFORMED_RESPONSE: "The endpoint's answer is not valid HTTP",
    FailureCode.RESPONSE_TOO_LARGE: "The endpoint's answer is too large",
    FailureCode.REDIRECT: "The endpoint answered with a redirect, and redirects are not followed",
    FailureCode.STATUS_4XX: "The endpoint refused the notification",
    FailureCode.STATUS_5XX: "The endpoint failed to take the notification",
    FailureCode.STATUS_OTHER: "The endpoint answered with an unexpected status",
    FailureCode.THROTTLED: "The endpoint asked for fewer notifications",
    FailureCode.SSRF_BLOCKED: "The address leads to a place where Bellwire must not send",
    FailureCode.CANCELLED: "Bellwire ended the attempt before it had an outcome",
    FailureCode.NOT_CONNECTED: "The client is not connected; it gets the notification if it recovers its session",
    FailureCode.RECOVERY_OVERFLOW: "More was kept for the client's return than its session may have",
    FailureCode.RECOVERY_EXPIRED: "The client did not recover its session in time",
    FailureCode.FRAME_TOO_LARGE: "The notification is too large for a WebSocket frame",
}


def sentence(code: FailureCode, *, status: int = 0, cause: str = "") -> str:
    """One plain sentence for people.

    Args:
        status: the answer's status, where there was one.
        cause: what exactly went wrong, in a few words, without a full stop.
    """
    particulars = ", ".join(part for part in (f"status {status}" if status else "", cause) if part)
    return f"{_SENTENCES[code]} ({particulars})." if particulars else f"{_SENTENCES[code]}."


def failure_of_status(status: int) -> FailureCode | None:
    """Why an answer with this status is a failure; None if it is success. Interim (1xx) statuses are none's outcome."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return FailureCode.REDIRECT
    if status == 429:
        return FailureCode.THROTTLED
    if 400 <= status < 500:
        return FailureCode.STATUS_4XX
    if 500 <= status < 600:
        return FailureCode.STATUS_5XX
    return FailureCode.STATUS_OTHER


def heeds_retry_after(status: int) -> bool:
    """Whether `Retry-After` means something with this status: 429 and 503 (RFC 6585, section 4; RFC 9110, 15.6.4)."""
    return status in _STATUSES_WITH_RETRY_AFTER


def retry_after_seconds(value: str, now: datetime) -> float | None:
    """Read a `Retry-After` header: seconds, or an HTTP date relative to `now`. None where it can't be read.

    Not clamped, but never negative.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    if len(value) > _LONGEST_DATE:
        return None
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
