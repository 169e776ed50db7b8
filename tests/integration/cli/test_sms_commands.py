"""`bellwire sms …`, each command against a real server with the simulated carrier."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import run
from tests.e2e.processes import BellwireProcess, env_of

OURS = "+16505550180"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The credentials of a server that runs without traffic."""
    data = tmp_path_factory.mktemp("sms") / "data"
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(data)) as dev:
        dev.url()
        yield env_of(run("env", "--data", str(data)).out)


def test_a_text_is_sent_and_its_outcome_shown(env: dict[str, str]) -> None:
    finished = run("sms", "send", "--to", "+12025550101", "Your parcel is here", environ=env)

    assert finished.exit_code == 0, finished.err
    first, columns, row = finished.out.splitlines()
    assert first.startswith("batch ")
    assert first.endswith(": 1 accepted, 0 rejected")
    assert columns.split() == ["message", "to", "status", "segments", "cost", "error"]
    assert row.split()[1:] == ["+12025550101", "Delivered", "1", "0.007"]


def test_rejected_and_failed_texts_are_shown_and_the_exit_code_is_1(env: dict[str, str]) -> None:
    finished = run("sms", "send", "--to", "+12025558411", "--to", "+442071838750", "hello", environ=env)

    assert finished.exit_code == 1
    assert "1 accepted, 1 rejected" in finished.out
    assert "  entry 2 (+442071838750): SMS-RC-410 " in finished.out
    assert "DeliveryFailed" in finished.out
    assert "SMS-CAR-411" in finished.out


def test_sending_can_be_left_to_itself_and_read_by_programs(env: dict[str, str]) -> None:
    finished = run("sms", "send", "--to", "+12025550102", "--wait", "0", "--json", "hello", environ=env)

    found = json.loads(finished.out)
    assert (found["batch"]["batchSize"], found["batch"]["rejected"]) == (1, [])
    assert [message["to"] for message in found["messages"]] == [["+12025550102"]]


def test_a_recipient_texts_stop_and_start(env: dict[str, str]) -> None:
    them = "+12025550103"

    stopped = run("sms", "receive", "--from", them, "--to", OURS, "STOP", environ=env)
    refused = run("sms", "send", "--to", them, "hello", environ=env)
    listed = run("sms", "opt-outs", environ=env)
    started = run("sms", "receive", "--from", them, "start", "--json", environ=env)
    again = run("sms", "send", "--to", them, "hello", environ=env)
    opted_in = run("sms", "opt-outs", "--status", "optin", "--to", them, "--json", environ=env)

    assert stopped.out.startswith("message ")
    assert stopped.out.endswith(f" received: {them} → {OURS}\n")
    assert (refused.exit_code, "SMS-RC-413" in refused.out) == (1, True)
    assert listed.out.splitlines()[-1].split() == [OURS, them, "OptOut", "Recipient"]
    assert json.loads(started.out)["id"].isdigit()
    assert again.exit_code == 0
    assert json.loads(opted_in.out) == [{"from": OURS, "to": them, "status": "OptIn", "source": "Recipient"}]


def test_opt_outs_are_printed_as_csv(env: dict[str, str]) -> None:
    run("sms", "receive", "--from", "+12025550104", "QUIT", environ=env)

    finished = run("sms", "opt-outs", "--csv", "--from", OURS, "--to", "+12025550104", environ=env)
    nobody = run("sms", "opt-outs", "--to", "+12025550199", environ=env)

    assert list(csv.reader(io.StringIO(finished.out))) == [
        ["from", "to", "status", "source"],
        [OURS, "+12025550104", "OptOut", "Recipient"],
    ]
    assert nobody.out == "nobody\n"


def test_a_batch_is_sent_from_a_file_and_followed_until_it_is_completed(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    numbers = [f"+1303555{n:04}" for n in range(300)]
    file.write_text("\n".join(["to,text", *(f"{number}," for number in numbers), "+13035559430,Just for you"]))

    finished = run("sms", "batch", str(file), "--text", "Hello all", environ=env)

    assert finished.exit_code == 0, finished.err
    first, second, *counts = finished.out.splitlines()
    assert first.endswith(": 301 accepted, 0 rejected")
    assert second.startswith("completed: 301 of 301 processed, cost ")
    assert "  1 failed to be sent (SMS-UP-430 1)" in counts
    assert sum(int(line.split()[0]) for line in counts) == 301


def test_a_batch_for_programs_has_all_of_it_and_rejected_entries_are_an_exit_code(
    env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("+13035550101\nnobody\n+442071838750\n")

    followed = run("sms", "batch", str(file), "--text", "Hello", "--json", environ=env)
    left = run("sms", "batch", str(file), "--text", "Hello", "--no-follow", environ=env)

    found = json.loads(followed.out)
    assert (followed.exit_code, found["status"], found["batchSize"]) == (1, "Completed", 1)
    assert [one["index"] for one in found["rejected"]] == [2, 3]
    assert found["statuses"].keys() == {"queued", "sent", "delivered", "sendingFailed", "deliveryFailed"}
    assert left.exit_code == 1
    assert left.out.splitlines()[0].endswith(": 1 accepted, 2 rejected")
    assert "completed" not in left.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name\nAda\n", "has no column `to`; it has name"),
        (b"", "has no recipients"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"to\n" + b"1" * 200_000, "is not CSV"),
    ],
)
def test_a_file_that_is_no_batch_is_one_plain_line(
    env: dict[str, str], tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(content)

    finished = run("sms", "batch", str(file), "--text", "x", environ=env)

    assert (finished.exit_code, finished.out) == (2, "")
    assert reason in finished.err
    assert finished.err.count("\n") == 1


def test_what_the_server_refuses_is_one_plain_line(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("+13035550101\n")

    for finished, part in (
        (run("sms", "batch", str(file), environ=env), "400 CMN-101: Parameter [messages[0].text]"),
        (run("sms", "batch", str(tmp_path / "nothing.csv"), environ=env), "can't be read: No such file"),
        (run("sms", "send", "--from", "+12025550199", "--to", "+12025550101", "x", environ=env), "[from]"),
        (run("sms", "receive", "--from", "him", "x", environ=env), "[from]"),
        (run("sms", "opt-outs", "--to", "her", environ=env), "[to]"),
    ):
        assert finished.exit_code in {1, 2}
        assert part in finished.err
        assert finished.err.count("\n") == 1


def test_without_credentials_a_command_says_what_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    for arguments in (("send", "--to", "+12025550101", "x"), ("receive", "--from", "+12025550101", "x"), ("opt-outs",)):
        finished = run("sms", *arguments)
        assert finished.exit_code == 2
        assert "bellwire: give " in finished.err
