"""Endpoints that are down, or ask to be left alone for a while: everything arrives all the same, in order, and once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import Event
from bellwire.testing.receiver import ACCEPTED, ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import MESSAGES, event, published

KEYS = 5


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_server(tmp_path) as running:
        yield running


def numbered(prefix: str, first: int, count: int) -> list[bytes]:
    """Events of a few ordering keys, numbered within each: `prefix-key-number`."""
    topic = MESSAGES.replace("~", "400100")
    events = []
    for n in range(first, first + count):
        body = {
            "id": f"{prefix}{n % KEYS}",
            "from": "+16505550180",
            "to": ["+14842910071"],
            "direction": "Outbound",
            "messageStatus": "Delivered",
        }
        events.append(event(topic, body, uuid=f"{prefix}-{n % KEYS}-{n:05d}"))
    return events


def uuids(prefix: str, first: int, count: int) -> set[str]:
    return {f"{prefix}-{n % KEYS}-{n:05d}" for n in range(first, first + count)}


def assert_key_order(received: list[str]) -> None:
    """First comings, within each key, in the order of publication."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for uuid in dict.fromkeys(received):
        by_key[uuid.rpartition("-")[0]].append(uuid)
    for key, came in by_key.items():
        assert came == sorted(came), key


async def test_an_endpoint_that_was_down_gets_everything_in_key_order_and_once(running: Running) -> None:
    inbox = WebhookReceiver()
    failures = watch_failures(running)
    async with inbox:
        await running.subscribe(inbox.url, MESSAGES)
        await published(running, *numbered("up", 0, 20))
        await inbox.wait_for(20)
    await published(running, *numbered("down", 20, 200))  # more than waits in memory
    await failures.wait_for(3)
    async with inbox:
        await published(running, *numbered("up-again", 220, 30))
        received = [request.json()["uuid"] for request in await inbox.wait_for(250, timeout=20)]

    expected = uuids("up", 0, 20) | uuids("down", 20, 200) | uuids("up-again", 220, 30)
    assert sorted(received) == sorted(expected)
    assert_key_order(received)
    assert set(failures.codes) == {FailureCode.CONNECT_REFUSED}


@dataclass
class Failures:
    """Failed attempts as the server records them."""

    codes: list[FailureCode] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, attempt: Attempt, _event: Event | None) -> None:
        if attempt.failure is not None:
            assert attempt.outcome is AttemptOutcome.FAILED
            self.codes.append(attempt.failure)
            self._changed.set()

    async def wait_for(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.codes) < number:
                self._changed.clear()
                await self._changed.wait()


def watch_failures(running: Running) -> Failures:
    failures = Failures()
    running.server.attempts.listen(failures.note)
    return failures


async def test_retry_after_holds_the_whole_endpoint(running: Running) -> None:
    asked: list[float] = []

    def answer(request: ReceivedRequest) -> Reply:
        asked.append(request.received_at)
        return Reply(status=503, headers=(("Retry-After", "2"),)) if len(asked) == 1 else ACCEPTED

    async with WebhookReceiver(answer=answer) as receiver:
        failures = watch_failures(running)
        await running.subscribe(receiver.url, MESSAGES)
        await published(running, *numbered("n", 0, 1))
        await failures.wait_for(1)
        await published(running, *numbered("n", 1, 3))
        await receiver.wait_until(lambda: len(asked) >= 5, 10)

    first, *later = asked
    assert min(later) - first >= 1.9, "neither the first one nor any other is tried before"


async def test_a_restart_does_not_bring_the_backlog_of_a_deleted_subscription_back(tmp_path: Path) -> None:
    receiver = WebhookReceiver()
    async with running_server(tmp_path) as running:
        failures = watch_failures(running)
        async with receiver:
            created = await running.subscribe(receiver.url, MESSAGES)
        await published(running, *numbered("n", 0, 100))
        await failures.wait_for(1)
        path = f"/restapi/v1.0/subscription/{created['id']}"
        assert (await running.http.delete(path, headers=await running.bearer())).status_code == 204
    async with receiver, running_server(tmp_path) as running:
        await no_attempt_under_way(running)
        assert receiver.count == 0


async def no_attempt_under_way(running: Running) -> None:
    """Wait until the server has nothing to send and nothing in its backlog, by its own figures."""

    def is_quiet(figures: dict[str, float]) -> bool:
        return figures["bellwire_attempts_in_flight"] == figures["bellwire_backlog_notifications"] == 0

    async with asyncio.timeout(10):
        while True:
            text = (await running.http.get("/metrics")).text
            lines = (line.split() for line in text.splitlines() if line.startswith("bellwire_") and "{" not in line)
            if is_quiet({name: float(value) for name, value in lines}):
                return
