"""Data that an earlier release wrote is opened, and what it promised then is kept now."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from bellwire.compose import open_server
from bellwire.configuration import load_settings
from bellwire.errors import Misconfigured
from bellwire.observe.system_clock import SystemClock
from bellwire.settings import Mode
from bellwire.storage.verification import verify_directory
from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver
from tests.e2e.in_process import running_server
from tests.upgrade.stored_data import RELEASES, stored_data
from tests.upgrade.write_stored_data import SIGNING_SECRET, VERIFICATION_TOKEN, an_opt_out


def uuids(requests: list[ReceivedRequest]) -> list[str]:
    return [request.json()["uuid"] for request in requests]


def on_path(receiver: WebhookReceiver, end: str) -> list[ReceivedRequest]:
    return [request for request in receiver.notifications if request.target.endswith(end)]


def signature_of(request: ReceivedRequest) -> str:
    """By the library's own signing: its verifying would look at the clock."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    return str(Webhook(SIGNING_SECRET).sign(request.headers["webhook-id"], at, request.body.decode()))


@pytest.mark.parametrize("release", RELEASES)
async def test_an_earlier_releases_data_is_opened_migrated_and_served(release: str, tmp_path: Path) -> None:
    async with WebhookReceiver() as receiver:
        stored = stored_data(release, tmp_path / "data", port=receiver.port)
        facts = stored.facts
        before = verify_directory(stored.directory)
        async with running_server(stored.directory, clock=stored.clock()) as running:
            bearer = {"Authorization": f"Bearer {facts['access_token']}"}

            # What waited for an endpoint that failed then arrives now, each once.
            await receiver.wait_until(lambda: len(on_path(receiver, "failing")) == len(facts["waiting"]), 20)
            # A uuid that was chosen then is known now; a new event reaches both, with the secrets given then.
            again = await running.publish(an_opt_out(3))
            published = await running.publish(an_opt_out(70))
            await receiver.wait_until(lambda: len(receiver.notifications) == len(facts["waiting"]) + 2)

            served = await running.http.get(f"/restapi/v1.0/subscription/{facts['served']}", headers=bearer)
            ended = await running.http.get(f"/restapi/v1.0/subscription/{facts['ended']}", headers=bearer)
        after = verify_directory(stored.directory)

    assert before.is_sound, before.problems
    assert sorted(uuids(on_path(receiver, "failing"))) == [*facts["waiting"], "past-70"]
    assert (again["duplicates"], published["accepted"]) == (1, 1)
    [fresh] = on_path(receiver, "/webhook")
    assert fresh.headers["verification-token"] == VERIFICATION_TOKEN
    assert fresh.headers["webhook-signature"] == signature_of(fresh)
    assert fresh.json()["body"] == an_opt_out(70)["body"]
    assert served.status_code == 200
    assert served.json()["eventFilters"] == [
        "/restapi/v1.0/account/400100/a2p-sms/opt-outs",
        "/restapi/v1.0/account/400100/extension/400101/presence",
    ]
    assert (ended.status_code, ended.json()["errorCode"]) == (404, "SUB-507")
    assert after.is_sound, after.problems
    assert not [finding for finding in after.findings if "the next start" in finding.text]


@pytest.mark.parametrize("file", ["log.db", "dedupe.db", "delivery.db"])
async def test_a_file_of_a_later_release_is_refused_with_what_to_do(file: str, tmp_path: Path) -> None:
    stored = stored_data(RELEASES[0], tmp_path / "data", port=1)
    with closing(sqlite3.connect(stored.directory / file)) as connection:
        connection.execute("PRAGMA user_version=99")

    with pytest.raises(
        Misconfigured, match=rf"{file} has format 99, and this Bellwire knows formats up to \d: install"
    ):
        await open_data(stored.directory)


async def test_records_of_a_later_release_are_refused_with_what_to_do(tmp_path: Path) -> None:
    stored = stored_data(RELEASES[0], tmp_path / "data", port=1)
    with closing(sqlite3.connect(stored.directory / "records.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(
        Misconfigured, match=r"written by a newer release of Bellwire .*: install that release, or restore"
    ):
        await open_data(stored.directory)


async def open_data(directory: Path) -> None:
    settings = load_settings({"BELLWIRE_MIN_FREE_MIB": "0"}, None, Mode.DEV, overrides={"data_dir": directory})
    server = await open_server(settings, clock=SystemClock(), dev=True)
    await server.stop()
