"""A disk that is full for a while, and a disk that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest

from bellwire.errors import Overloaded, Unavailable
from bellwire.model.ids import LOG_START, Position
from bellwire.storage.embedded.disk_space import BALLAST_FILE
from tests.conformance.backlog import FIRST, ONE, a_row
from tests.conformance.event_log import MUCH, PARTITION, an_event, read_all, some_events
from tests.doubles.attempts import an_attempt
from tests.integration.storage.embedded_engine import SMALL, EmbeddedEngine

MIB = 1 << 20
LIMITS = replace(SMALL, minimum_free_bytes=10 * MIB, ballast_bytes=MIB, disk_check_seconds=0.01)


@dataclass(slots=True)
class Disk:
    free: int = 1000 * MIB

    def __call__(self, _: Path) -> int:
        return self.free


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def engine(tmp_path: Path, disk: Disk) -> AsyncIterator[EmbeddedEngine]:
    engine = await EmbeddedEngine(tmp_path / "data", limits=LIMITS, free_bytes=disk).open()
    yield engine
    await engine.close()


async def append_until_taken(engine: EmbeddedEngine) -> None:
    """Publish as a client does that is told to come again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await engine.event_log.append(PARTITION, [an_event("taken")])
            except Unavailable:
                await asyncio.sleep(0.005)
            else:
                return


async def append_until_refused(engine: EmbeddedEngine) -> Unavailable:
    async with asyncio.timeout(10):
        while True:
            try:
                await engine.event_log.append(PARTITION, [an_event("before")])
            except Unavailable as refusal:
                return refusal
            await asyncio.sleep(0.005)


async def test_a_nearly_full_disk_refuses_appends_and_gives_the_ballast_up(engine: EmbeddedEngine, disk: Disk) -> None:
    assert (engine.directory / BALLAST_FILE).stat().st_size == MIB

    disk.free = 9 * MIB
    refusal = await append_until_refused(engine)

    head = engine.event_log.head(PARTITION)
    assert refusal.retry_after_seconds > 0
    assert not isinstance(refusal, Overloaded), "the publisher can't help it by slowing down"
    assert not (engine.directory / BALLAST_FILE).exists()
    with pytest.raises(Unavailable):
        await engine.event_log.append(PARTITION, some_events(5))
    assert engine.event_log.head(PARTITION) == head
    assert engine.failures == []


async def test_settling_and_retention_go_on_while_the_disk_is_nearly_full(engine: EmbeddedEngine, disk: Disk) -> None:
    await engine.event_log.append(PARTITION, some_events(300))
    disk.free = 0
    await append_until_refused(engine)

    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, Position(1), [an_attempt(1)], [a_row(2)], [])
    assert await engine.event_log.trim(PARTITION, Position(300), 1000) == 299
    assert await engine.backlog.purge(ONE) == 1


async def test_appends_are_taken_again_when_there_is_room_and_the_ballast_is_laid_down(
    engine: EmbeddedEngine, disk: Disk
) -> None:
    disk.free = 9 * MIB
    await append_until_refused(engine)

    disk.free = 1000 * MIB
    await append_until_taken(engine)

    assert (engine.directory / BALLAST_FILE).stat().st_size == MIB


async def test_the_room_of_the_ballast_itself_is_no_recovery(engine: EmbeddedEngine, disk: Disk) -> None:
    disk.free = 10 * MIB - 1
    await append_until_refused(engine)
    disk.free += MIB
    await asyncio.sleep(0.05)  # several checks
    with pytest.raises(Unavailable):
        await engine.event_log.append(PARTITION, [an_event()])


async def test_a_write_that_finds_the_disk_full_is_refused_whole_and_nothing_ends(engine: EmbeddedEngine) -> None:
    await engine.event_log.append(PARTITION, [an_event("before", chosen=True)])
    db = engine.files._files.log._db
    writer = engine.files._writer
    await writer.submit(lambda: db.execute("PRAGMA max_page_count=10").fetchall())
    with pytest.raises(Unavailable):
        await engine.event_log.append(PARTITION, [an_event(f"big{n}", body=b"x" * MIB, chosen=True) for n in range(2)])
    await writer.submit(lambda: db.execute("PRAGMA max_page_count=100000").fetchall())
    await append_until_taken(engine)
    assert [logged.event.uuid for logged in await read_all(engine.event_log)] == ["before", "taken"]
    assert engine.failures == []


async def test_a_failing_log_is_reported_once_and_ends_all_writing(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    await engine.event_log.append(PARTITION, [an_event()])
    lease = await engine.backlog.claim(PARTITION)
    reading = asyncio.create_task(engine.event_log.read(PARTITION, Position(1), MUCH))
    await asyncio.sleep(0)
    vandal = apsw.Connection(str(engine.directory / "log.db"))
    vandal.execute("DROP TABLE event")
    vandal.close()

    calls = [asyncio.create_task(engine.event_log.append(PARTITION, [an_event(f"{n}")])) for n in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(result, Unavailable) for result in results)
    with pytest.raises(Unavailable):
        await engine.event_log.append(PARTITION, [an_event()])
    with pytest.raises(Unavailable):
        await engine.backlog.commit(lease, Position(1), [], [], [])
    with pytest.raises(Unavailable):
        await engine.event_log.trim(PARTITION, Position(1), 10)
    with pytest.raises(Unavailable):
        await engine.backlog.purge(ONE)
    assert [type(failure) for failure in engine.failures] == [apsw.SQLError]
    assert not reading.done()
    await engine.close()
    with pytest.raises(Unavailable):
        await reading


async def test_a_read_that_fails_is_the_callers_alone(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    vandal = apsw.Connection(str(engine.directory / "delivery.db"))
    vandal.execute("ALTER TABLE backlog RENAME TO lost")
    with pytest.raises(Unavailable, match="can't be read"):
        await engine.backlog.pending(ONE, FIRST, 10)
    vandal.execute("ALTER TABLE lost RENAME TO backlog")
    vandal.close()
    assert await engine.backlog.pending(ONE, FIRST, 10) == []
    assert engine.failures == []
    await engine.close()


async def test_a_low_disk_at_open_still_lets_stored_events_be_read(tmp_path: Path, disk: Disk) -> None:
    engine = await EmbeddedEngine(tmp_path / "data", limits=LIMITS, free_bytes=disk).open()
    await engine.event_log.append(PARTITION, [an_event()])
    disk.free = 2 * MIB
    await engine.restart()
    with pytest.raises(Unavailable):
        await engine.event_log.append(PARTITION, [an_event()])
    assert len(await engine.event_log.read(PARTITION, LOG_START, MUCH)) == 1
    await engine.close()
