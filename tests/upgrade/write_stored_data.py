"""Writes what `tests/upgrade/test_stored_data.py` opens: a small data directory of this release, as SQL text.

To be run once for each release whose files have another form than those before, on that release:

    python -m tests.upgrade.write_stored_data tests/upgrade/stored/<name>

What is written is never written again: it stands for the data of people who run that release. Times stay as they are
(the test sets its clock back to them), and so do the keys, which open nothing but this; the receiver's port alone
is a mark, since a test takes a free one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.in_process import running_server

PORT_MARK = "@PORT@"
FILES = ("log.db", "dedupe.db", "delivery.db", "records.db")
ACCOUNT = "/restapi/v1.0/account/400100"
OPT_OUTS = f"{ACCOUNT}/a2p-sms/opt-outs"
VERIFICATION_TOKEN = "written-in-the-past"
SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def an_opt_out(number: int) -> dict[str, Any]:
    return {
        "event": OPT_OUTS,
        "uuid": f"past-{number}",
        "body": {"from": "+16505550180", "to": f"+1201555{number:04}", "active": True, "tag": "ünïcode", "n": 1.10},
    }


async def write(to: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        facts, port = await _live_through(data)
        to.mkdir(parents=True)
        for name in FILES:
            text = "\n".join(_dumped(data / name)).replace(f"127.0.0.1:{port}", f"127.0.0.1:{PORT_MARK}")
            (to / f"{name}.sql").write_text(text + "\n")
        shutil.copy(data / "installation.key", to / "installation.key")
        (to / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


async def _live_through(data: Path) -> tuple[dict[str, Any], int]:
    """A short life: what the facts say is then in the directory."""
    async with (
        running_server(data) as running,
        WebhookReceiver(answer=_refuse_on_one_path) as receiver,
    ):
        tokens = await running.token()
        mode = {"verificationToken": VERIFICATION_TOKEN, "signingSecret": SIGNING_SECRET}
        served = await running.subscribe(receiver.url, f"{ACCOUNT}/a2p-sms/batches", mode=mode)
        failing = await running.subscribe(f"{receiver.url}/failing", OPT_OUTS)
        ended = await running.subscribe(receiver.url, OPT_OUTS, expiresIn=600)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        refiltered = await running.http.put(
            f"/restapi/v1.0/subscription/{served['id']}",
            json={"eventFilters": [OPT_OUTS, f"{ACCOUNT}/extension/~/presence"], "deliveryMode": {}},
            headers=bearer,
        )
        assert refiltered.status_code == 200, refiltered.text
        running.clock.advance(timedelta(seconds=700))
        while f"bellwire_subscriptions {2.0}" not in (await running.http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for number in range(1, 6):
            await running.publish(an_opt_out(number))
        await running.publish({**an_opt_out(6), "audience": ["400101", "400102"]})
        await receiver.wait_until(lambda: _delivered(receiver) == 6)
        facts = {
            "written_ms": running.clock.now_ms(),
            "access_token": tokens["access_token"],
            "served": served["id"],
            "failing": failing["id"],
            "ended": ended["id"],
            "waiting": [f"past-{number}" for number in range(1, 7)],
        }
        return facts, receiver.port


def _refuse_on_one_path(request: ReceivedRequest) -> Reply:
    return Reply(status=503) if request.target.endswith("failing") else Reply()


def _delivered(receiver: WebhookReceiver) -> int:
    notifications = [request for request in receiver.notifications if not request.target.endswith("failing")]
    return len(notifications)


def _dumped(path: Path) -> Iterator[str]:
    """The whole file as SQL, and its format, which a dump leaves out."""
    with sqlite3.connect(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        yield f"PRAGMA user_version={version};"
        yield from connection.iterdump()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
