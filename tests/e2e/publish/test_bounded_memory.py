"""A very long NDJSON body to a real process: taken in bounded memory, whatever its length.

256 MiB by default; `BELLWIRE_TEST_STREAM_MIB=1024` for the gibibyte of issue 2.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bellwire.testing.receiver import WebhookReceiver
from bench.processes import peak_mib
from tests.command_line import run
from tests.e2e.processes import BellwireProcess, env_of
from tests.e2e.publish.publishing import NDJSON, PATH

log = logging.getLogger(__name__)

STREAM_MIB = int(os.environ.get("BELLWIRE_TEST_STREAM_MIB", "256"))
MAX_GROWTH_MIB = 200
MAX_SECONDS = 60 * max(1, STREAM_MIB / 256)
"""Far more than it takes (4 s for 256 MiB on a quiet machine), and far less than what grows with the square would."""
SUBSCRIBED_EVERY = 50
"""One event in so many is delivered, so that the stream's end is known to have been routed."""


def lines(account: str) -> Iterator[bytes]:
    """Messages of 4 KiB, but for every hundredth, which is of 200 KiB, until there are as many bytes as wanted."""
    size = number = 0
    while size < STREAM_MIB << 20:
        body = {
            "id": str(number),
            "from": "+16505550180",
            "to": ["+14842910071"],
            "direction": "Inbound" if number % SUBSCRIBED_EVERY == 0 else "Outbound",
            "messageStatus": "Delivered",
            "pad": "x" * (200_000 if number % 100 == 99 else 4000),
        }
        topic = f"/restapi/v1.0/account/{account}/a2p-sms/messages"
        line = json.dumps({"event": topic, "uuid": f"streamed-{number}", "body": body}).encode() + b"\n"
        yield line
        size += len(line)
        number += 1


async def stream(url: str, key: str, account: str) -> tuple[int, dict[str, int]]:
    """Send it in chunks of many sizes; returns how many lines there were, and the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode())
    number = 0
    gathered = bytearray()
    for line in lines(account):
        gathered += line
        number += 1
        if len(gathered) > 1 << (10 + number % 8):
            writer.write(b"%x\r\n%s\r\n" % (len(gathered), gathered))
            gathered.clear()
            await writer.drain()
    if gathered:
        writer.write(b"%x\r\n%s\r\n" % (len(gathered), gathered))
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    response = await reader.read()
    writer.close()
    status, _, content = response.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 202"), response[:1000]
    return number, json.loads(content)


async def test_a_stream_of_any_length_is_taken_in_bounded_memory_and_time(tmp_path: Path) -> None:
    environ = {"BELLWIRE_MIN_FREE_MIB": "0", "BELLWIRE_MAX_PUBLISH_BYTES": str((STREAM_MIB + 1) << 20)}
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path), environ=environ) as process:
        url = await asyncio.to_thread(process.url)
        demo = env_of(run("env", "--data", str(tmp_path)).out)
        async with WebhookReceiver(keep=False) as receiver, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            token = await http.post(
                "/restapi/oauth/token",
                data={
                    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "assertion": demo["RC_USER_JWT"],
                },
                auth=(demo["RC_APP_CLIENT_ID"], demo["RC_APP_CLIENT_SECRET"]),
            )
            created = await http.post(
                "/restapi/v1.0/subscription",
                json={
                    "eventFilters": ["/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound"],
                    "deliveryMode": {"transportType": "WebHook", "address": receiver.url},
                },
                headers={"Authorization": f"Bearer {token.json()['access_token']}"},
            )
            assert created.status_code == 200, created.text
            before = peak_mib(process.pid)

            started = time.monotonic()
            sent, answer = await stream(url, demo["BELLWIRE_PUBLISHER_KEY"], demo["BELLWIRE_ACCOUNT_ID"])
            expected = -(-sent // SUBSCRIBED_EVERY)
            await receiver.wait_until(lambda: receiver.count >= expected, 20)
            seconds = time.monotonic() - started
            grown = peak_mib(process.pid) - before

        figures = f"{STREAM_MIB} MiB, {sent} events: {seconds:.1f} s, {before:.0f} + {grown:.0f} MiB"
        log.info(figures)
        assert answer["accepted"] == sent
        assert receiver.count == expected
        assert grown < MAX_GROWTH_MIB, figures
        assert seconds < MAX_SECONDS, figures
