"""The memory engine keeps the contracts of both ports, and a simulated crash loses exactly what was not durable."""

from __future__ import annotations

import asyncio

import pytest

from bellwire.errors import Overloaded
from bellwire.model.event import Facts
from bellwire.model.ids import LOG_START, Position
from bellwire.ports.backlog import Backlog
from bellwire.ports.event_log import EventLog
from bellwire.ports.history import History
from bellwire.ports.replay_store import ReplayStore
from bellwire.storage.memory import MemoryEngine
from tests.conformance.backlog import FIRST, ONE, BacklogContract, a_row
from tests.conformance.event_log import MUCH, PARTITION, EventLogContract, an_event, read_all, some_events
from tests.conformance.history import HistoryContract, ReplayStoreContract


class MemoryUnderTest:
    def __init__(self) -> None:
        self._engine = MemoryEngine()

    @property
    def event_log(self) -> EventLog:
        return self._engine.event_log

    @property
    def backlog(self) -> Backlog:
        return self._engine.backlog

    @property
    def history(self) -> History:
        return self._engine.history

    @property
    def replays(self) -> ReplayStore:
        return self._engine.replays

    async def restart(self) -> None:
        self._engine.crash()

    async def raise_head(self, position: Position) -> None:
        await self._engine.event_log.raise_head(position)


@pytest.fixture
def engine() -> MemoryUnderTest:
    return MemoryUnderTest()


class TestMemoryEventLog(EventLogContract):
    pass


class TestMemoryBacklog(BacklogContract):
    pass


class TestMemoryHistory(HistoryContract):
    pass


class TestMemoryReplayStore(ReplayStoreContract):
    pass


async def test_a_crash_loses_appends_that_were_not_flushed_and_cancels_their_callers() -> None:
    engine = MemoryEngine(is_automatic=False)
    first = asyncio.create_task(engine.event_log.append(PARTITION, [an_event("durable")]))
    await asyncio.sleep(0)
    engine.flush()
    await first
    lost = asyncio.create_task(engine.event_log.append(PARTITION, [an_event("lost", chosen=True)]))
    await asyncio.sleep(0)

    engine.crash()

    with pytest.raises(asyncio.CancelledError):
        await lost
    assert [logged.event.uuid for logged in await read_all(engine.event_log)] == ["durable"]


async def test_nothing_is_readable_before_it_is_durable() -> None:
    engine = MemoryEngine(is_automatic=False)
    appending = asyncio.create_task(engine.event_log.append(PARTITION, [an_event()]))
    reading = asyncio.create_task(engine.event_log.read(PARTITION, LOG_START, MUCH))
    await asyncio.sleep(0)
    assert engine.event_log.head(PARTITION) == LOG_START
    assert not reading.done()
    engine.flush()
    await appending
    assert len(await reading) == 1


async def test_the_log_can_be_ahead_of_the_backlog_at_a_crash() -> None:
    engine = MemoryEngine(is_automatic=False)
    claiming = asyncio.create_task(engine.backlog.claim(PARTITION))
    await asyncio.sleep(0)
    engine.flush()
    lease = await claiming
    appending = asyncio.create_task(engine.event_log.append(PARTITION, [an_event()]))
    committing = asyncio.create_task(engine.backlog.commit(lease, Position(1), [], [a_row(1)], []))
    await asyncio.sleep(0)

    engine.flush(backlog=False)
    engine.crash()

    await appending
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert engine.event_log.head(PARTITION) == 1
    assert await engine.backlog.pending(ONE, FIRST, 10) == []


async def test_facts_are_gone_after_a_crash() -> None:
    engine = MemoryEngine()
    await engine.event_log.append(PARTITION, [an_event(facts=Facts(({},), "k"))])
    engine.crash()
    [logged] = await engine.event_log.read(PARTITION, LOG_START, MUCH)
    assert logged.event.facts is None


async def test_too_much_waiting_is_refused_at_once() -> None:
    engine = MemoryEngine(is_automatic=False, waiting_events=10)
    waiting = asyncio.create_task(engine.event_log.append(PARTITION, some_events(8)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await engine.event_log.append(PARTITION, some_events(3))
    engine.flush()
    assert len(await waiting) == 8
