"""The pytest plugin as its users run it: pytest in a process of its own (pytester), over a project of a few tests.

In this process pytester could not show what is imported late, how workers share, or that a kill leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.e2e.processes import clean_environment

pytestmark = pytest.mark.timeout(300)  # servers are started and reset a good many times

ROOT = Path(__file__).resolve().parents[3]
IMPORTS = """
import time

import pytest

from bellwire.testing import Bellwire, Notification, NotReceived, Rejected

MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
INBOUND = MESSAGES + "?direction=Inbound"
BODY = {"id": "1", "direction": "Inbound", "from": "+16505550142", "to": ["+16505550180"], "messageStatus": "Delivered"}
LONG = 60
"""
QUIET = ("-p", "no:cacheprovider", "--color=no", "-ra")

pytest_plugins = ["pytester"]


@pytest.fixture
def installed() -> None:
    """The plugin as pytest finds it by itself; the other tests name it, so that no other plugin costs time."""
    if not entry_points(group="pytest11", name="bellwire"):
        reason = "Bellwire is installed here without its pytest plugin; `make .venv/.bellwire-test` installs it anew"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project, in an environment without anything that configures Bellwire or its clients."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def pytest_run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest over the project, with the plugin by its name and no other."""
    return project.runpytest_subprocess(*QUIET, "-p", "bellwire.testing.plugin", *arguments, timeout=280)


def test_what_the_documentation_promises(project: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    project.makepyfile(
        test_example=example,
        test_all=IMPORTS
        + """
import json
import urllib.request


def test_events_arrive_and_can_be_waited_for_by_number_and_by_what_they_are(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook(verification_token="t0")
    subscription = bellwire.subscribe(webhook, INBOUND, verificationToken="t0")
    assert webhook.handshakes == 1
    bellwire.publish(MESSAGES, BODY, uuid="first")
    bellwire.publish([{"event": MESSAGES, "body": {**BODY, "id": number}} for number in ("2", "3")])
    third = webhook.wait(lambda notification: notification.body["id"] == "3", timeout=LONG)
    assert isinstance(third, Notification)
    arrived = webhook.wait(3, timeout=LONG)
    assert {one.body["id"] for one in arrived} == {"1", "2", "3"}
    first = webhook.wait(lambda one: one.uuid == "first")
    assert (first.subscription_id, first.owner_id) == (subscription, bellwire.extension_id)
    assert first.event == INBOUND.replace("~", bellwire.account_id)
    assert first.headers["verification-token"] == "t0"
    assert first.content["body"] == BODY


def test_nothing_is_left_of_the_test_before(bellwire: Bellwire) -> None:
    assert bellwire.admin("GET", "/bellwire/v1/subscriptions")["records"] == []
    assert bellwire.admin("GET", "/bellwire/v1/events")["records"] == []
    assert bellwire.admin("GET", "/bellwire/v1/deliveries")["records"] == []


def test_env_is_what_sdks_need(bellwire: Bellwire) -> None:
    assert {"RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"} <= bellwire.env.keys()
    assert {"BELLWIRE_PUBLISHER_KEY", "BELLWIRE_A2P_NUMBER"} <= bellwire.env.keys()
    with urllib.request.urlopen(bellwire.env["RC_SERVER_URL"] + "/bellwire/v1/health") as answer:
        assert json.load(answer)["status"]


def test_what_does_not_match_does_not_arrive_and_explain_says_why(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, INBOUND)
    outbound = {**BODY, "direction": "Outbound"}
    bellwire.publish(MESSAGES, outbound)
    bellwire.settle(LONG)
    assert webhook.notifications == []
    said = bellwire.explain(INBOUND, {"event": MESSAGES, "body": outbound})
    assert said["reasons"][0]["message"] == "direction: the filter wants Inbound; the event has Outbound"


def test_the_clock_is_moved_ahead(bellwire: Bellwire) -> None:
    before = bellwire.clock.now()
    assert (bellwire.clock.advance(3600) - before).total_seconds() >= 3600


def test_and_is_back_for_the_next_test(bellwire: Bellwire) -> None:
    assert abs(bellwire.clock.now().timestamp() - time.time()) < 600


def test_failing_endpoints_and_faults_are_got_over_by_retries(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    webhook.answer(503, times=1)
    bellwire.subscribe(webhook, MESSAGES)
    bellwire.publish(MESSAGES, BODY)
    first, second = webhook.wait(2, timeout=LONG)[:2]
    assert first.uuid == second.uuid
    fault = bellwire.faults.deliveries(failure="connect_refused")
    bellwire.publish(MESSAGES, {**BODY, "id": "2"}, uuid="held-up")
    bellwire.settle(LONG)
    assert all(one.uuid != "held-up" for one in webhook.notifications)
    fault.clear()
    bellwire.clock.advance(900)
    webhook.wait(lambda one: one.uuid == "held-up", timeout=LONG)


def test_answers_last_until_others_are_chosen(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, MESSAGES)
    webhook.answer(503, times=9)
    webhook.answer(201)
    bellwire.publish(MESSAGES, BODY)
    bellwire.settle(LONG)
    webhook.answer(hangs_up=True)  # not once: a connection that was kept and breaks is replaced without a failure
    bellwire.publish(MESSAGES, {**BODY, "id": "2"})
    bellwire.settle(LONG)
    attempts = bellwire.admin("GET", "/bellwire/v1/deliveries")["records"]
    first_tries = [(one["status"], one["outcome"]) for one in attempts if one["number"] == 1]
    assert first_tries == [(None, "failed"), (201, "delivered")]


def test_a_receiver_that_checks_is_subscribed_with_what_it_checks(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook(verification_token="told", signing_secret="whsec_" + "c2VjcmV0" * 4)
    bellwire.subscribe(webhook, MESSAGES)
    bellwire.publish(MESSAGES, BODY)
    [notification] = webhook.wait(timeout=LONG)
    assert notification.headers["verification-token"] == "told"
    assert webhook.refused == []

    with pytest.raises(AssertionError, match="answered with status 401"):
        bellwire.subscribe(webhook, MESSAGES, verificationToken="another")


def test_texts_come_in_and_stop_is_an_opt_out(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, INBOUND, "/restapi/v1.0/account/~/a2p-sms/opt-outs")
    message = bellwire.sms.inbound("STOP", sender="+16505550199")
    opt_out = webhook.wait(lambda one: one.event.endswith("/opt-outs"), timeout=LONG)
    assert opt_out.body["to"] == "+16505550199"
    text = webhook.wait(lambda one: "/messages" in one.event, timeout=LONG)
    assert (text.body["id"], text.body["from"]) == (message, "+16505550199")


def test_logins_can_be_refused(bellwire: Bellwire) -> None:
    bellwire.faults.tokens(status=503)
    with pytest.raises(AssertionError, match="503"):
        bellwire.token()
    assert bellwire.token()


def test_slips_of_a_test_are_refused(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    with pytest.raises(ValueError, match="a2p_message has no field txt; its fields are .*, text, "):
        bellwire.sample("a2p_message", txt="Hello!")
    for family in bellwire.admin("GET", "/bellwire/v1/event-families")["records"]:
        assert bellwire.sample(family["name"], **family["sample"]) == family["sample"]
        with pytest.raises(ValueError, match="has no field nope"):
            bellwire.sample(family["name"], nope=1)
    with pytest.raises(ValueError, match="after bellwire.settle"):
        webhook.wait(0)
    with pytest.raises(ValueError, match="9999 is no HTTP status"):
        webhook.answer(9999)
    with pytest.raises(ValueError, match="not 0"):
        webhook.answer(503, times=0)


def test_samples_are_valid_bodies(bellwire: Bellwire) -> None:
    bellwire.publish("/restapi/v1.0/account/~/extension/~/voicemail", bellwire.sample("voicemail"))
    (event,) = bellwire.admin("GET", "/bellwire/v1/events")["records"]
    assert event["topic"] == f"/restapi/v1.0/account/{bellwire.account_id}/extension/{bellwire.extension_id}/voicemail"
""",
    )

    finished = pytest_run(project)

    assert finished.ret == 0, finished.stdout.str()
    assert "14 passed" in finished.stdout.str()


def test_failures_say_what_arrived_and_why_the_rest_did_not(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_failing=IMPORTS
        + """
def test_another_direction(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, INBOUND)
    bellwire.publish(MESSAGES, BODY, uuid="order-1")
    webhook.wait(timeout=LONG)
    bellwire.publish(MESSAGES, {**BODY, "direction": "Outbound"}, uuid="order-2")
    webhook.wait(2, timeout=0.1)

def test_no_subscription(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.publish(MESSAGES, BODY)
    webhook.wait(lambda one: True, timeout=0.1)

def test_a_failing_delivery(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, MESSAGES)
    bellwire.faults.deliveries(failure="connect_refused")
    bellwire.publish(MESSAGES, BODY)
    bellwire.settle(LONG)
    webhook.wait(timeout=0.1)

def test_a_wrong_token(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook(signing_secret="whsec_" + "c2VjcmV0" * 4)
    bellwire.subscribe(webhook, MESSAGES, signingSecret=None)
    bellwire.publish(MESSAGES, BODY)
    bellwire.settle(LONG)
    webhook.wait(timeout=0.1)

def test_a_paused_subscription(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.admin("POST", f"/bellwire/v1/subscriptions/{bellwire.subscribe(webhook, MESSAGES)}/pause")
    webhook.wait(timeout=0.1)

def test_an_expired_subscription(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, MESSAGES)
    bellwire.clock.advance(8 * 86400)
    bellwire.publish(MESSAGES, BODY)
    webhook.wait(timeout=0.1)

def test_a_wrong_filter(bellwire: Bellwire) -> None:
    bellwire.subscribe(bellwire.webhook(), MESSAGES + "?direction=Inbond")

def test_a_clock_moved_back(bellwire: Bellwire) -> None:
    bellwire.clock.advance(-1)

def test_a_wrong_number(bellwire: Bellwire) -> None:
    bellwire.sms.inbound("hi", to="+12025550000")

def test_a_wrong_seed(bellwire: Bellwire) -> None:
    bellwire.seed("accounts: [")

def test_an_unknown_family(bellwire: Bellwire) -> None:
    bellwire.sample("a2p_messag")

def test_a_rejected_event(bellwire: Bellwire) -> None:
    bellwire.publish(MESSAGES, {**BODY, "direction": "Sideways"})
""",
    )

    finished = pytest_run(project)

    said = finished.stdout.str()
    assert finished.ret == 1, said
    assert "12 failed" in said, said
    for line in (
        "waited 0.1 s for 2 notifications at http://127.0.0.1:",
        "arrived: 1",
        '{"id": "1", "direction": "Inbound", "from": "+16505550142"',
        "/restapi/v1.0/account/400100/a2p-sms/messages (uuid order-2)",
        "direction: the filter wants Inbound; the event has Outbound",
        "waited 0.1 s for one that fits",
        "no subscription has this address",
        "it matches, and is waiting after",
        "The endpoint refused the connection (fault-1, injected on purpose).; next try at",
        "refused here: signature: ",
        ", Active and paused, to:",
        "no subscription has this address any more: it got a handshake, and the subscription has expired",
        "answered 400 SUB-508: Event filter",
        "advanceSeconds] value is invalid",
        "no account has this number with the feature A2PSmsSender",
        "The seed file is not YAML",
        "There is no event family 'a2p_messag'; did you mean a2p_message?",
        "1 of 1 events were rejected",
        "event 0: CMN-101 body.direction: Input should be 'Inbound' or 'Outbound'",
        "- Bellwire server -",
        "NOT DELIVERED (try 1): The endpoint refused the connection",
    ):
        assert line in said, line
    assert "(uuid order-1)" not in said, "it has arrived"
    assert said.count("NOT DELIVERED (try 1): The endpoint refused the connection") == 1, (
        "the server's lines of one test"
    )
    assert "bellwire/testing/" not in said, "no line of ours is in the traceback"
    page = (ROOT / "docs" / "testing.md").read_text()
    [sample] = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert sample.startswith("waited ")
    assert alike(sample) <= alike(said), "the failure in docs/testing.md is the first of these"


def alike(text: str) -> set[str]:
    """Lines without what differs from run to run, and without what pytest puts before them."""
    for pattern, instead in (
        (r"^waited [\d.]+ s", "waited …"),
        (r"127\.0\.0\.1:\d+", "…"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "…"),
    ):
        text = re.sub(
            pattern,
            instead,
            re.sub(r"^E +(bellwire\.testing\.webhook\.NotReceived: )?", "", text, flags=re.M),
            flags=re.M,
        )
    return {line.strip() for line in text.splitlines() if line.strip()}


def test_each_worker_of_xdist_has_a_server_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_one=IMPORTS
        + """
def test_one(bellwire: Bellwire) -> None:
    webhook = bellwire.webhook()
    bellwire.subscribe(webhook, MESSAGES)
    bellwire.publish(MESSAGES, BODY)
    webhook.wait(timeout=LONG)
    print("server", bellwire.url)
""",
    )

    finished = pytest_run(project, "-p", "xdist.plugin", "-n", "2", "--dist", "each", "-rP")

    assert finished.ret == 0, finished.stdout.str()
    servers = {line for line in finished.outlines if line.startswith("server http://127.0.0.1:")}
    assert len(servers) == 2


@pytest.mark.usefixtures("installed")
def test_nothing_is_imported_before_it_is_needed_and_a_broken_seed_is_said_in_plain_words(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")  # pytest finds it as it does for users, and all others
    project.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")

    project.makepyfile(
        test_late="""
import sys

def test_without_the_fixture():
    ours = {name for name in sys.modules if name.startswith("bellwire")}
    assert ours == {"bellwire", "bellwire.testing", "bellwire.testing.plugin"}
""",
        test_seeded="""
import pytest

@pytest.fixture(scope="session")
def bellwire_seed(tmp_path_factory):
    path = tmp_path_factory.mktemp("seed") / "seed.yaml"
    path.write_text("accounts: [{id: 1}]")
    return path

def test_with_it(bellwire):
    raise SystemError("never reached")
""",
    )

    finished = project.runpytest_subprocess(*QUIET, timeout=280)

    assert finished.ret == 1, finished.stdout.str()
    assert "1 passed, 1 error" in finished.stdout.str()
    assert "ServerFailed: The server ended with exit code 2; it wrote:" in finished.stdout.str()
    assert "accounts[0].companyName: " in finished.stdout.str()


def test_a_seed_file_is_there_from_the_start_and_after_each_reset(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLWIRE_RETENTION_HOURS", "soon")  # of the programs under test, and refused by a server
    project.makepyfile(
        conftest="""
import pathlib

import pytest

@pytest.fixture(scope="session")
def bellwire_seed():
    path = pathlib.Path("seed.yaml")  # from where pytest was started, as any path that a test opens
    path.write_text("accounts: [{id: 500100, companyName: Tern}]")
    return path
""",
        test_seeded="""
import pytest

@pytest.mark.parametrize("time", [1, 2])
def test_it(bellwire, time):
    assert bellwire.admin("GET", "/bellwire/v1/admin/accounts/500100")["companyName"] == "Tern"
    bellwire.admin("DELETE", "/bellwire/v1/admin/accounts/500100")
    bellwire.seed("accounts: [{id: 500200, companyName: Plover}]")
    assert bellwire.admin("GET", "/bellwire/v1/admin/accounts/500200")["companyName"] == "Plover"
""",
    )

    finished = pytest_run(project)

    assert finished.ret == 0, finished.stdout.str()


def test_the_server_ends_with_the_tests_however_these_end(project: pytest.Pytester) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from bellwire.testing.embedded import EmbeddedServer\n"
        f"server = EmbeddedServer(pathlib.Path({str(project.path)!r}))\n"
        "assert os.getpgid(server.pid) != os.getpgrp(), 'Ctrl-C would end it before the tests'\n"
        "print(server._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )

    killed = project.run(sys.executable, "-c", program, timeout=90)

    assert killed.ret == -9, killed.stderr.str()
    pid = int(killed.stdout.str())
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_example_project_passes_its_own_tests(project: pytest.Pytester) -> None:
    example = ROOT / "examples" / "parcel_desk"
    shutil.copytree(example, project.path, dirs_exist_ok=True)

    finished = pytest_run(project)

    assert finished.ret == 0, finished.stdout.str()
    assert "5 passed" in finished.stdout.str()
