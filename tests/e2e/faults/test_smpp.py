"""The whole server with SMPP as its carrier, against an independent SMSC: dropped links, and SIGKILL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.faults.load import Server, reached
from tests.e2e.faults.nursery import Nursery
from tests.e2e.in_process import Running, running_server
from tests.integration.carriers.smpp34_process import Smsc, a_proxy, an_smpp34_smsc

A2P = "/restapi/v1.0/account/~/a2p-sms"
FINAL = {"Delivered", "SendingFailed", "DeliveryFailed"}
PATIENCE_SECONDS = 90.0
INBOUND = 40


def smpp(port: int, **more: str) -> dict[str, str]:
    settings = {
        "sms_carrier": "smpp",
        "smpp_host": "127.0.0.1",
        "smpp_port": str(port),
        "smpp_system_id": "bellwire",
        "smpp_password": "secret",
        **more,
    }
    return {f"BELLWIRE_{name.upper()}": value for name, value in settings.items()}


def recipients(count: int) -> list[str]:
    """Numbers to which the SMSC delivers; their last digit says so."""
    return [f"+1415555{number:03}1" for number in range(count)]


async def send(http: httpx.AsyncClient, sender: str, numbers: list[str], text: str = "Your parcel is here") -> str:
    answer = await http.post(
        f"{A2P}/batches", json={"from": sender, "text": text, "messages": [{"to": [to]} for to in numbers]}
    )
    assert answer.status_code == 201, answer.text
    batch: str = answer.json()["id"]
    return batch


async def messages(http: httpx.AsyncClient, batch: str) -> list[dict[str, Any]]:
    answer = await http.get(f"{A2P}/messages", params={"batchId": batch, "perPage": 1000})
    assert answer.status_code == 200, answer.text
    records: list[dict[str, Any]] = answer.json()["records"]
    return records


async def when_final(http: httpx.AsyncClient, batch: str, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await messages(http, batch)
            if len(found) == count and all(message["messageStatus"] in FINAL for message in found):
                return found
            await asyncio.sleep(0.1)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - across processes
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.url, headers=await running.bearer(), trust_env=False) as http:
        yield http


def judge(found: list[dict[str, Any]], smsc: Smsc, numbers: list[str]) -> Counter[str]:
    """Each recipient was texted at most once, and each message's end is what the SMSC knows of it."""
    texted = Counter(f"+{said['destination']}" for said in smsc.those("submit"))
    assert texted and max(texted.values()) == 1
    assert sorted(message["to"][0] for message in found) == sorted(numbers)
    ends: Counter[str] = Counter()
    for message in found:
        status = message["messageStatus"]
        if status == "Delivered":
            assert texted[message["to"][0]] == 1
        else:
            assert (status, message["errorCode"]) == ("DeliveryFailed", "SMS-CAR-199")
        ends[status] += 1
    return ends


async def test_a_batch_is_delivered_by_receipts_and_a_stop_opts_out(tmp_path: Path) -> None:
    async with (
        an_smpp34_smsc(auto=True) as smsc,
        running_server(tmp_path, environment=smpp(smsc.port)) as running,
        WebhookReceiver() as receiver,
        a_client(running) as http,
    ):
        sender = running.demo.a2p_number
        await running.subscribe(receiver.url, f"{A2P}/messages?direction=Outbound&from={sender}", f"{A2P}/opt-outs")
        good, early, bad = "+14155550101", "+14155550108", "+14155550109"
        batch = await send(http, sender, [good, early, bad], "Ваш заказ \N{SMILING FACE WITH OPEN MOUTH} " * 10)
        found = {message["to"][0]: message for message in await when_final(http, batch, 3)}
        smsc.deliver(b"Stop.", source=good[1:], destination=sender[1:])

        def bodies() -> list[dict[str, Any]]:
            return [notification.json()["body"] for notification in receiver.notifications]

        await until(lambda: any(body.get("active") for body in bodies()))
        final = {message["id"] for message in found.values()}
        await until(lambda: {b["id"] for b in bodies() if b.get("messageStatus") in FINAL} == final)
        again = await when_final(http, await send(http, sender, [good]), 1)

    assert {number: message["messageStatus"] for number, message in found.items()} == {
        good: "Delivered",
        early: "Delivered",
        bad: "DeliveryFailed",
    }
    assert found[bad]["errorCode"] == "SMS-CAR-412"
    assert {message["segmentCount"] for message in found.values()} == {2}
    assert [(body["from"], body["to"]) for body in bodies() if body.get("active")] == [(sender, good)]
    assert (again[0]["messageStatus"], again[0]["errorCode"]) == ("SendingFailed", "SMS-RC-413")
    assert len(smsc.those("submit")) == 6


async def test_links_that_drop_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    numbers = recipients(200)
    async with (
        an_smpp34_smsc(auto=True) as smsc,
        a_proxy(smsc.port) as proxy,
        running_server(tmp_path, environment=smpp(proxy.port, smpp_submits_per_second="100")) as running,
        a_client(running) as http,
    ):
        batch = await send(http, running.demo.a2p_number, numbers)
        for count in (20, 60, 110):
            await smsc.until("submit", count)
            proxy.cut()
        found = await when_final(http, batch, len(numbers))
        ends = judge(found, smsc, numbers)
        figures = (await running.http.get("/metrics")).text

    assert ends["Delivered"] >= 170  # three windows of ten may be unknown
    assert "bellwire_smpp_binds_total 4.0" in figures


async def test_a_kill_in_the_middle_loses_nothing_and_sends_nothing_twice(tmp_path: Path, nursery: Nursery) -> None:
    numbers = recipients(150)
    async with an_smpp34_smsc(auto=True) as smsc:
        environ = smpp(smsc.port, smpp_submits_per_second="50")
        with nursery.dev(tmp_path / "data", environ=environ) as process:
            server = await reached(process, tmp_path / "data")
            async with client_of(server) as http:
                ours = server.demo["BELLWIRE_A2P_NUMBER"]
                batch = await send(http, ours, numbers)
            await smsc.until("submit", 40)
            # Texts are on their way in, too, when the process dies; the SMSC keeps each until it is acknowledged.
            for number in range(INBOUND):
                smsc.deliver(b"Hello %d" % number, source="14155550077", destination=ours[1:])
            smsc.deliver(b"STOP", source="14155550078", destination=ours[1:])
            await until(lambda: len(taken_in(smsc)) >= 5)
            process.kill()
        with nursery.dev(tmp_path / "data", environ=environ) as process:
            server = Server(await asyncio.to_thread(process.url), server.demo)
            async with client_of(server) as http:
                found = await when_final(http, batch, len(numbers))
                await until(lambda: len(taken_in(smsc)) == INBOUND + 1)
                inbound = await http.get(
                    f"{A2P}/messages", params={"direction": "Inbound", "view": "Detailed", "perPage": 1000}
                )
                consents = await http.get(f"{A2P}/opt-outs", params={"from": ours})
            assert await asyncio.to_thread(process.stop) == 0

    ends = judge(found, smsc, numbers)
    assert ends["Delivered"] >= 130  # two windows of ten can be in doubt, and were written or not
    # What was acknowledged is there, and what was not came again: perhaps twice, since SMPP can't tell.
    assert {record["text"] for record in inbound.json()["records"]} == taken_in(smsc)
    assert [record["to"] for record in consents.json()["records"]] == ["+14155550078"]


def taken_in(smsc: Smsc) -> set[str]:
    """The texts that were acknowledged."""
    said = [bytes.fromhex(said["text"]).decode() for said in smsc.those("delivered") if said["status"] == 0]
    return {text for text in said if not text.startswith("id:")}


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http() as http:
        http.headers.update(await server.bearer(http))
        yield http
