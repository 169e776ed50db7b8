"""Why one subscription did not get one event, through the own API."""

from __future__ import annotations

from pathlib import Path

from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.history.operator import MESSAGES, Operator, message
from tests.e2e.in_process import running_server


async def test_operators_see_why_a_subscription_got_an_event_or_did_not(tmp_path: Path) -> None:
    async with running_server(tmp_path / "data") as running, WebhookReceiver() as receiver:
        operator = Operator(running)
        taker = (await running.subscribe(receiver.url, MESSAGES + "?direction=Inbound"))["id"]
        other = (
            await running.subscribe(receiver.url, MESSAGES + "?direction=Outbound", "/restapi/v1.0/account/~/presence")
        )["id"]
        await running.publish(message(running, 1))
        await receiver.wait_for(1)
        late = (await running.subscribe(receiver.url, MESSAGES))["id"]

        got = await operator.until(
            f"/events/m1/subscriptions/{taker}", lambda page: page["notifications"][0]["state"] == "delivered"
        )
        assert got["matches"] is True
        assert got["notifications"][0]["lastAttempt"]["status"] == 200

        not_wanted = await operator.get(f"/events/m1/subscriptions/{other}")
        assert (not_wanted["matches"], not_wanted["reasons"], not_wanted["notifications"]) == (False, [], [])
        direction, presence = not_wanted["filters"]
        assert direction["filter"].endswith("/a2p-sms/messages?direction=Outbound")
        assert direction["reasons"][0]["message"] == "direction: the filter wants Outbound; the event has Inbound"
        assert presence["reasons"][0]["kind"] == "family"

        too_late = await operator.get(f"/events/m1/subscriptions/{late}")
        assert (too_late["matches"], too_late["reasons"][0]["kind"]) == (False, "began")
        assert too_late["filters"][0]["matches"] is True

        await operator.get(f"/events/m2/subscriptions/{taker}", status=404)
        await operator.get("/events/m1/subscriptions/none", status=404)
