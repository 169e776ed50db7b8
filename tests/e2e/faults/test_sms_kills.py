"""`kill -9` in the middle of a batch: each message comes to one final state, and each event is delivered.

With 50,000 messages where CI runs it: a minute of CPU, half of it the receiver's. Elsewhere with some thousand;
`BELLWIRE_KILLED_BATCH` says otherwise.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver
from tests.e2e.faults.load import Server, reached
from tests.e2e.faults.nursery import Nursery
from tests.e2e.faults.sms_outcomes import ENDINGS, expected_steps

MESSAGES = int(os.environ.get("BELLWIRE_KILLED_BATCH") or ("50000" if os.environ.get("CI") == "true" else "2400"))
KILLS = 3
PATIENCE_SECONDS = 300 + MESSAGES / 20
A2P = "/restapi/v1.0/account/~/a2p-sms"


class Told:
    """What the receiver was told: of each message its steps, of the batch its progress; repetitions aside."""

    def __init__(self) -> None:
        self.receiver = WebhookReceiver(keep=False, on_notification=self._note)
        self.steps: dict[str, list[str]] = defaultdict(list)
        self.batch: list[dict[str, Any]] = []
        self.uuids: set[str] = set()

    def more_than(self, events: int) -> bool:
        return len(self.uuids) > events

    def _note(self, request: ReceivedRequest) -> None:
        notification = request.json()
        if notification["uuid"] in self.uuids:
            return
        self.uuids.add(notification["uuid"])
        body = notification["body"]
        if "batchSize" in body:
            self.batch.append(body)
        else:
            code = f" {body['errorCode']}" if "errorCode" in body else ""
            self.steps[body["to"][0]].append(body["messageStatus"] + code)


def recipients() -> list[str]:
    return [f"+1{201 + number // 10_000:03}{number % 10_000:03}{ending}" for number, ending in _numbered()]


def _numbered() -> list[tuple[int, str]]:
    each = MESSAGES // len(ENDINGS)
    return [(200 + number % 800 + number // 800 * 10_000, ending) for number in range(each) for ending in ENDINGS]


@pytest.mark.timeout(4 * PATIENCE_SECONDS)
async def test_a_killed_batch_comes_to_its_end_and_every_step_is_told_once(tmp_path: Path, nursery: Nursery) -> None:
    data, told, texted = tmp_path / "data", Told(), recipients()
    environ = {"BELLWIRE_SMS_SIMULATOR_DELAY_MS": "200"}
    events = sum(len(expected_steps(recipient)) for recipient in texted)
    batch_id = ""
    async with told.receiver as receiver:
        for kill in range(KILLS):
            with nursery.dev(data, environ=environ) as process:
                server = await reached(process, data)
                if not batch_id:
                    batch_id = await begin(server, receiver.url, texted)
                enough = (kill + 1) * events // (KILLS + 2)
                await receiver.wait_until(partial(told.more_than, enough), timeout=PATIENCE_SECONDS)
                await asyncio.to_thread(process.kill)
        assert len(told.uuids) < events, "it was killed too late to show anything"
        with nursery.dev(data, environ=environ) as process:
            server = await reached(process, data)
            await receiver.wait_until(lambda: is_over(told, events), timeout=PATIENCE_SECONDS)
            batch, statuses = await looked_up(server, batch_id)

    assert {recipient: tuple(steps) for recipient, steps in told.steps.items()} == {
        recipient: expected_steps(recipient) for recipient in texted
    }
    each = MESSAGES // len(ENDINGS)
    assert {status: found["count"] for status, found in statuses.items()} == {
        "queued": 0,
        "sent": 0,
        "delivered": each * (len(ENDINGS) - 2),
        "sendingFailed": each,
        "deliveryFailed": each,
    }
    assert (batch["status"], batch["processedCount"], batch["batchSize"]) == ("Completed", len(texted), len(texted))
    assert batch["cost"] == round(0.007 * each * (len(ENDINGS) - 1), 6)
    progress = [body["processedCount"] for body in told.batch]
    assert progress == sorted(progress)
    assert [body["status"] for body in told.batch].count("Completed") == 1
    assert told.batch[0]["status"] == "Processing"
    assert told.batch[-1] == {name: value for name, value in batch.items() if name != "rejected"}


def is_over(told: Told, events: int) -> bool:
    """Asked at each notification, so it counts nothing."""
    return len(told.uuids) - len(told.batch) >= events and told.batch[-1]["status"] == "Completed"


async def begin(server: Server, address: str, texted: list[str]) -> str:
    """Subscribe to everything, and send the batch; its id."""
    async with server.http() as http:
        bearer = await server.bearer(http)
        mode = {"transportType": "WebHook", "address": address}
        filters = [f"{A2P}/messages?direction=Outbound", f"{A2P}/batches"]
        answer = await http.post(
            "/restapi/v1.0/subscription", json={"eventFilters": filters, "deliveryMode": mode}, headers=bearer
        )
        assert answer.status_code == 200, answer.text
        request = {
            "from": server.demo["BELLWIRE_A2P_NUMBER"],
            "text": "hello",
            "messages": [{"to": [number]} for number in texted],
        }
        answer = await http.post(f"{A2P}/batches", json=request, headers=bearer, timeout=httpx.Timeout(120))
        assert answer.status_code == 201, answer.text
        assert answer.json()["batchSize"] == len(texted)
        return str(answer.json()["id"])


async def looked_up(server: Server, batch: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The batch, and how many of its messages have which status."""
    async with server.http() as http:
        bearer = await server.bearer(http)
        found = await http.get(f"{A2P}/batches/{batch}", headers=bearer)
        statuses = await http.get(f"{A2P}/statuses", params={"batchId": batch}, headers=bearer)
        return found.json(), statuses.json()
