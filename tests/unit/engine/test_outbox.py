"""The pump between the outbox and the log: order, patience, and room that is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

import pytest

from bellwire.engine.fairness import Unrouted
from bellwire.engine.outbox import OutboxPump
from bellwire.engine.publish import Publisher
from bellwire.errors import Unavailable
from bellwire.model.event import Event
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId, Partition
from bellwire.ports.event_log import Appended, Duplicate, EventLog
from bellwire.ports.outbox import Outgoing
from bellwire.storage.memory import MemoryEngine


class MemoryOutbox:
    """`Outbox` over a list."""

    def __init__(self) -> None:
        self.rows: list[Outgoing] = []
        self._place = 0
        self._listeners: list[Callable[[int], None]] = []
        self.empty = asyncio.Event()

    def put(self, *names: str) -> None:
        for name in names:
            self._place += 1
            self.rows.append(Outgoing(self._place, an_event(name)))
        for listener in self._listeners:
            listener(len(names))

    async def size(self) -> int:
        return len(self.rows)

    async def first(self, limit: int) -> list[Outgoing]:
        return self.rows[:limit]

    async def remove(self, through: int) -> int:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row.place > through]
        if not self.rows:
            self.empty.set()
        return before - len(self.rows)

    def on_put(self, listener: Callable[[int], None]) -> None:
        self._listeners.append(listener)


def an_event(name: str) -> Event:
    return Event(
        account=AccountId("1"),
        uuid=name,
        chosen=True,
        topic="/restapi/v1.0/account/1/a2p-sms/messages",
        timestamp_ms=0,
        body=b"{}",
    )


class SometimesFull:
    """A log that takes nothing for so many calls."""

    def __init__(self, log: EventLog, refusals: int) -> None:
        self._log = log
        self.refusals = refusals

    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the disk is full", retry_after_seconds=0)
        return await self._log.append(partition, events)


class Stage:
    def __init__(self, *, refusals: int = 0, limit: int = 100) -> None:
        self.outbox = MemoryOutbox()
        self.log = MemoryEngine().event_log
        self.full = SometimesFull(self.log, refusals)
        self.failures: list[BaseException] = []
        publisher = Publisher(log=cast("EventLog", self.full), partition=EMBEDDED_PARTITION, unrouted=Unrouted(10_000))
        self.pump = OutboxPump(outbox=self.outbox, publisher=publisher, on_fatal=self.failures.append, limit=limit)

    async def logged(self, number: int) -> list[str]:
        """The uuids in the log, once there are so many."""
        found: list[str] = []
        after = LOG_START
        async with asyncio.timeout(10):
            while len(found) < number:
                for entry in await self.log.read(EMBEDDED_PARTITION, after, 1 << 20):
                    found.append(entry.event.uuid)
                    after = entry.position
        return found

    async def emptied(self) -> None:
        async with asyncio.timeout(10):
            await self.outbox.empty.wait()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.pump.stop()
    assert stage.failures == []


async def test_what_is_put_in_is_logged_in_order_and_taken_out(stage: Stage) -> None:
    await stage.pump.start()
    names = [f"e{number}" for number in range(1500)]
    for start in range(0, 1500, 100):
        stage.outbox.put(*names[start : start + 100])
    assert await stage.logged(1500) == names
    await stage.emptied()
    assert stage.outbox.rows == []


async def test_what_an_earlier_process_left_is_logged_first(stage: Stage) -> None:
    stage.outbox.rows = [Outgoing(1, an_event("left"))]
    await stage.pump.start()
    stage.outbox._place = 1
    stage.outbox.put("new")
    assert await stage.logged(2) == ["left", "new"]


async def test_what_is_put_in_before_the_start_counts_once(stage: Stage) -> None:
    stage.outbox.put("early")
    await stage.pump.start()
    assert await stage.logged(1) == ["early"]
    await stage.emptied()
    stage.outbox.put("later")
    assert await stage.logged(2) == ["early", "later"]
    async with asyncio.timeout(10):
        while stage.pump.pending:  # noqa: ASYNC110 - a number, which nobody tells of
            await asyncio.sleep(0)


async def test_what_was_logged_before_a_crash_is_not_logged_again(stage: Stage) -> None:
    await stage.log.append(EMBEDDED_PARTITION, [an_event("both")])
    stage.outbox.put("both", "new")
    await stage.pump.start()
    assert await stage.logged(2) == ["both", "new"]
    await stage.emptied()


async def test_a_log_that_is_full_for_a_while_loses_nothing() -> None:
    stage = Stage(refusals=3)
    await stage.pump.start()
    stage.outbox.put("a", "b")
    assert await stage.logged(2) == ["a", "b"]
    await stage.pump.stop()


async def test_there_is_room_until_the_limit_and_again_when_the_log_took_some() -> None:
    stage = Stage(refusals=1_000_000, limit=3)
    await stage.pump.start()
    stage.outbox.put("a", "b")
    await asyncio.wait_for(stage.pump.room(), 5)
    stage.outbox.put("c")
    waiting = asyncio.create_task(stage.pump.room())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    stage.full.refusals = 0
    await asyncio.wait_for(waiting, 10)
    await stage.pump.stop()
