"""Asking again: while a server is away, asks for patience, or has forgotten the log-in."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bellwire.cli.failure import CommandFailed
from bellwire.cli.remote import Remote
from bellwire.cli.sms_follow import Followed


class Scripted:
    """A server that gives these answers, one after the other; an exception is none."""

    def __init__(self, *answers: httpx.Response | CommandFailed) -> None:
        self.answers = list(answers)
        self.logins = 0
        self.asked: list[Any] = []

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        self.asked.append(arguments.get("params"))
        answer = self.answers.pop(0)
        if isinstance(answer, CommandFailed):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, instead of waiting; time goes on by as much."""
    waited: list[float] = []
    monkeypatch.setattr("bellwire.cli.sms_follow.time.sleep", waited.append)
    monkeypatch.setattr("bellwire.cli.sms_follow.time.monotonic", lambda: sum(waited))
    return waited


def follow(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> Followed:
    def log_in(*_: Any, **__: Any) -> Scripted:
        server.logins += 1
        return server

    monkeypatch.setattr(Remote, "logged_in", log_in)
    return Followed({}, None)


def ok(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def away() -> CommandFailed:
    return CommandFailed("no answer")


def test_an_expired_token_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Scripted(httpx.Response(401), ok(id="b"))
    assert follow(monkeypatch, server).batch("b") == {"id": "b"}
    assert server.logins == 2


def test_a_server_that_is_away_for_a_while_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "7"}, json={"errorCode": "CMN-301", "message": "slow down"})
    server = Scripted(away(), httpx.Response(503, json={"errorCode": "CMN-201", "message": "later"}), busy, ok(id="b"))
    assert follow(monkeypatch, server).batch("b") == {"id": "b"}
    assert pauses == [2.0, 2.0, 7.0]
    assert capsys.readouterr().err == "bellwire: no answer; trying again\n"


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    with pytest.raises(CommandFailed, match="no answer"):
        follow(monkeypatch, Scripted(*[away() for _ in range(100)])).batch("b")
    assert sum(pauses) <= 60


def test_what_asking_again_does_not_help_is_said_at_once(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    server = Scripted(httpx.Response(404, json={"errorCode": "CMN-102", "message": "no such batch"}))
    with pytest.raises(CommandFailed, match="404 CMN-102: no such batch"):
        follow(monkeypatch, server).batch("b")
    assert pauses == []


def test_a_batch_is_looked_at_until_it_is_completed(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    states = [ok(id="b", status="Processing", processedCount=n) for n in range(12)]
    server = Scripted(*states, ok(id="b", status="Completed", processedCount=12))
    seen = [one["processedCount"] for one in follow(monkeypatch, server).until_completed({"id": "b"})]
    assert seen == list(range(13))
    assert pauses[0] == 0.2
    assert max(pauses) == 2.0


def test_all_pages_of_a_list_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Scripted(
        ok(records=[{"n": 1}, {"n": 2}], paging={"nextPageToken": "t1"}),
        ok(records=[{"n": 3}], paging={"nextPageToken": "t2"}),
        ok(records=[], paging={}),
    )
    assert follow(monkeypatch, server).records("/x", {"status": "all"}) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert server.asked == [{"status": "all", "perPage": 1000}, {"pageToken": "t1"}, {"pageToken": "t2"}]
