"""`bellwire tail` against a real server that is cut off, and one that is restarted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx

from tests.e2e.processes import BellwireProcess, bellwire, env_of

OPT_OUTS = "/restapi/v1.0/account/~/a2p-sms/opt-outs"


def publish(variables: dict[str, str], uuid: str) -> None:
    topic = OPT_OUTS.replace("~", variables["BELLWIRE_ACCOUNT_ID"])
    event = {"event": topic, "uuid": uuid, "body": {"from": "+14155550111", "to": "+16505550181", "active": True}}
    answer = httpx.post(
        variables["RC_SERVER_URL"] + "/bellwire/v1/events",
        json=event,
        headers={"Authorization": f"Bearer {variables['BELLWIRE_PUBLISHER_KEY']}"},
        trust_env=False,
    )
    assert answer.json()["accepted"] == 1, answer.text


def subscribed(variables: dict[str, str]) -> list[str]:
    listed = httpx.get(
        variables["RC_SERVER_URL"] + "/bellwire/v1/subscriptions",
        headers={"Authorization": f"Bearer {variables['BELLWIRE_ADMIN_KEY']}"},
        trust_env=False,
    )
    return [record["id"] for record in listed.json()["records"]]


def wait_for_subscription(variables: dict[str, str]) -> None:
    until = time.monotonic() + 60
    while not subscribed(variables):
        assert time.monotonic() < until, "nothing was subscribed"


def test_tail_prints_notifications_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    arguments = ["dev", "--data", str(tmp_path), "--no-traffic", "--port"]
    with BellwireProcess(*arguments, "0") as server:
        port = server.url().rpartition(":")[2]
        variables = env_of(bellwire("env", "--data", str(tmp_path)).stdout)
        with BellwireProcess("tail", OPT_OUTS, "--json", "--count", "2", environ=variables) as tail:
            wait_for_subscription(variables)
            publish(variables, "before")
            assert json.loads(tail.line_with("before"))["uuid"] == "before"
            assert server.stop() == 0
            tail.line_with("connection lost")
            with BellwireProcess(*arguments, port) as again:
                again.url()
                wait_for_subscription(variables)
                publish(variables, "after")
                assert json.loads(tail.line_with("after"))["body"]["to"] == "+16505550181"
                assert tail.wait() == 0


def test_tail_says_what_a_filter_is_refused_for(tmp_path: Path) -> None:
    with BellwireProcess("dev", "--data", str(tmp_path), "--no-traffic", "--port", "0") as server:
        server.url()
        variables = env_of(bellwire("env", "--data", str(tmp_path)).stdout)
        refused = bellwire("tail", "/restapi/v1.0/nonsense", environ=variables)
        assert (refused.returncode, "SUB-508" in refused.stderr) == (1, True), refused.stderr
        wrong = bellwire("tail", environ=variables | {"RC_APP_CLIENT_SECRET": "wrong"})
        assert (wrong.returncode, "OAU-146" in wrong.stderr) == (1, True), wrong.stderr
        with BellwireProcess("tail", "--count", "1", environ=variables) as everything:
            wait_for_subscription(variables)
            publish(variables, "seen")
            assert "a2p_opt_out" in everything.line_with("opt-outs")
            assert everything.wait() == 0
