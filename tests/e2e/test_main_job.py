"""The main job: subscribe with event filters, publish, and get exactly what matches by webhook."""

from __future__ import annotations

from pathlib import Path

from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import running_server

BATCH_BODY = {"id": "b1", "from": "+16505550100", "batchSize": 1, "processedCount": 0, "status": "Processing"}


async def test_a_matching_event_reaches_the_webhook_and_a_near_miss_does_not(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        created = await running.subscribe(
            receiver.url, "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound&to=+16505550100"
        )
        account = running.demo.account_id
        topic = f"/restapi/v1.0/account/{account}/a2p-sms/messages"
        body = {
            "id": "7086",
            "from": "+14842910071",
            "to": ["+16505550100"],
            "direction": "Inbound",
            "messageStatus": "Delivered",
            "text": "hi",
        }
        answer = await running.publish(
            {"event": topic, "body": {**body, "direction": "Outbound"}},
            {"event": topic, "body": {**body, "to": ["+16505550101"]}},
            {"event": topic, "body": body, "uuid": "the-one"},
        )
        assert (answer["accepted"], answer["rejectedCount"]) == (3, 0), answer
        (notification,) = await receiver.wait_for(1)
        assert notification.json() == {
            "uuid": "the-one",
            "event": f"{topic}?direction=Inbound&to=+16505550100",
            "timestamp": notification.json()["timestamp"],
            "subscriptionId": created["id"],
            "ownerId": running.demo.extension_id,
            "body": body,
        }
