"""Commands that talk to a server, each against a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bellwire.testing.receiver import WebhookReceiver
from tests.command_line import Finished, run
from tests.e2e.processes import BellwireProcess, env_of

ACCOUNT = "/restapi/v1.0/account/400100"
OPT_OUT = {
    "event": f"{ACCOUNT}/a2p-sms/opt-outs",
    "body": {"from": "+16505550180", "to": "+12015550111", "active": True},
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The credentials of a server that runs without traffic."""
    data = tmp_path_factory.mktemp("cli") / "data"
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(data)) as dev:
        dev.url()
        yield env_of(run("env", "--data", str(data)).out)


def lines_of(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def published(finished: Finished) -> tuple[int, int, int]:
    summary = json.loads(finished.out)
    return summary["accepted"], summary["duplicates"], summary["rejectedCount"]


def test_one_object_an_array_and_ndjson_are_published_from_files(env: dict[str, str], tmp_path: Path) -> None:
    pretty, array, lines = tmp_path / "one.json", tmp_path / "array.json", tmp_path / "events.ndjson"
    pretty.write_text(json.dumps(OPT_OUT, indent=2))
    array.write_text(json.dumps([OPT_OUT, OPT_OUT]))
    lines.write_bytes(lines_of(OPT_OUT, OPT_OUT, OPT_OUT))

    counts = [published(run("publish", str(file), "--json", environ=env)) for file in (pretty, array, lines)]

    assert counts == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]


def test_rejected_events_are_listed_with_reasons_and_the_exit_code_is_1(env: dict[str, str]) -> None:
    broken = OPT_OUT | {"body": {"from": "+16505550180"}}

    finished = run("publish", "-", stdin=lines_of(OPT_OUT, broken, {"event": "/nowhere", "body": {}}), environ=env)

    assert finished.exit_code == 1
    first, second, third = finished.out.splitlines()
    assert first == "accepted 1, duplicates 0, rejected 2"
    assert second.startswith("  event 2: CMN-101")
    assert "/nowhere" in third


def test_events_with_a_uuid_are_published_once(env: dict[str, str]) -> None:
    event = lines_of(OPT_OUT | {"uuid": "cli-test-1"})

    first = published(run("publish", "-", "--json", stdin=event, environ=env))
    second = published(run("publish", "-", "--json", stdin=event, environ=env))

    assert (first, second) == ((1, 0, 0), (0, 1, 0))


def test_an_idempotency_key_makes_repeating_the_command_safe(env: dict[str, str]) -> None:
    arguments = ("publish", "-", "--json", "--idempotency-key", "monday")

    first = published(run(*arguments, stdin=lines_of(OPT_OUT, OPT_OUT), environ=env))
    second = published(run(*arguments, stdin=lines_of(OPT_OUT, OPT_OUT), environ=env))

    assert (first, second) == ((2, 0, 0), (0, 2, 0))


def test_a_wrong_key_is_one_plain_line(env: dict[str, str]) -> None:
    finished = run("publish", "-", "--key", "nonsense", stdin=lines_of(OPT_OUT), environ=env)

    assert (finished.exit_code, finished.out) == (1, "")
    assert finished.err.startswith("bellwire: the server answered 401 ")
    assert finished.err.count("\n") == 1


def test_a_server_that_is_not_there_is_one_plain_line(env: dict[str, str]) -> None:
    finished = run("publish", "-", "--server", "http://127.0.0.1:1", stdin=lines_of(OPT_OUT), environ=env)

    assert finished.exit_code == 1
    assert finished.err.startswith("bellwire: no answer from http://127.0.0.1:1: ")


@pytest.mark.parametrize(
    "arguments", [("publish", "-"), ("subscriptions", "list"), ("admin", "accounts", "list")], ids=" ".join
)
def test_without_credentials_a_command_says_what_to_give(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    finished = run(*arguments)

    assert finished.exit_code == 2
    assert "bellwire: give " in finished.err


def test_a_file_that_is_not_there_is_one_plain_line(env: dict[str, str], tmp_path: Path) -> None:
    finished = run("publish", str(tmp_path / "none.json"), environ=env)

    assert finished.exit_code == 2
    assert finished.err.endswith("none.json can't be read: No such file or directory\n")


def test_a_subscription_is_created_listed_shown_renewed_and_deleted(env: dict[str, str]) -> None:
    with BellwireProcess("listen", "--port", "0", "--json") as listening:
        address = listening.url()
        created = run(
            *("subscriptions", "create", "--filter", f"{ACCOUNT}/a2p-sms/opt-outs", "--address", address),
            *("--filter", "/restapi/v1.0/account/~/extension/~/presence", "--verification-token", "t0", "--json"),
            environ=env,
        )
        assert created.exit_code == 0, created.err
        subscription = json.loads(created.out)
        assert json.loads(listening.line_with('"handshake"'))["headers"]["verification-token"] == "t0"

        assert run("publish", "-", stdin=lines_of(OPT_OUT), environ=env).exit_code == 0
        received: dict[str, Any] = json.loads(listening.line_with('"notification"'))
        assert received["body"]["body"] == OPT_OUT["body"]
        assert received["body"]["subscriptionId"] == subscription["id"]

    listed = run("subscriptions", "list", environ=env)
    shown = run("subscriptions", "show", subscription["id"], environ=env)
    renewed = run("subscriptions", "renew", subscription["id"], "--json", environ=env)
    deleted = run("subscriptions", "delete", subscription["id"], environ=env)
    gone = run("subscriptions", "show", subscription["id"], environ=env)

    assert subscription["id"] in listed.out
    assert address in listed.out
    assert f"filter:     {ACCOUNT}/extension/400101/presence" in shown.out
    assert json.loads(renewed.out)["status"] == "Active"
    assert (deleted.exit_code, deleted.out) == (0, f"deleted {subscription['id']}\n")
    assert gone.exit_code == 1
    assert "404" in gone.err


async def test_a_refused_subscription_says_why(env: dict[str, str]) -> None:
    async with WebhookReceiver() as receiver:
        finished = run(
            "subscriptions", "create", "--filter", "/restapi/v1.0/nonsense", "--address", receiver.url, environ=env
        )

    assert finished.exit_code == 1
    assert "SUB-508" in finished.err


def test_an_account_is_provisioned_from_extension_to_login(env: dict[str, str]) -> None:
    def made(*arguments: str) -> dict[str, Any]:
        finished = run("admin", *arguments, "--json", environ=env)
        assert finished.exit_code == 0, finished.err
        content: dict[str, Any] = json.loads(finished.out)
        return content

    account = made("accounts", "create", "companyName=Tern & Co")["id"]
    person = made(
        *("extensions", "create", "--account", account, "extensionNumber=101", "firstName=Ida", "isAdmin=true")
    )["id"]
    made("numbers", "create", "--account", account, "phoneNumber=+12025550177", f"extensionId={person}")
    application = made(
        *("applications", "create", "name=Till", "permissions=ReadAccounts,ReadPresence", f"accountId={account}")
    )
    token = made("jwts", "create", "--extension", person, "label=till")["token"]
    password = run("admin", "passwords", "set", person, "--user-name", "ida@tern.example", stdin=b"correct horse\n",
                   environ=env)  # fmt: skip

    assert password.exit_code == 0, password.err
    login = {
        "RC_SERVER_URL": env["RC_SERVER_URL"],
        "RC_APP_CLIENT_ID": application["clientId"],
        "RC_APP_CLIENT_SECRET": application["clientSecret"],
        "RC_USER_JWT": token,
    }
    assert run("subscriptions", "list", environ=login).exit_code == 0
    assert run("admin", "applications", "disable", application["clientId"], environ=env).exit_code == 0
    assert run("subscriptions", "list", environ=login).exit_code == 1
    listed = run("admin", "extensions", "list", "--account", account, environ=env)
    assert listed.out == f"{person}  Enabled  101  User  Ida\n"
    assert run("admin", "accounts", "delete", account, environ=env).exit_code == 0
    assert run("admin", "accounts", "show", account, environ=env).exit_code == 1


def test_the_kinds_of_records_that_the_demo_has_can_be_listed(env: dict[str, str]) -> None:
    account = env["BELLWIRE_ACCOUNT_ID"]
    of_account = {"extensions", "numbers", "devices"}
    for kind in (*of_account, "accounts", "applications", "publisher-keys", "admin-keys"):
        where = ("--account", account) if kind in of_account else ()

        listed = run("admin", kind, "list", *where, environ=env)

        assert listed.exit_code == 0, listed.err
        assert listed.out, kind


def test_a_record_within_an_account_needs_to_be_told_which(env: dict[str, str]) -> None:
    finished = run("admin", "devices", "list", environ=env)

    assert finished.exit_code == 2
    assert "give --account" in finished.err


def test_explain_says_why_not_and_its_exit_code_is_the_verdict(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(OPT_OUT))
    wanted = "/restapi/v1.0/account/~/a2p-sms/opt-outs"

    matching = run("explain", wanted, f"@{file}", environ=env)
    other = run("explain", wanted + "?from=+16505550199", "-", stdin=file.read_bytes(), environ=env)
    own = run("explain", "/restapi/v1.0/account/~/extension/~/presence", json.dumps(OPT_OUT), "--json", environ=env)
    by_key = {name: value for name, value in env.items() if name != "RC_USER_JWT"}
    of_key = run("explain", wanted, json.dumps(OPT_OUT), environ=by_key)

    assert (matching.exit_code, matching.out) == (0, "matches\n")
    assert (other.exit_code, other.out) == (
        1,
        "does not match\n  from: the filter wants +16505550199; the event has +16505550180\n",
    )
    assert own.exit_code == 1
    assert json.loads(own.out)["reasons"][0]["kind"] == "family"
    assert (of_key.exit_code, of_key.out) == (0, "matches\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("/nowhere", json.dumps(OPT_OUT)), "SUB-508"),
        (("/restapi/v1.0/account/~/presence", '{"event": "/nowhere"}'), "event.event"),
        (("/restapi/v1.0/account/~/presence", "{"), "EVENT is not JSON"),
        (("/restapi/v1.0/account/~/presence", "[]"), "one JSON object"),
        (("/restapi/v1.0/account/~/presence", "@missing.json"), "can't be read"),
        (("/restapi/v1.0/account/~/presence", "{}", "--server", "http://127.0.0.1:1"), "no answer"),
    ],
    ids=str,
)
def test_explain_exits_with_2_where_there_is_no_verdict(
    env: dict[str, str], arguments: tuple[str, ...], says: str
) -> None:
    finished = run("explain", *arguments, environ=env)

    assert (finished.exit_code, finished.out) == (2, "")
    assert says in finished.err
