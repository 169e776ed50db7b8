"""What is old or too much goes, counted and named, and the files stay flat."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from bellwire.model.ids import SubscriptionId
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.test_blacklisting import SESSION_FILTER, Endpoint, publish, until


async def dropped(running: Running, what: str) -> float:
    """How many of them retention dropped, as the metrics say."""
    return await figure(running, f'bellwire_retention_dropped_total{{what="{what}"}}')


async def figure(running: Running, name: str) -> float:
    text = (await running.http.get("/metrics")).text
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)


def pages(file: Path) -> int:
    """How many pages a database has, those that no checkpoint has moved out of the write-ahead log included."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        [found] = connection.execute("PRAGMA page_count").fetchone()
        assert isinstance(found, int)
        return found


async def pass_hours(running: Running, *hours: float) -> None:
    """Let time pass, in steps, with a sweep of retention after each."""
    for step in hours:
        before = await figure(running, "bellwire_retention_sweeps_total")
        running.clock.advance(timedelta(hours=step))
        async with asyncio.timeout(10):
            while await figure(running, "bellwire_retention_sweeps_total") == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def attempts_of(running: Running, subscription: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    parameters: dict[str, str] = {"limit": "100"}
    while True:
        answer = await running.http.get(
            f"/bellwire/v1/subscriptions/{subscription}/attempts",
            params=parameters,
            headers={"Authorization": f"Bearer {running.demo.admin_key}"},
        )
        page = answer.json()
        found += page["records"]
        if page["nextCursor"] is None:
            return found
        parameters["cursor"] = page["nextCursor"]


async def test_delivered_events_go_after_their_time_and_files_do_not_grow(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
        sizes: list[int] = []
        for day in range(4):
            for block in range(4):
                await publish(running, *(f"{day}-{block}-{number}" for number in range(500)))
            await receiver.wait_for((day + 1) * 2000)
            await running.settled()
            await pass_hours(running, 1, 36, 36)
            await running.http.post(f"/restapi/v1.0/subscription/{id_}/renew", headers=await running.bearer())
            sizes.append(pages(tmp_path / "log.db") + pages(tmp_path / "delivery.db"))
        assert await dropped(running, "events") == 8000
        assert await dropped(running, "attempt_hours") >= 3
        assert sizes[-1] <= sizes[0] * 1.1, sizes


async def test_undelivered_notifications_go_after_their_time_and_are_in_history_as_given_up(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER, expiresIn=600_000))["id"])
        operations = running.server.operations
        await operations.pause(id_)
        await publish(running, *(f"n{number}" for number in range(600)))
        await until(lambda: operations.health(id_).lane.backlog_rows == 600)
        await pass_hours(running, 1, 60)
        assert operations.health(id_).lane.backlog_rows == 600
        await publish(running, "young")
        await until(lambda: operations.health(id_).lane.backlog_rows == 601)
        await pass_hours(running, 1, 12)
        assert operations.health(id_).lane.backlog_rows == 1
        assert await dropped(running, "notifications") == 600
        await operations.resume(id_)
        await until(lambda: endpoint.taken == ["young"])
        history = await attempts_of(running, id_)
        given_up = [attempt for attempt in history if attempt["outcome"] == "given_up"]
        assert {attempt["uuid"] for attempt in given_up} == {f"n{number}" for number in range(600)}
        assert "within 72 hours" in given_up[0]["detail"]


async def test_a_backlog_that_is_too_long_loses_its_oldest(tmp_path: Path) -> None:
    endpoint = Endpoint()
    environment = {"BELLWIRE_BACKLOG_MAX_ROWS": "1000"}
    async with running_server(tmp_path, environment=environment) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        operations = running.server.operations
        await operations.pause(id_)
        for block in range(3):
            await publish(running, *(f"{block}-{number}" for number in range(500)))
        await until(lambda: operations.health(id_).lane.backlog_rows == 1500)
        running.clock.advance(timedelta(minutes=1))
        await until(lambda: operations.health(id_).lane.backlog_rows == 1000)
        await operations.resume(id_)
        await until(lambda: len(endpoint.taken) == 1000)
        assert endpoint.taken == [f"{block}-{number}" for block in (1, 2) for number in range(500)]


async def test_a_log_that_is_too_large_is_trimmed_and_what_the_backlog_needs_is_kept(tmp_path: Path) -> None:
    endpoint = Endpoint()
    environment = {"BELLWIRE_LOG_MAX_MIB": "16"}
    async with running_server(tmp_path, environment=environment) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER + "?direction=Inbound"))["id"])
        operations = running.server.operations
        await publish(running, "n1", "n2")
        await until(lambda: endpoint.taken == ["n1", "n2"])
        await operations.pause(id_)
        await publish(running, "needed")
        topic = f"/restapi/v1.0/account/{running.demo.account_id}/a2p-sms/messages"
        bulk = {
            "id": "1",
            "from": "+14842910071",
            "to": ["+16505550100"],
            "direction": "Outbound",
            "messageStatus": "Delivered",
            "text": "x" * 900,
        }
        for _ in range(24):
            await running.publish(*({"event": topic, "body": bulk} for _ in range(1000)))
        await running.settled()
        await pass_hours(running, 0.1)
        assert 1000 < await dropped(running, "events") < 20_000
        size = pages(tmp_path / "log.db")
        for _ in range(3):
            for _ in range(5):
                await running.publish(*({"event": topic, "body": bulk} for _ in range(1000)))
            await running.settled()
            await pass_hours(running, 0.1)
        assert pages(tmp_path / "log.db") <= size * 1.1
        await operations.resume(id_)
        await until(lambda: endpoint.taken[2:] == ["needed"])
