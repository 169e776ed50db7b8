"""Sending and receiving High Volume SMS, as the contract says (cases 84 to 86, 91, 92), and what events tell of it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
from ringcentral import SDK

from bellwire.engine.seed_company import TOLL_FREE_NUMBER
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.conformance.schemas import check_notification
from tests.e2e.conformance.stage import GENERAL, Stage, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

A2P = "/restapi/v1.0/account/~/a2p-sms"
BATCHES = f"{A2P}/batches"
FINAL = {"Delivered", "SendingFailed", "DeliveryFailed"}


def recipient(last_four: str) -> str:
    """A number that no other test texts, whose end says what the simulator does (docs/sms.md)."""
    return f"+1415{uuid.uuid4().int % 1000:03}{last_four}"


def a_request(stage: Stage, *recipients: str, **more: Any) -> dict[str, Any]:
    messages = [{"to": [number]} for number in recipients]
    return {"from": stage.running.demo.a2p_number, "text": "Your parcel is here", "messages": messages, **more}


async def send(stage: Stage, *recipients: str, **more: Any) -> dict[str, Any]:
    answer = await stage.call("POST", BATCHES, json=a_request(stage, *recipients, **more))
    assert answer.status_code == 201, answer.text
    batch: dict[str, Any] = answer.json()
    return batch


async def messages_when_final(stage: Stage, batch: str) -> list[dict[str, Any]]:
    """The messages of a batch, once each has its final state."""
    async with asyncio.timeout(30):
        while True:
            answer = await stage.call("GET", f"{A2P}/messages", params={"batchId": batch, "view": "Detailed"})
            records: list[dict[str, Any]] = answer.json()["records"]
            if records and all(record["messageStatus"] in FINAL for record in records):
                return records
            await asyncio.sleep(0.05)


async def text_us(stage: Stage, sender: str, text: str, *, to: str | None = None) -> httpx.Response:
    return await stage.running.http.post(
        "/bellwire/v1/sms/inbound",
        json={"from": sender, "to": to or stage.running.demo.a2p_number, "text": text},
        headers={"Authorization": f"Bearer {stage.running.demo.publisher_key}"},
    )


class Heard:
    """What one subscription was told."""

    def __init__(self, receiver: WebhookReceiver) -> None:
        self.receiver = receiver

    def bodies(self) -> list[dict[str, Any]]:
        return [notification.json()["body"] for notification in self.receiver.notifications]

    async def until_completed(self) -> list[dict[str, Any]]:
        await self.receiver.wait_until(
            lambda: any(body.get("status") == "Completed" for body in self.bodies()), timeout=30
        )
        return self.bodies()

    async def until(self, number: int) -> list[dict[str, Any]]:
        await self.receiver.wait_for(number, timeout=30)
        return self.bodies()


@pytest_asyncio.fixture(loop_scope="module")
async def heard(stage: Stage) -> AsyncIterator[Any]:
    """Subscribe a receiver of its own to some filters: `await heard(filter, …)`."""
    receivers: list[WebhookReceiver] = []

    async def subscribe(*filters: str) -> Heard:
        receiver = WebhookReceiver()
        await receiver.start()
        receivers.append(receiver)
        await stage.subscribe(*filters, mode={"address": receiver.url})
        return Heard(receiver)

    yield subscribe
    await stage.clear()
    for receiver in receivers:
        for notification in receiver.notifications:
            check_notification(notification.json())
        await receiver.stop()


async def test_84_a_bad_number_is_rejected_with_its_index_from_1_and_only_in_the_answer(stage: Stage) -> None:
    good = recipient("0101")
    batch = await send(stage, good, "+447700900123")
    assert (batch["batchSize"], batch["status"]) == (1, "Processing")
    (rejected,) = batch["rejected"]
    assert (rejected["index"], rejected["to"], rejected["errorCode"]) == (2, ["+447700900123"], "SMS-RC-410")
    later = (await stage.call("GET", f"{BATCHES}/{batch['id']}")).json()
    assert later["rejected"] == []
    (message,) = await messages_when_final(stage, batch["id"])
    assert message["to"] == [good]


async def test_84_a_batch_of_bad_numbers_alone_is_completed_at_once(stage: Stage) -> None:
    batch = await send(stage, "12025550101", "+1202555", "")
    assert (batch["batchSize"], batch["status"], batch["cost"]) == (0, "Completed", 0)
    assert [one["index"] for one in batch["rejected"]] == [1, 2, 3]


async def test_84_the_same_number_twice_is_two_messages(stage: Stage) -> None:
    twice = recipient("0102")
    batch = await send(stage, twice, twice)
    assert [message["to"] for message in await messages_when_final(stage, batch["id"])] == [[twice], [twice]]


@pytest.mark.parametrize("sender", ["+16505550101", "+12025550199", "16505550180", ""])
async def test_85_a_number_that_may_not_send_is_refused(stage: Stage, sender: str) -> None:
    request = a_request(stage, recipient("0103")) | {"from": sender}
    answer = await stage.call("POST", BATCHES, json=request)
    assert_refused(answer, 400, "CMN-101", "from")


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"text": "x" * 1001}, "text"),
        ({"messages": [{"to": ["+12025550101"]}, {"to": ["+12025550102"], "text": "x" * 1001}]}, "messages[1].text"),
        ({"text": None, "messages": [{"to": ["+12025550101"], "text": "x"}, {"to": ["+1202"]}]}, "messages[1].text"),
        ({"messages": []}, "messages"),
        ({"messages": [{"to": ["+12025550101", "+12025550102"]}]}, "messages[0].to"),
        ({"messages": [{"text": "to nobody"}]}, "messages[0].to"),
        ({"messages": "all of them"}, "messages"),
        ({"from": None}, "from"),
    ],
)
async def test_86_what_a_request_lacks_or_has_too_much_of_is_named(
    stage: Stage, changes: dict[str, Any], parameter: str
) -> None:
    before = (await stage.call("GET", BATCHES)).json()["records"]
    answer = await stage.call("POST", BATCHES, json=a_request(stage, "+12025550101") | changes)
    assert_refused(answer, 400, "CMN-101", parameter)
    assert (await stage.call("GET", BATCHES)).json()["records"] == before


async def test_a_request_that_names_its_sender_and_text_last_is_as_good(stage: Stage) -> None:
    to = recipient("0104")
    messages = [{"to": [to], "extra": {"a": [1, {}]}}]
    body = json.dumps({"messages": messages, "text": "late", "more": 1.5, "from": TOLL_FREE_NUMBER})
    answer = await stage.call("POST", BATCHES, content=body)
    assert answer.status_code == 201, answer.text
    (message,) = await messages_when_final(stage, answer.json()["id"])
    assert (message["from"], message["to"], message["text"]) == (TOLL_FREE_NUMBER, [to], "late")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b'{"from": "+1"} x', b'{"from": "\xff"}', b'{"n": 1' + b"0" * 5000 + b"}"]
)
async def test_what_is_not_json_is_refused_and_leaves_nothing(stage: Stage, body: bytes) -> None:
    assert_refused(await stage.call("POST", BATCHES, content=body), 400, "CMN-103")


async def test_a_body_over_50_mb_is_refused_by_its_length(stage: Stage) -> None:
    token = (await stage.running.bearer())["Authorization"]
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.running.http.base_url.port)
    head = (
        f"POST {BATCHES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {(50 << 20) + 1}\r\n\r\n"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"errorCode":"CMN-104"' in answer


async def test_a_body_that_turns_out_to_be_over_50_mb_leaves_nothing(stage: Stage) -> None:
    before = (await stage.call("GET", BATCHES)).json()["records"]
    head = (
        f'{{"from": "{stage.running.demo.a2p_number}", "text": "hi", "messages": [{{"to": ["+12025550101"]}}'.encode()
    )

    async def endless() -> AsyncIterator[bytes]:
        yield head
        for _ in range(51):
            yield b" " * (1 << 20)

    answer = await stage.running.http.post(
        BATCHES, content=endless(), headers={**await stage.running.bearer(), "Content-Type": "application/json"}
    )
    assert_refused(answer, 413, "CMN-104")
    assert (await stage.call("GET", BATCHES)).json()["records"] == before


async def test_91_keywords_opt_the_pair_out_and_in_again(stage: Stage, heard: Any) -> None:
    """The whole round: event with `active`, the message itself, the store behind, and a send in between."""
    opt_outs = await heard(f"{A2P}/opt-outs?from={stage.running.demo.a2p_number}")
    inbound = await heard(f"{A2P}/messages?direction=Inbound&to={stage.running.demo.a2p_number}")
    them = recipient("0105")
    assert (await text_us(stage, them, "stop ")).status_code == 201
    batch = await send(stage, them)
    (refused,) = await messages_when_final(stage, batch["id"])
    assert (await text_us(stage, them, "Start")).status_code == 201
    again = await send(stage, them)
    (delivered,) = await messages_when_final(stage, again["id"])

    pair = {"from": stage.running.demo.a2p_number, "to": them}
    assert await opt_outs.until(2) == [pair | {"active": True}, pair | {"active": False}]
    assert [(body["from"], body["text"], body["messageStatus"]) for body in await inbound.until(2)] == [
        (them, "stop ", "Delivered"),
        (them, "Start", "Delivered"),
    ]
    assert (refused["messageStatus"], refused["errorCode"]) == ("SendingFailed", "SMS-RC-413")
    assert delivered["messageStatus"] == "Delivered"


async def test_a_text_that_is_no_keyword_changes_no_consent(stage: Stage, heard: Any) -> None:
    opt_outs = await heard(f"{A2P}/opt-outs")
    them = recipient("0106")
    await text_us(stage, them, "please stop")
    await text_us(stage, them, "QUIT")
    assert await opt_outs.until(1) == [{"from": stage.running.demo.a2p_number, "to": them, "active": True}]


async def test_92_an_opted_out_recipient_fails_and_costs_nothing(stage: Stage, heard: Any) -> None:
    them = recipient("0107")
    await text_us(stage, them, "UNSUBSCRIBE!")
    outbound = await heard(f"{A2P}/messages?direction=Outbound")
    batch = await send(stage, them)
    assert batch["batchSize"] == 1
    queued, failed = await outbound.until(2)
    assert (queued["messageStatus"], failed["messageStatus"]) == ("Queued", "SendingFailed")
    assert failed["errorCode"] == "SMS-RC-413"
    assert not {"cost", "segmentCount"} & failed.keys()
    completed = (await stage.call("GET", f"{BATCHES}/{batch['id']}")).json()
    assert (completed["status"], completed["processedCount"], completed["cost"]) == ("Completed", 1, 0)


@pytest.mark.parametrize(
    ("last_four", "states", "code"),
    [
        ("0108", ["Queued", "Sent", "Delivered"], None),
        ("9410", ["Queued", "SendingFailed"], "SMS-UP-410"),
        ("7430", ["Queued", "SendingFailed"], "SMS-RC-430"),
        ("8412", ["Queued", "Sent", "DeliveryFailed"], "SMS-CAR-412"),
        ("8104", ["Queued", "Sent", "DeliveryFailed"], "SMS-CAR-104"),
        ("9002", ["Queued", "Sent", "Delivered"], None),
        ("9003", ["Queued", "Sent", "Delivered"], None),
        ("9004", ["Queued", "DeliveryFailed"], "SMS-CAR-199"),
    ],
)
async def test_each_outcome_of_the_simulator_ends_in_one_final_state_and_tells_each_step(
    stage: Stage, heard: Any, last_four: str, states: list[str], code: str | None
) -> None:
    to = recipient(last_four)
    request = a_request(stage, to, text="x" * 161)
    outbound = await heard(f"{A2P}/messages?direction=Outbound&from={stage.running.demo.a2p_number}")
    batch = (await stage.call("POST", BATCHES, json=request)).json()
    told = await outbound.until(len(states))
    assert [body["messageStatus"] for body in told] == states
    assert told[-1].get("errorCode") == code
    (message,) = await messages_when_final(stage, batch["id"])
    assert message == told[-1]
    if "SendingFailed" not in states:
        assert (message["segmentCount"], message["cost"]) == (2, 0.014)


async def test_a_refusal_for_an_opt_out_that_only_the_carrier_knew_is_remembered(stage: Stage, heard: Any) -> None:
    opt_outs = await heard(f"{A2P}/opt-outs")
    to = recipient("8413")
    await messages_when_final(stage, (await send(stage, to))["id"])
    assert await opt_outs.until(1) == [{"from": stage.running.demo.a2p_number, "to": to, "active": True}]
    (message,) = await messages_when_final(stage, (await send(stage, to))["id"])
    assert message["errorCode"] == "SMS-RC-413"


async def test_a_scripted_answer_comes_in_as_a_text(stage: Stage, heard: Any) -> None:
    inbound = await heard(f"{A2P}/messages?direction=Inbound")
    to = recipient("9104")
    await send(stage, to)
    (reply,) = await inbound.until(1)
    assert (reply["from"], reply["to"], reply["text"]) == (
        to,
        [stage.running.demo.a2p_number],
        "You wrote: Your parcel is here",
    )
    assert "batchId" not in reply


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [({"from": "him"}, "from"), ({"to": "+16505550101"}, "to"), ({"text": ""}, "text"), ({"text": "x" * 1001}, "text")],
)
async def test_a_text_that_could_not_have_come_is_refused(
    stage: Stage, changes: dict[str, str], parameter: str
) -> None:
    body = {"from": recipient("0109"), "to": stage.running.demo.a2p_number, "text": "hi"} | changes
    headers = {"Authorization": f"Bearer {stage.running.demo.publisher_key}"}
    answer = await stage.running.http.post("/bellwire/v1/sms/inbound", json=body, headers=headers)
    assert_refused(answer, 400, "CMN-101", parameter)


async def test_the_whole_sequence_of_events_through_the_official_sdk(
    stage: Stage, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch to good, failing, opted-out and invalid numbers; each kind of subscription hears its part, in order."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    demo = stage.running.demo
    platform = SDK(demo.client_id, demo.client_secret, stage.running.url).platform()
    good, failing, refused, opted_out, answering = map(recipient, ("0110", "8411", "9431", "0111", "9101"))
    await text_us(stage, opted_out, "stop")
    receivers = {
        event_filter: WebhookReceiver()
        for event_filter in (
            f"{A2P}/batches",
            f"{A2P}/messages?direction=Outbound",
            f"{A2P}/messages?direction=Inbound",
            f"{A2P}/opt-outs",
        )
    }

    def subscribe_and_send() -> dict[str, Any]:
        platform.login(jwt=demo.jwt)
        for event_filter, receiver in receivers.items():
            mode = {"transportType": "WebHook", "address": receiver.url}
            platform.post(GENERAL, {"eventFilters": [event_filter], "deliveryMode": mode})
        request = a_request(stage, good, failing, refused, opted_out, "+33123456789", answering)
        sent: dict[str, Any] = platform.post(f"{A2P}/batches", request).json_dict()
        return sent

    def unsubscribe() -> None:
        for record in platform.get(GENERAL).json_dict()["records"]:
            platform.delete(f"{GENERAL}/{record['id']}")

    for receiver in receivers.values():
        await receiver.start()
    try:
        batch = await asyncio.to_thread(subscribe_and_send)
        batches, outbound, inbound, opt_outs = map(Heard, receivers.values())
        assert [one["index"] for one in batch["rejected"]] == [5]
        assert batch["batchSize"] == 5

        told = await outbound.until(3 * 3 + 2 * 2)
        steps: dict[str, list[str]] = {}
        for body in told:
            code = f" {body['errorCode']}" if "errorCode" in body else ""
            steps.setdefault(body["to"][0], []).append(body["messageStatus"] + code)
        assert steps == {
            good: ["Queued", "Sent", "Delivered"],
            failing: ["Queued", "Sent", "DeliveryFailed SMS-CAR-411"],
            refused: ["Queued", "SendingFailed SMS-UP-431"],
            opted_out: ["Queued", "SendingFailed SMS-RC-413"],
            answering: ["Queued", "Sent", "Delivered"],
        }
        assert {body["batchId"] for body in told} == {batch["id"]}
        (answer,) = await inbound.until(1)
        assert (answer["from"], answer["text"]) == (answering, "STOP")
        assert await opt_outs.until(1) == [{"from": demo.a2p_number, "to": answering, "active": True}]
        progress = await batches.until_completed()
        counts = [body["processedCount"] for body in progress]
        assert (counts[0], counts[-1]) == (0, 5)
        assert counts == sorted(counts), "where it takes more than a second, progress is told in between"
        assert [body["status"] for body in progress] == ["Processing"] * (len(progress) - 1) + ["Completed"]
        assert progress[-1]["cost"] == 0.021

        def read() -> Sequence[dict[str, Any]]:
            found: dict[str, Any] = platform.get(f"{A2P}/messages", {"batchId": batch["id"]}).json_dict()
            records: list[dict[str, Any]] = found["records"]
            return records

        final = {body["id"]: body["messageStatus"] for body in told}
        assert {record["id"]: record["messageStatus"] for record in await asyncio.to_thread(read)} == final
        uuids = [json.loads(one.body)["uuid"] for receiver in receivers.values() for one in receiver.notifications]
        assert len(set(uuids)) == len(uuids)
        for receiver in receivers.values():
            for notification in receiver.notifications:
                check_notification(notification.json())
    finally:
        await asyncio.to_thread(unsubscribe)
        for receiver in receivers.values():
            await receiver.stop()
