"""`POST /bellwire/v1/explain` at a running server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.in_process import Running, running_server

PATH = "/bellwire/v1/explain"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
OWN_PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_server(tmp_path / "data") as running:
        yield running


async def test_users_and_publishers_are_told_and_others_are_not(running: Running) -> None:
    demo = running.demo
    bearer = await running.bearer()
    key = {"Authorization": f"Bearer {demo.publisher_key}"}

    async def ask(headers: dict[str, str], status: int = 200, **body: Any) -> Any:
        answer = await running.http.post(PATH, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    messages = {"event": f"/restapi/v1.0/account/{demo.account_id}/a2p-sms/messages", "body": {"direction": "Outbound"}}
    wanted = MESSAGES + "?direction=Inbound"
    for headers in (bearer, key):
        assert await ask(headers, filter=wanted, event=messages) == {
            "matches": False,
            "reasons": [
                {
                    "kind": "predicate",
                    "message": "direction: the filter wants Inbound; the event has Outbound",
                    "parameter": "direction",
                    "wanted": ["Inbound"],
                    "found": ["Outbound"],
                }
            ],
            "notes": [],
        }
        assert (await ask(headers, filter=MESSAGES, event=messages))["matches"] is True

    presence = {"event": f"/restapi/v1.0/account/{demo.account_id}/extension/400101/presence"}
    assert (await ask(bearer, filter=OWN_PRESENCE, event=presence))["matches"] is True
    assert (await ask(key, filter=OWN_PRESENCE, event=presence, extensionId="400101"))["matches"] is True
    assert (await ask(key, filter=OWN_PRESENCE, event=presence, extensionId="400102"))["matches"] is False
    refused = await ask(bearer, 403, filter=OWN_PRESENCE, event=presence, extensionId="400102")
    assert refused["errors"][0]["parameterName"] == "extensionId"

    refused = await ask(bearer, 400, filter="/restapi/v1.0/account/~/presense", event=presence)
    assert refused["errorCode"] == "SUB-508"
    assert refused["errors"][0]["parameterName"] == "filter"
    assert "did you mean" in refused["message"]
    for event, field in (([], "event"), ({"event": 1}, "event"), ({"event": "/x"}, "event.event")):
        refused = await ask(bearer, 400, filter=MESSAGES, event=event)
        assert (refused["errorCode"], refused["errors"][0]["parameterName"]) == ("CMN-101", field)
    half_a_character = b'{"filter": "/x", "event": {"event": "\\ud800"}}'
    answer = await running.http.post(
        PATH, content=half_a_character, headers={**bearer, "Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-103")

    await ask({}, 401, filter=MESSAGES, event=messages)
    await ask({"Authorization": f"Bearer {demo.admin_key}"}, 401, filter=MESSAGES, event=messages)
    assert (await running.http.get("/bellwire/v1/ready")).json()["logHead"] == 0
