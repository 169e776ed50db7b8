"""Who is signed in, and how often a key may be tried."""

from __future__ import annotations

from bellwire.console.sessions import (
    ALL_FAILURES,
    FAILURE_SECONDS,
    FAILURES,
    IDLE_SECONDS,
    LONGEST_SECONDS,
    MOST_SESSIONS,
    ConsoleSessions,
    SignInLimits,
)


class Now:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_session_is_found_by_its_token_until_it_is_closed() -> None:
    sessions = ConsoleSessions(now=Now())
    token = sessions.open(b"key")
    found = sessions.find(token)
    assert found is not None
    assert found.key_hash == b"key"
    assert sessions.find(token + "x") is None
    sessions.close(token)
    assert sessions.find(token) is None
    assert not sessions.goes_on(found), "pages that still hold it are told"


def test_it_ends_when_it_is_not_used_and_at_the_latest_after_a_day() -> None:
    now = Now()
    sessions = ConsoleSessions(now=now)
    idle, busy = sessions.open(b"a"), sessions.open(b"b")
    while now.at < LONGEST_SECONDS - IDLE_SECONDS / 2:
        assert sessions.find(busy) is not None
        now.at += IDLE_SECONDS / 2
    assert sessions.find(idle) is None
    assert sessions.find(busy) is not None
    now.at = LONGEST_SECONDS
    assert sessions.find(busy) is None


def test_the_one_that_was_used_longest_ago_goes_when_there_are_too_many() -> None:
    sessions = ConsoleSessions(now=Now())
    first, second = sessions.open(b"a"), sessions.open(b"b")
    assert sessions.find(first) is not None
    for _ in range(MOST_SESSIONS - 1):
        sessions.open(b"c")
    assert sessions.find(first) is not None
    assert sessions.find(second) is None


def test_an_address_waits_after_too_many_wrong_keys_and_others_do_not() -> None:
    now = Now()
    limits = SignInLimits(now)
    for _ in range(FAILURES):
        assert limits.wait_seconds("192.0.2.1") == 0
        limits.failed("192.0.2.1")
        now.at += 1
    assert 0 < limits.wait_seconds("192.0.2.1") <= FAILURE_SECONDS
    assert limits.wait_seconds("192.0.2.2") == 0
    now.at = FAILURE_SECONDS
    assert limits.wait_seconds("192.0.2.1") == 0


def test_a_right_key_forgives_the_wrong_ones() -> None:
    limits = SignInLimits(Now())
    for _ in range(FAILURES):
        limits.failed("192.0.2.1")
    limits.succeeded("192.0.2.1")
    assert limits.wait_seconds("192.0.2.1") == 0


def test_wrong_keys_from_everywhere_together_are_limited_too() -> None:
    limits = SignInLimits(Now())
    for number in range(ALL_FAILURES):
        limits.failed(f"192.0.2.{number}")
    assert limits.wait_seconds("198.51.100.1") > 0
