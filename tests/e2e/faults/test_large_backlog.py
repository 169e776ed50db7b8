"""A million notifications that can't be delivered: kept in bounded memory, and no reason for a slow start.

A hundred endpoints answer the handshake and are gone from then on; ten thousand events are published for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from bellwire.testing.receiver import WebhookReceiver
from bench.processes import peak_mib
from tests.e2e.faults.load import Server, figure, reached
from tests.e2e.processes import BellwireProcess
from tests.e2e.publish.publishing import NDJSON, PATH, message

log = logging.getLogger(__name__)

ENDPOINTS = 100
EVENTS = 10_000
ROWS = ENDPOINTS * EVENTS
MAX_RESIDENT_MIB = 500
MAX_START_SECONDS = 10
SETTLED_WITHIN_SECONDS = 240
"""Far more than it takes (15 s on two quiet cores)."""


def started(data: Path) -> BellwireProcess:
    """Not forked: its memory and the time of its start are what is measured."""
    environ = {"BELLWIRE_MIN_FREE_MIB": "0"}
    return BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(data), environ=environ)


async def as_applications(server: Server, http: httpx.AsyncClient, number: int) -> list[Server]:
    """The same server and user by way of several applications: with one, a user has 30 subscriptions at most."""
    admin = {"Authorization": f"Bearer {server.demo['BELLWIRE_ADMIN_KEY']}"}
    jwt = await http.post(
        f"/bellwire/v1/admin/extensions/{server.demo['BELLWIRE_EXTENSION_ID']}/jwts", json={}, headers=admin
    )
    assert jwt.status_code == 201, jwt.text
    found = []
    for name in range(number):
        made = await http.post(
            "/bellwire/v1/admin/applications",
            json={"name": f"Application {name}", "permissions": ["A2PSMS", "ReadAccounts"], "rateLimitFactor": 1000},
            headers=admin,
        )
        assert made.status_code == 201, made.text
        credentials = {
            "RC_APP_CLIENT_ID": made.json()["clientId"],
            "RC_APP_CLIENT_SECRET": made.json()["clientSecret"],
            "RC_USER_JWT": jwt.json()["token"],
        }
        found.append(Server(server.url, server.demo | credentials))
    return found


async def subscribe_dead_endpoints(server: Server, http: httpx.AsyncClient) -> None:
    """Each on a port of its own, so that each is a host of its own to the sender."""
    applications = await as_applications(server, http, 4)
    async with contextlib.AsyncExitStack() as stack:
        for number in range(ENDPOINTS):
            receiver = await stack.enter_async_context(WebhookReceiver())
            await applications[number % len(applications)].subscribe(receiver.url)


async def ndjson() -> AsyncIterator[bytes]:
    for first in range(0, EVENTS, 500):
        yield b"".join(message(number) + b"\n" for number in range(first, first + 500))


async def publish(server: Server, http: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {server.demo['BELLWIRE_PUBLISHER_KEY']}", "Content-Type": NDJSON}
    answer = await http.post(PATH, content=ndjson(), headers=headers, timeout=SETTLED_WITHIN_SECONDS)
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == EVENTS


async def wait_until_backlogged(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
        while True:
            rows, lag = [
                await figure(http, name) for name in ("bellwire_backlog_notifications", "bellwire_watermark_lag_events")
            ]
            if rows == ROWS and not lag:
                return
            await asyncio.sleep(0.5)


async def test_a_million_notifications_for_dead_endpoints_wait_on_disk(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        server = await reached(process, tmp_path)
        async with server.http() as http:
            await subscribe_dead_endpoints(server, http)
            began = time.monotonic()
            await publish(server, http)
            await wait_until_backlogged(http)
            filled_in = time.monotonic() - began
        peak = peak_mib(process.pid)
        process.kill()

    began = time.monotonic()
    with started(tmp_path) as process:
        server = await reached(process, tmp_path)
        async with server.http() as http:
            ready = await http.get("/bellwire/v1/ready")
            started_in = time.monotonic() - began - process.waited_for_a_processor()
            rows = await figure(http, "bellwire_backlog_notifications")
        peak_after_start = peak_mib(process.pid)

    figures = (
        f"{ROWS} rows in {filled_in:.1f} s, {peak:.0f} MiB at most; "
        f"start in {started_in:.1f} s, {peak_after_start:.0f} MiB at most"
    )
    log.info(figures)
    assert ready.status_code == 200
    assert rows == ROWS
    assert peak < MAX_RESIDENT_MIB, figures
    assert peak_after_start < MAX_RESIDENT_MIB, figures
    assert started_in < MAX_START_SECONDS, figures
