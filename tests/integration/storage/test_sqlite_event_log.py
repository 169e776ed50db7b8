"""The event log over real SQLite files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from bellwire.errors import Misconfigured, Overloaded, Unavailable
from bellwire.model.event import Facts
from bellwire.model.ids import LOG_START, Partition, Position
from bellwire.ports.event_log import Appended, Duplicate
from tests.conformance.event_log import (
    MUCH,
    PARTITION,
    EngineUnderTest,
    EventLogContract,
    an_event,
    positions_of,
    read_all,
    some_events,
)
from tests.integration.storage.embedded_engine import SMALL, EmbeddedEngine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    yield engine
    await engine.close()


class TestSqliteEventLog(EventLogContract):
    pass


class TestSqliteEventLogWithoutTail(EventLogContract):
    """The same from the disk: nothing stays in memory but the newest event."""

    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
        engine = await EmbeddedEngine(tmp_path / "data", limits=replace(SMALL, tail_events=1, group_events=2)).open()
        yield engine
        await engine.close()

    async def test_all_fields_of_an_event_survive_a_restart_but_facts(self, engine: EngineUnderTest) -> None:
        """Facts don't even live until the restart here."""
        await engine.event_log.append(PARTITION, [an_event(facts=Facts(({},), "k")), an_event("newest")])
        assert (await read_all(engine.event_log))[0].event == an_event()


async def test_fresh_events_are_the_very_objects_that_were_appended(engine: EmbeddedEngine) -> None:
    event = an_event(facts=Facts(({},), "k"))
    await engine.event_log.append(PARTITION, [event])
    [logged] = await engine.event_log.read(PARTITION, LOG_START, MUCH)
    assert logged.event is event


async def test_reading_goes_from_disk_to_memory_without_a_gap(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data", limits=replace(SMALL, tail_events=50, read_events=30)).open()
    for n in range(20):
        await engine.event_log.append(PARTITION, some_events(10, prefix=f"{n}-"))
    found = await read_all(engine.event_log)
    await engine.close()
    assert positions_of(found) == list(range(1, 201))


async def test_another_partition_is_a_mistake_of_the_caller(engine: EmbeddedEngine) -> None:
    with pytest.raises(ValueError, match="partition"):
        await engine.event_log.append(Partition(3), [an_event()])


async def test_appends_beyond_what_may_wait_are_refused_at_once_and_not_logged(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data", limits=replace(SMALL, waiting_events=100)).open()
    calls = [asyncio.create_task(engine.event_log.append(PARTITION, some_events(40, prefix=f"{n}-"))) for n in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)

    refused = [result for result in results if isinstance(result, Overloaded)]
    assert len(refused) == 3
    assert refused[0].retry_after_seconds >= 1
    assert len(await read_all(engine.event_log)) == 80
    assert len(await engine.event_log.append(PARTITION, some_events(100, prefix="later"))) == 100
    await engine.close()


async def test_appends_beyond_the_bytes_that_may_wait_are_refused(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data", limits=replace(SMALL, waiting_bytes=100_000)).open()
    large = an_event(body=b"x" * 90_000)
    first = asyncio.create_task(engine.event_log.append(PARTITION, [large]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await engine.event_log.append(PARTITION, [large])
    await first
    await engine.close()


async def test_one_call_larger_than_what_may_wait_is_taken_when_nothing_waits(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data", limits=replace(SMALL, waiting_events=100)).open()
    assert len(await engine.event_log.append(PARTITION, some_events(1000))) == 1000
    await engine.close()


async def test_close_finishes_what_is_queued(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    calls = [asyncio.create_task(engine.event_log.append(PARTITION, some_events(9, prefix=f"{n}"))) for n in range(300)]
    await asyncio.sleep(0)
    await engine.close()
    answers = await asyncio.gather(*calls)
    assert sum(len(answer) for answer in answers) == 2700
    await engine.open()
    assert len(await read_all(engine.event_log)) == 2700
    await engine.close()


async def test_after_close_calls_are_refused_and_waiting_readers_told(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    log = engine.event_log
    reading = asyncio.create_task(log.read(PARTITION, LOG_START, MUCH))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(Unavailable):
        await reading
    with pytest.raises(Unavailable):
        await log.append(PARTITION, [an_event()])
    await engine.files.close()  # a second close does nothing


async def test_a_closed_engine_leaves_no_write_ahead_files(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    await engine.event_log.append(PARTITION, some_events(10))
    await engine.close()
    assert {path.name for path in engine.directory.iterdir()} == {"lock", "log.db", "dedupe.db", "delivery.db"}


async def test_a_log_older_than_the_deliveries_goes_on_above_the_watermark(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, Position(500), [], [], [])
    await engine.close()
    (engine.directory / "log.db").unlink()
    await engine.open()
    [answer] = await engine.event_log.append(PARTITION, [an_event()])
    assert answer.position == 501


async def test_a_lost_dedupe_file_is_made_again_from_the_log(engine: EmbeddedEngine) -> None:
    answers = await engine.event_log.append(PARTITION, some_events(100, chosen=True))
    await engine.close()
    (engine.directory / "dedupe.db").unlink()
    await engine.open()
    again = await engine.event_log.append(PARTITION, some_events(100, chosen=True))
    assert again == [Duplicate(answer.position) for answer in answers]


async def test_a_damaged_file_is_refused_at_open_by_name(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    await engine.close()
    (engine.directory / "log.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Misconfigured, match=r"log\.db"):
        await engine.open()


async def test_a_file_of_a_later_format_is_refused(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    await engine.close()
    connection = apsw.Connection(str(engine.directory / "delivery.db"))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(Misconfigured, match="format 99"):
        await engine.open()


async def test_large_trims_leave_room_for_appends_between_their_chunks(engine: EmbeddedEngine) -> None:
    for _ in range(10):
        await engine.event_log.append(PARTITION, some_events(1000))
    trimming = asyncio.create_task(engine.event_log.trim(PARTITION, Position(9001), 100_000))
    answers = []
    while not trimming.done():
        answers += await engine.event_log.append(PARTITION, [an_event("between")])
    assert await trimming == 9000
    assert len(answers) > 3
    assert all(isinstance(answer, Appended) for answer in answers)
    assert positions_of(await read_all(engine.event_log)) == list(range(9001, 10_001 + len(answers)))
