"""Endpoints that are broken in every way, at a real process: history names each failure by its code, nobody else waits,
and once they are well everything arrives, in key order."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from bellwire.testing.receiver import Reply
from tests.e2e.faults.endpoints import (
    Broken,
    Endpoint,
    Unaccepting,
    break_off,
    drip,
    hang,
    hang_up,
    reset,
    saying,
    status,
    until,
)
from tests.e2e.faults.load import Inbox, Load, Producer, reached
from tests.e2e.faults.nursery import Nursery

PER_KEY = 20
KEYS = 4

BROKEN = {
    "hanging": (hang, "response_timeout"),
    "byte-by-byte": (drip, "response_timeout"),
    "half an answer": (break_off, "response_timeout"),
    "hanging up": (hang_up, "reset"),
    "resetting": (reset, "reset"),
    "500": (status(b"500 Internal Server Error"), "status_5xx"),
    "404": (status(b"404 Not Found"), "status_4xx"),
    "429": (status(b"429 Too Many Requests", b"Retry-After: 2"), "throttled"),
    "redirecting": (status(b"302 Found", b"Location: http://127.0.0.1:1/"), "redirect"),
    "oversized": (saying(b"HTTP/1.1 200 OK\r\nX-Without-End: " + b"x" * 200_000), "response_too_large"),
    "malformed": (saying(b"HTTP/1.1 all is well\r\n\r\n"), "malformed_response"),
    "no HTTP": (saying(b"\x16\x03\x03\x00\x02\x02\x28"), "malformed_response"),
}


async def test_each_failure_has_its_code_nobody_else_waits_and_everything_arrives_in_the_end(
    tmp_path: Path, nursery: Nursery
) -> None:
    data = tmp_path / "data"
    broken = {name: (Broken(misbehaviour), code) for name, (misbehaviour, code) in BROKEN.items()}
    unaccepting, refusing, healthy, verbose = Unaccepting(), Inbox(), Endpoint(), Inbox()
    verbose.receiver.answer = lambda _request: Reply(body=b"x" * 1_000_000)  # its status is 200; its body is nobody's
    load = Load([Producer(f"key{number}", batch=PER_KEY, batches=1) for number in range(KEYS)])
    async with AsyncExitStack() as stack:
        server = await reached(stack.enter_context(nursery.dev(data)), data)
        ids: dict[str, str] = {}
        for endpoint in (healthy, unaccepting, *(endpoint for endpoint, _ in broken.values())):
            await stack.enter_async_context(endpoint.listening())
            ids[endpoint.url] = await server.subscribe(endpoint.url)
        await stack.enter_async_context(verbose.receiver)
        ids[verbose.receiver.url] = await server.subscribe(verbose.receiver.url)
        async with refusing.receiver:
            ids[refusing.receiver.url] = await server.subscribe(refusing.receiver.url)
        await unaccepting.shut()
        codes = {endpoint.url: code for endpoint, code in broken.values()}
        codes |= {unaccepting.url: "connect_timeout", refusing.receiver.url: "connect_refused"}

        await load.run(server, asyncio.Event())
        everything = load.acknowledged

        async def failed() -> list[int]:
            return [(await server.health(ids[url]))["failed"] for url in codes]

        async def has_taken_everything(endpoint: Endpoint) -> bool:
            return {notification["uuid"] for notification in endpoint.taken} >= set(everything)

        # Those that are well have everything while the others are broken still, each for once at least.
        await until(lambda: has_taken_everything(healthy), bool)
        await verbose.wait_for_all(everything)
        await until(failed, all)
        assert [endpoint.taken for endpoint, _ in broken.values()] == [[]] * len(broken)

        for endpoint, _ in broken.values():
            endpoint.heal()
        await unaccepting.heal()
        await stack.enter_async_context(refusing.receiver)
        for endpoint in (unaccepting, *(endpoint for endpoint, _ in broken.values())):
            await until(lambda endpoint=endpoint: has_taken_everything(endpoint), bool)  # type: ignore[misc]
        await refusing.wait_for_all(everything)

        async def delivered(url: str) -> list[str]:
            return [attempt["uuid"] for attempt in await server.attempts(ids[url]) if attempt["outcome"] == "delivered"]

        for url, code in codes.items():
            await until(lambda url=url: delivered(url), lambda uuids: sorted(uuids) == sorted(everything))  # type: ignore[misc]
            assert_history(await server.attempts(ids[url]), code)
        for url in (healthy.url, verbose.receiver.url):
            attempts = await server.attempts(ids[url])
            assert {attempt["outcome"] for attempt in attempts} == {"delivered"}, url

    for endpoint in (healthy, unaccepting, *(endpoint for endpoint, _ in broken.values())):
        taken = [notification["uuid"] for notification in endpoint.taken]
        assert Counter(taken) == Counter(everything), "each was taken once"
        assert_key_order(taken)
    for inbox in (refusing, verbose):
        assert inbox.repeated() == {}
        inbox.assert_key_order()


def assert_key_order(uuids: list[str]) -> None:
    for key in range(KEYS):
        numbers = [int(uuid.rpartition("-")[2]) for uuid in uuids if uuid.startswith(f"key{key}-")]
        assert numbers == sorted(numbers)


def assert_history(attempts: list[dict[str, Any]], code: str) -> None:
    """Every failure is named by the code, with a sentence and the time of the next try, which was kept to."""
    last: dict[str, dict[str, Any]] = {}
    for attempt in attempts:
        before = last.get(attempt["uuid"])
        assert attempt["number"] == (1 if before is None else before["number"] + 1), attempt
        if before is not None:
            assert before["outcome"] == "failed", "what was delivered is not tried again"
            pause = moment(attempt["startedAt"]) - moment(before["startedAt"])
            assert pause >= (2.0 if code == "throttled" else 0.05), (before, attempt)
        last[attempt["uuid"]] = attempt
    failures = [attempt for attempt in attempts if attempt["outcome"] == "failed"]
    assert {attempt["failureCode"] for attempt in failures} == {code}
    for attempt in failures:
        assert attempt["detail"].endswith("."), attempt
        assert moment(attempt["nextTryAt"]) > moment(attempt["startedAt"])


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
