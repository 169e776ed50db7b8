"""Who is signed in."""

from __future__ import annotations

from bellwire.console.sessions import (
    IDLE_SECONDS,
    LONGEST_SECONDS,
    MOST_SESSIONS,
    ConsoleSessions,
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
