"""The pace of each kind of number, and what each filter of High Volume SMS lets through, on a whole server.

The pace is read off what the server says of its batches, so that a slow machine can't make it look wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bellwire.configuration import load_settings
from bellwire.settings import Mode
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server

A2P = "/restapi/v1.0/account/~/a2p-sms"
LOCAL, TOLL_FREE = 6, 10
"""Messages of each number's batch: at one and eight a second, the last goes five seconds, and one, after the first."""
STOPS = "+12025559101"


async def test_each_number_keeps_its_pace_and_each_filter_hears_its_part(tmp_path: Path) -> None:
    pace = {"BELLWIRE_SMS_LOCAL_PER_SECOND": "1", "BELLWIRE_SMS_TOLL_FREE_PER_SECOND": "8"}
    async with running_server(tmp_path, environment={**pace, "BELLWIRE_SMS_SIMULATOR_DELAY_MS": "10"}) as running:
        local, toll_free = running.demo.a2p_number, running.demo.toll_free_number
        filters = {
            "batches of a number": f"{A2P}/batches?from={local}",
            "outbound": f"{A2P}/messages?direction=Outbound&from={toll_free}",
            "inbound": f"{A2P}/messages?direction=Inbound&to={local}",
            "opt-outs": f"{A2P}/opt-outs?from={local}",
            "others' opt-outs": f"{A2P}/opt-outs?from={toll_free}",
        }
        told = {name: WebhookReceiver() for name in (*filters, "one batch")}
        for receiver in told.values():
            await receiver.start()
        try:
            for name, event_filter in filters.items():
                await running.subscribe(told[name].url, event_filter)
            slow = await send(running, local, [*some(LOCAL - 1), STOPS])
            await running.subscribe(told["one batch"].url, f"{A2P}/batches/{slow}")
            quick = await send(running, toll_free, some(TOLL_FREE))
            for name in ("batches of a number", "one batch"):
                await told[name].wait_until(partial(is_completed, told[name]), timeout=120)
            await told["outbound"].wait_for(3 * TOLL_FREE, timeout=120)
            for name in ("inbound", "opt-outs"):
                await told[name].wait_for(1, timeout=120)
        finally:
            for receiver in told.values():
                await receiver.stop()

    heard = {name: bodies(receiver) for name, receiver in told.items()}
    assert {body["id"] for name in ("batches of a number", "one batch") for body in heard[name]} == {slow}
    assert heard["batches of a number"][0]["status"] == "Processing"
    assert {(body["batchId"], body["from"]) for body in heard["outbound"]} == {(quick, toll_free)}
    assert [(body["from"], body["text"]) for body in heard["inbound"]] == [(STOPS, "STOP")]
    assert heard["opt-outs"] == [{"from": local, "to": STOPS, "active": True}]
    assert heard["others' opt-outs"] == []
    assert lasted(heard["one batch"][-1]) >= timedelta(seconds=LOCAL - 1)
    sent = [body for body in heard["outbound"] if body["messageStatus"] == "Sent"]
    assert max(map(lasted, sent)) >= timedelta(seconds=1)


def test_production_keeps_the_pace_and_development_is_not_slowed_down() -> None:
    paces = [
        (settings.sms_local_per_second, settings.sms_toll_free_per_second)
        for settings in (load_settings({}, None, mode) for mode in (Mode.SERVE, Mode.DEV))
    ]
    assert paces == [(1, 8), (0, 0)]


def some(number: int) -> list[str]:
    return [f"+1202555{last:04}" for last in range(number)]


async def send(running: Running, sender: str, recipients: list[str]) -> str:
    request = {"from": sender, "text": "hello", "messages": [{"to": [number]} for number in recipients]}
    answer = await running.http.post(f"{A2P}/batches", json=request, headers=await running.bearer())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def bodies(receiver: WebhookReceiver) -> list[dict[str, Any]]:
    return [notification.json()["body"] for notification in receiver.notifications]


def is_completed(receiver: WebhookReceiver) -> bool:
    return any(body["status"] == "Completed" for body in bodies(receiver))


def lasted(body: dict[str, Any]) -> timedelta:
    """From when it was made to when it became what it is."""
    return datetime.fromisoformat(body["lastModifiedTime"]) - datetime.fromisoformat(body["creationTime"])
