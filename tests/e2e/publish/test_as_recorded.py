"""A recorded notification can be published as it is; a disabled account's events are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bellwire.model.directory import Status
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import running_server

RINGING: dict[str, Any] = {
    "action": "StartRing",
    "sessionId": "402936341008",
    "serverId": "10.62.25.111.TAM",
    "from": "+16505550142",
    "to": "102",
    "aps": {"content-available": 1},
}


@pytest.mark.parametrize("path", ["incoming-call-pickup", "missed-calls"])
async def test_a_flat_notification_is_taken_with_its_fields_beside_the_envelopes(tmp_path: Path, path: str) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        demo = running.demo
        topic = f"/restapi/v1.0/account/{demo.account_id}/extension/{demo.extension_id}/{path}"
        await running.subscribe(receiver.url, topic)
        recorded = {
            "uuid": "837270960869180010",
            "event": topic,
            "timestamp": "2018-06-05T00:14:50.181Z",
            "subscriptionId": "5c37f936-fa66-4b4b-95af-1e94b51a748d",
            "ownerId": "400144455008",
            "extensionId": demo.extension_id,
            **RINGING,
        }
        answer = await running.publish(recorded)
        assert answer["rejected"] == []
        (notification,) = await receiver.wait_for(1)
        sent = notification.json()
        assert {name: sent[name] for name in RINGING} == RINGING
        assert (sent["uuid"], sent["event"], sent["timestamp"]) == (recorded["uuid"], topic, recorded["timestamp"])


async def test_unknown_fields_of_other_events_are_refused_all_the_same(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running:
        topic = f"/restapi/v1.0/account/{running.demo.account_id}/a2p-sms/opt-outs"
        body = {"from": "+16505550180", "to": "+16505550142", "active": True}
        answer = await running.publish({"event": topic, "body": body, "audiance": []}, {"event": topic, **body})
        assert [rejected["index"] for rejected in answer["rejected"]] == [0, 1]
        assert "audiance" in answer["rejected"][0]["message"]


async def test_events_of_a_disabled_account_or_none_are_refused_and_taken_again_when_it_is_enabled(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as running:
        topic = f"/restapi/v1.0/account/{running.demo.account_id}/a2p-sms/opt-outs"
        event = {"event": topic, "body": {"from": "+16505550180", "to": "+16505550142", "active": True}}
        headers = {"Authorization": f"Bearer {running.demo.admin_key}"}
        account = f"/bellwire/v1/admin/accounts/{running.demo.account_id}"

        disabled = await running.http.patch(account, json={"status": Status.DISABLED}, headers=headers)
        assert disabled.status_code == 200, disabled.text
        refused = await running.publish(event)
        await running.http.patch(account, json={"status": Status.ENABLED}, headers=headers)
        taken = await running.publish(event)

        unknown = await running.publish(event | {"event": topic.replace(running.demo.account_id, "999")})

        assert (refused["accepted"], refused["rejected"][0]["errorCode"]) == (0, "CMN-109")
        assert (unknown["accepted"], unknown["rejected"][0]["errorCode"]) == (0, "CMN-102")
        assert taken["accepted"] == 1
