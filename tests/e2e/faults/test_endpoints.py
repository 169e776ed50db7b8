"""Endpoints that are down, slow or broken: everything arrives all the same, in order, and nobody else waits for it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
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
    by_address: dict[str, set[FailureCode]] = field(default_factory=lambda: defaultdict(set))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, attempt: Attempt, _event: Event | None) -> None:
        if attempt.failure is not None:
            assert attempt.outcome is AttemptOutcome.FAILED
            self.codes.append(attempt.failure)
            self.by_address[attempt.address].add(attempt.failure)
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


MISBEHAVIOURS: dict[FailureCode, Reply] = {
    FailureCode.RESPONSE_TIMEOUT: Reply(never=True),
    FailureCode.STATUS_5XX: Reply(status=500),
    FailureCode.STATUS_4XX: Reply(status=404),
    FailureCode.THROTTLED: Reply(status=429, headers=(("Retry-After", "1"),)),
    FailureCode.REDIRECT: Reply(status=302, headers=(("Location", "http://127.0.0.1:1/"),)),
    FailureCode.RESET: Reply(raw=b"", hangs_up=True),
    FailureCode.RESPONSE_TOO_LARGE: Reply(raw=b"HTTP/1.1 200 OK\r\nX-Without-End: " + b"x" * 100_000),
    FailureCode.MALFORMED_RESPONSE: Reply(raw=b"HTTP/1.1 OK fine\r\n\r\n", hangs_up=True),
}


class Misbehaving:
    """An endpoint that answers its first `failures` notifications badly, and then all is well."""

    def __init__(self, reply: Reply, *, failures: int) -> None:
        self.receiver = WebhookReceiver(answer=self._answer)
        self.accepted: list[str] = []
        self.accepted_at: dict[str, float] = {}
        self.refused: list[str] = []
        self._reply = reply
        self._failures = failures

    def _answer(self, request: ReceivedRequest) -> Reply:
        uuid = request.json()["uuid"]
        if len(self.refused) < self._failures:
            self.refused.append(uuid)
            return self._reply
        self.accepted.append(uuid)
        self.accepted_at[uuid] = request.received_at
        return ACCEPTED

    async def wait_for(self, number: int, what: str) -> None:
        await self.receiver.wait_until(lambda: len(self.accepted) >= number, 20, f"{number} accepted: {what}")


async def test_broken_endpoints_are_tried_again_and_a_healthy_one_does_not_wait_for_them(running: Running) -> None:
    failures = watch_failures(running)
    broken = {code: Misbehaving(reply, failures=3) for code, reply in MISBEHAVIOURS.items()}
    healthy = Misbehaving(ACCEPTED, failures=0)
    verbose = Misbehaving(Reply(body=b"x" * 1_000_000), failures=200)  # its status is 200, and its body is nobody's
    loop = asyncio.get_running_loop()
    published_at: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        for endpoint in (healthy, verbose, *broken.values()):
            await stack.enter_async_context(endpoint.receiver)
            await running.subscribe(endpoint.receiver.url, MESSAGES)

        for first in range(0, 200, 20):
            for uuid in uuids("n", first, 20):
                published_at[uuid] = loop.time()
            await published(running, *numbered("n", first, 20))
            await healthy.wait_for(first + 20, "healthy")
        for code, endpoint in broken.items():
            await endpoint.wait_for(200, code)
        await verbose.receiver.wait_for(200)

        longest = max(healthy.accepted_at[uuid] - at for uuid, at in published_at.items())
        assert longest < 1.0, "the healthy one waited: the hanging one takes 3 s for each attempt"
        assert len(healthy.accepted) == 200
        assert set(verbose.refused) == uuids("n", 0, 200)
        assert len(verbose.refused) == 200
        for code, endpoint in broken.items():
            assert set(endpoint.accepted) == uuids("n", 0, 200), code
            assert len(endpoint.accepted) == 200, code
            assert_key_order(endpoint.accepted)
            assert len(endpoint.refused) == 3, code
            assert set(endpoint.refused) <= set(endpoint.accepted), f"{code}: the same uuid comes again"
            assert failures.by_address[endpoint.receiver.url] == {code}


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


class TestDeletedSubscriptions:
    async def delete(self, running: Running, subscription: str) -> None:
        path = f"/restapi/v1.0/subscription/{subscription}"
        assert (await running.http.delete(path, headers=await running.bearer())).status_code == 204

    async def test_one_with_a_backlog_gets_nothing_more(self, running: Running) -> None:
        failures = watch_failures(running)
        receiver = WebhookReceiver()
        async with WebhookReceiver() as other:
            async with receiver:
                created = await running.subscribe(receiver.url, MESSAGES)
            await running.subscribe(other.url, MESSAGES)
            await published(running, *numbered("before", 0, 100))
            await failures.wait_for(2)
            await self.delete(running, created["id"])
            async with receiver:
                await published(running, *numbered("after", 100, 20))
                await other.wait_for(120)
                await no_attempt_under_way(running)
                assert receiver.count == 0

    async def test_one_with_an_attempt_under_way_gets_nothing_more(self, running: Running) -> None:
        async with WebhookReceiver(answer=lambda _: Reply(never=True)) as receiver, WebhookReceiver() as other:
            created = await running.subscribe(receiver.url, MESSAGES)
            await running.subscribe(other.url, MESSAGES)
            await published(running, *numbered("n", 0, 100))
            await receiver.wait_for(1)
            await self.delete(running, created["id"])
            begun = receiver.count
            await published(running, *numbered("n", 100, 20))
            await other.wait_for(120)
            await no_attempt_under_way(running)

            assert receiver.count == begun

    async def test_a_restart_does_not_bring_its_backlog_back(self, tmp_path: Path) -> None:
        receiver = WebhookReceiver()
        async with running_server(tmp_path) as running:
            failures = watch_failures(running)
            async with receiver:
                created = await running.subscribe(receiver.url, MESSAGES)
            await published(running, *numbered("n", 0, 100))
            await failures.wait_for(1)
            await self.delete(running, created["id"])
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
