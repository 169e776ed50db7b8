"""How things stand, in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bellwire.console.words import answer_of, clock_time, count, duration, milliseconds, rate, sms_error, standing_of
from bellwire.delivery.health import LastFailure, blacklist_reason
from bellwire.delivery.lane import Mode
from bellwire.engine.line import LaneView
from bellwire.engine.operate import SubscriptionHealth
from bellwire.model.attempt import SOCKET_ADDRESS, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Blacklisting, SubscriptionStatus, TransportType
from bellwire.sms.codes import ErrorCode
from tests.doubles.attempts import an_attempt
from tests.doubles.subscriptions import NOW, a_subscription

LANE = LaneView(mode=Mode.LIVE, is_held=False, is_trying=False, waiting=0, in_flight=0, backlog_rows=0)
REFUSED = LastFailure(FailureCode.CONNECT_REFUSED, 0, "The endpoint refused the connection.", 0)


def health(**changes: Any) -> SubscriptionHealth:
    fields: dict[str, Any] = {
        "subscription": SubscriptionId("s"),
        "status": SubscriptionStatus.ACTIVE,
        "paused": False,
        "delivered": 0,
        "failed": 0,
        "success_rate": None,
        "p50_seconds": None,
        "p95_seconds": None,
        "p99_seconds": None,
        "failures": 0,
        "failing_seconds": None,
        "blacklisted_in_seconds": None,
        "last_failure": None,
        "next_probe_in_seconds": None,
        "own_outage": False,
        "lane": LANE,
    }
    return SubscriptionHealth(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "word", "said"),
    [
        ({}, "No traffic yet", "Nothing was sent"),
        ({"delivered": 1204, "p50_seconds": 0.0123}, "Delivering", "1,204 deliveries, none failed; half"),
        ({"delivered": 2, "failed": 1}, "Delivering", "2 deliveries, 1 attempt failed before."),
        ({"lane": replace(LANE, backlog_rows=1)}, "Catching up", "1 notification waits."),
        (
            {"failing_seconds": 180.0, "last_failure": REFUSED, "blacklisted_in_seconds": 420.0},
            "Failing",
            "Failing for 3 min: The endpoint refused the connection. Blacklisted in 7 min unless it answers.",
        ),
        (
            {"failing_seconds": 5.0, "last_failure": REFUSED, "own_outage": True},
            "Own outage",
            "Most hosts can’t be reached from here.",
        ),
    ],
)
def test_health_in_plain_words(changes: dict[str, Any], word: str, said: str) -> None:
    standing = standing_of(a_subscription(), health(**changes))
    assert standing.word == word
    assert said in standing.sentence


def test_a_paused_subscription_says_what_waits() -> None:
    standing = standing_of(a_subscription(paused=True), health(lane=replace(LANE, backlog_rows=12)))
    assert (standing.word, standing.sentence) == ("Paused", "An operator paused it. 12 notifications wait.")


def test_a_blacklisted_one_says_why_and_when_it_is_tried_again() -> None:
    record = a_subscription(
        status=SubscriptionStatus.BLACKLISTED, blacklisting=Blacklisting(at=NOW, reason=blacklist_reason(REFUSED))
    )
    assert standing_of(record, health(next_probe_in_seconds=840.0)).sentence == (
        "Its address failed too long: The endpoint refused the connection. It is tried again in 14 min, "
        "and at once with “Try it now”."
    )
    assert "when its owner renews it" in standing_of(record, health()).sentence


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (89, "89 s"), (120, "2 min"), (7200, "2 h"), (864_000, "10 days")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_websocket_subscription_has_its_session_for_health() -> None:
    standing = standing_of(a_subscription(transport=TransportType.WEB_SOCKET, webhook=None), None)
    assert standing.word == "WebSocket"
    assert "as long as its session" in standing.sentence


def test_what_was_answered() -> None:
    attempt = an_attempt(status=204)
    assert answer_of(attempt) == "HTTP 204"
    over_socket = msgspec.structs.replace(attempt, status=0, address=f"{SOCKET_ADDRESS}192.0.2.1:5")
    assert answer_of(over_socket) == "Written to its socket"
    refused = msgspec.structs.replace(attempt, status=0, failure=FailureCode.DNS, detail="The name is unknown.")
    assert answer_of(refused) == "The name is unknown."


def test_small_figures_keep_a_decimal() -> None:
    assert (milliseconds(0.00123), milliseconds(0.5)) == ("1.2 ms", "500 ms")
    assert (rate(1.25), rate(1234.5)) == ("1.2", "1,234")
    assert (count(1, "event"), count(2, "delivery", "deliveries")) == ("1 event", "2 deliveries")


def test_the_day_is_said_unless_it_is_today() -> None:
    assert clock_time(1_000, now_ms=2_000) == "00:00:01"
    assert clock_time(1_000, now_ms=90_000_000) == "1970-01-01 00:00:01"


@pytest.mark.parametrize("code", ErrorCode)
def test_why_a_text_failed_is_a_sentence_with_its_code(code: ErrorCode) -> None:
    assert sms_error(code.value) == f"{code.sentence} ({code.value})"


def test_a_code_that_nobody_knows_stands_for_itself() -> None:
    assert sms_error("SMS-XX-1") == "SMS-XX-1"
