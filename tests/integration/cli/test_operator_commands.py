"""Commands for operators, each against a real server: events, deliveries, replay, subscriptions pause and so on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.command_line import Finished, run
from tests.e2e.processes import BellwireProcess, env_of

OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"
PRESENT = "2020-01-01"


def opt_out(uuid: str) -> bytes:
    body = {"from": "+16505550180", "to": "+12015550111", "active": True}
    return json.dumps({"event": OPT_OUTS, "uuid": uuid, "body": body}).encode()


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    data = tmp_path_factory.mktemp("cli") / "data"
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(data)) as dev:
        dev.url()
        yield env_of(run("env", "--data", str(data)).out)


@pytest.fixture(scope="module")
def listening() -> Iterator[BellwireProcess]:
    with BellwireProcess("listen", "--port", "0", "--json") as listening:
        yield listening


@pytest.fixture(scope="module")
def subscription(env: dict[str, str], listening: BellwireProcess) -> str:
    created = run(
        *("subscriptions", "create", "--filter", OPT_OUTS, "--address", listening.url(), "--json"), environ=env
    )
    assert created.exit_code == 0, created.err
    assert run("publish", "-", stdin=opt_out("cli-1"), environ=env).exit_code == 0
    listening.line_with("cli-1")
    return str(json.loads(created.out)["id"])


def until(ask: Callable[[], Finished], is_so: Callable[[Any], bool]) -> Any:
    """The answer in JSON, once it is so: history is written some 50 ms after a delivery."""
    until = time.monotonic() + 10
    while True:
        finished = ask()
        assert finished.exit_code == 0, finished.err
        found = json.loads(finished.out)
        if is_so(found):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_deliveries_are_listed_with_their_outcome(env: dict[str, str], subscription: str) -> None:
    found = until(lambda: run("deliveries", "--subscription", subscription, "--json", environ=env), bool)
    assert (found[-1]["uuid"], found[-1]["outcome"], found[-1]["status"]) == ("cli-1", "delivered", 200)

    table = run("deliveries", "--event", "cli-1", environ=env).out
    assert "delivered 200" in table
    assert subscription in table
    assert run("deliveries", "--failure", "dns", "--from", "1h", environ=env).out == "no attempts\n"


def test_events_are_listed_and_one_is_shown_with_who_got_it(env: dict[str, str], subscription: str) -> None:
    listed = run("events", "--family", "a2p_opt_out", "--from", PRESENT, environ=env)
    assert listed.exit_code == 0, listed.err
    assert "cli-1" in listed.out
    assert OPT_OUTS in listed.out

    def ask() -> Finished:
        return run("events", "cli-1", "--json", environ=env)

    shown = until(ask, lambda event: [n["state"] for n in event["notifications"]] == ["delivered"])
    assert shown["body"]["from"] == "+16505550180"
    text = run("events", "cli-1", environ=env).out
    assert "uuid:      cli-1" in text
    assert f"{subscription}  delivered" in text


def test_an_event_is_replayed_and_the_replay_is_listed(
    env: dict[str, str], subscription: str, listening: BellwireProcess
) -> None:
    finished = run("replay", subscription, "--event", "cli-1", "--json", environ=env)
    assert finished.exit_code == 0, finished.err
    replay = json.loads(finished.out)
    assert (replay["state"], replay["delivered"]) == ("done", 1)
    assert replay["id"] in listening.line_with(replay["id"])
    assert f"replay:       {replay['id']}" in run("replay", "--show", replay["id"], environ=env).out
    assert replay["id"] in run("replay", "--list", subscription, environ=env).out
    late = run("replay", "--cancel", replay["id"], environ=env)
    assert (late.exit_code, late.err.count("\n")) == (1, 1)

    everything = run("replay", subscription, "--from", "1d", environ=env)
    assert everything.exit_code == 0, everything.err
    assert "state:        done, 100%" in everything.out


def test_a_subscription_is_paused_resumed_tested_and_judged(env: dict[str, str], subscription: str) -> None:
    paused = run("subscriptions", "pause", subscription, environ=env)
    assert (paused.exit_code, paused.out) == (0, f"paused {subscription}; 0 notifications in the backlog\n")
    health = run("subscriptions", "health", subscription, environ=env)
    assert "status:       Active, paused" in health.out
    assert run("subscriptions", "resume", subscription, environ=env).out.startswith(f"resumed {subscription}")
    tested = run("subscriptions", "test", subscription, environ=env)
    assert tested.exit_code == 0, tested.err
    assert tested.out.startswith("delivered 200 in ")
    probed = run("subscriptions", "probe", subscription, environ=env)
    assert (probed.exit_code, probed.err.count("\n")) == (1, 1)
    assert "is not blacklisted" in probed.err
    judged = json.loads(run("subscriptions", "health", subscription, "--json", environ=env).out)
    assert judged["successRate"] == 1.0


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "some-id"),
        ("replay", "some-id", "--event", "1", "--from", "1h"),
        ("deliveries", "--from", "yesterday"),
        ("events", "--to", "999999d"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_plain_line(env: dict[str, str], arguments: tuple[str, ...]) -> None:
    finished = run(*arguments, environ=env)
    assert (finished.exit_code, finished.out) == (2, "")
    assert finished.err.startswith("bellwire: ")
    assert finished.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("events", "none"),
        ("events", "--family", "nope"),
        ("deliveries", "--failure", "nope"),
        ("replay", "none", "--from", "1h"),
        ("replay", "--show", "none"),
        ("subscriptions", "health", "none"),
    ],
    ids=" ".join,
)
def test_what_the_server_refuses_is_one_plain_line(env: dict[str, str], arguments: tuple[str, ...]) -> None:
    finished = run(*arguments, environ=env)
    assert (finished.exit_code, finished.out) == (1, "")
    assert finished.err.startswith("bellwire: the server answered 4")
    assert finished.err.count("\n") == 1


def test_without_an_admin_key_it_is_said_where_to_put_one(env: dict[str, str]) -> None:
    finished = run("events", environ={"RC_SERVER_URL": env["RC_SERVER_URL"]})
    assert finished.exit_code == 2
    assert "BELLWIRE_ADMIN_KEY" in finished.err
