"""`bellwire dev` and `bellwire env` as their users run them."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.command_line import run
from tests.e2e.processes import BellwireProcess, bellwire, env_of

PRINTED = [
    *("RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"),
    *("RINGCENTRAL_SERVER_URL", "RINGCENTRAL_CLIENT_ID", "RINGCENTRAL_CLIENT_SECRET", "RINGCENTRAL_JWT_TOKEN"),
    *("BELLWIRE_PUBLISHER_KEY", "BELLWIRE_ADMIN_KEY", "BELLWIRE_ACCOUNT_ID", "BELLWIRE_EXTENSION_ID"),
    *("BELLWIRE_OTHER_EXTENSION_ID", "BELLWIRE_A2P_NUMBER", "BELLWIRE_LIMITED_CLIENT_ID"),
    *("BELLWIRE_LIMITED_CLIENT_SECRET", "BELLWIRE_LIMITED_JWT"),
]


@dataclass(frozen=True, slots=True)
class Dev:
    """`bellwire dev` with its traffic, in a directory of its own."""

    process: BellwireProcess
    url: str
    data: Path


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    directory = tmp_path_factory.mktemp("dev")
    with BellwireProcess("dev", "--port", "0", cwd=directory) as process:
        yield Dev(process, process.url(), directory / ".bellwire")


def test_it_shows_time_family_topic_and_what_happened_of_each_notification_of_its_traffic(dev: Dev) -> None:
    shown = [dev.process.line_with("/account/400100/") for _ in range(3)]

    assert all(re.match(r"\d\d:\d\d:\d\d  [a-z0-9_]+ +/\S+/400100/\S+", line) for line in shown)
    assert "NOT DELIVERED" not in "".join(shown)


def test_env_prints_all_credentials_and_the_servers_url(dev: Dev) -> None:
    printed = run("env", "--data", str(dev.data))

    assert printed.exit_code == 0
    assert [line.partition("=")[0] for line in printed.out.splitlines()] == PRINTED
    found = env_of(printed.out)
    assert all(found.values())
    assert found["RC_SERVER_URL"] == found["RINGCENTRAL_SERVER_URL"] == dev.url


def test_its_traffic_does_not_crowd_the_list_of_the_user_that_developers_are_given(dev: Dev) -> None:
    dev.process.line_with("/account/400100/")

    listed = run("subscriptions", "list", "--data", str(dev.data))

    assert (listed.exit_code, listed.out) == (0, "")


def test_a_data_directory_belongs_to_one_process(dev: Dev) -> None:
    second = bellwire("dev", "--no-traffic", "--port", "0", "--data", str(dev.data))

    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    url = env_of(run("env", "--data", str(dev.data)).out)["RC_SERVER_URL"]
    assert url == dev.url, "a start that failed must not change what is recorded"


def test_it_answers_within_five_seconds(tmp_path: Path) -> None:
    seconds = []
    for number in range(3):
        # The best of three, without the waits for a processor: what else the machine does can only add.
        started = time.monotonic()
        with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path / str(number))) as process:
            assert httpx.get(f"{process.url()}/bellwire/v1/ready", trust_env=False).status_code == 200
            seconds.append(time.monotonic() - started - process.waited_for_a_processor())
        if seconds[-1] < 5:
            return

    pytest.fail(f"it took {seconds} seconds")


def test_it_stops_on_ctrl_c_leaves_no_subscription_behind_and_has_the_same_credentials_next_time(
    tmp_path: Path,
) -> None:
    data = str(tmp_path / "missing" / "data")
    with BellwireProcess("dev", "--port", "0", "--data", data) as first:
        first.line_with("/account/400100/")
        before = env_of(run("env", "--data", data).out)
        exit_code = first.stop(signal.SIGINT)
        everything = first.everything()

    assert exit_code == 0
    assert "Traceback" not in everything
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", data) as second:
        url = second.url()
        metrics = httpx.get(f"{url}/metrics", trust_env=False).text
        after = env_of(run("env", "--data", data).out)
        assert second.stop(signal.SIGTERM) == 0
    assert "\nbellwire_subscriptions 0.0\n" in metrics
    assert after["RC_SERVER_URL"] == url != before["RC_SERVER_URL"]
    urls = {"RC_SERVER_URL": "", "RINGCENTRAL_SERVER_URL": ""}
    assert after | urls == before | urls


def test_a_port_that_is_taken_is_one_plain_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = bellwire("dev", "--port", str(port), "--data", str(tmp_path / "data"))

    assert result.returncode == 1
    assert result.stderr == f"bellwire: port {port} of 127.0.0.1 is in use by another program\n"
    assert not (tmp_path / "data").exists()
