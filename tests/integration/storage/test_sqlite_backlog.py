"""The backlog over real SQLite files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from bellwire.model.attempt import AttemptOutcome
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Position, SubscriptionId
from tests.conformance.backlog import FIRST, ONE, TWO, BacklogContract, a_row, name_of
from tests.conformance.event_log import PARTITION, some_events
from tests.conformance.retention import RetentionContract
from tests.doubles.attempts import an_attempt
from tests.doubles.stepped_clock import SteppedClock
from tests.integration.storage.embedded_engine import EmbeddedEngine

HOUR = 3600


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def engine(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[EmbeddedEngine]:
    engine = await EmbeddedEngine(tmp_path / "data", clock=clock).open()
    yield engine
    await engine.close()


class TestSqliteBacklog(BacklogContract):
    pass


class TestSqliteRetention(RetentionContract):
    pass


def tables_of(engine: EmbeddedEngine) -> set[str]:
    connection = apsw.Connection(str(engine.directory / "delivery.db"), flags=apsw.SQLITE_OPEN_READONLY)
    names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    return names


async def test_history_spans_hours_and_segments(engine: EmbeddedEngine, clock: SteppedClock) -> None:
    lease = await engine.backlog.claim(PARTITION)
    written = 0
    for _ in range(3):
        for _ in range(5):
            crowd = [an_attempt(written + n, subscription=TWO) for n in range(1, 1500)]
            await engine.backlog.commit(lease, Position(written), [an_attempt(written), *crowd], [], [])
            written += 1500
        clock.advance(HOUR)
    expected = [an_attempt(n) for n in reversed(range(0, written, 1500))]

    assert await engine.backlog.attempts_of(ONE, 100) == expected
    await engine.restart()
    assert await engine.backlog.attempts_of(ONE, 100) == expected
    assert await engine.backlog.attempts_of(ONE, 4) == expected[:4]
    latest = await engine.backlog.attempts_of(TWO, 10_000)
    assert [attempt.position for attempt in latest[:3]] == [written - 1, written - 2, written - 3]
    assert len(latest) == 10_000


async def test_old_hours_are_dropped_whole(engine: EmbeddedEngine, clock: SteppedClock) -> None:
    lease = await engine.backlog.claim(PARTITION)
    for n in range(1, 5):
        await engine.backlog.commit(lease, Position(n), [an_attempt(n)] * 3000, [], [])
        clock.advance(HOUR)
    # The last commit's attempts are below the floor only once a later commit has stored it.
    await engine.backlog.commit(lease, Position(10), [], [], [])

    dropped = await engine.backlog.drop_attempts_before(clock.now_ms() - 2 * HOUR * 1000)

    assert dropped == 2
    assert {attempt.position for attempt in await engine.backlog.attempts_of(ONE, 20_000)} == {3, 4}
    assert len([name for name in tables_of(engine) if name.startswith("attempt_") and name[-1].isdigit()]) == 4

    assert await engine.backlog.drop_attempts_before(clock.now_ms() + HOUR * 1000) == 2
    assert await engine.backlog.attempts_of(ONE, 10) == []
    await engine.restart()
    await engine.backlog.commit(await engine.backlog.claim(PARTITION), Position(11), [an_attempt(12)], [], [])
    assert await engine.backlog.attempts_of(ONE, 10) == [an_attempt(12)]
    recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
    assert recovery.settled == {(ONE, 12, "/t")}


async def test_hours_that_recovery_needs_are_not_dropped(engine: EmbeddedEngine, clock: SteppedClock) -> None:
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, Position(1), [an_attempt(100)], [], [])
    clock.advance(10 * HOUR)
    assert await engine.backlog.drop_attempts_before(clock.now_ms()) == 0
    assert (await engine.backlog.load(lease)).settled == {(ONE, 100, "/t")}


async def test_a_clock_that_jumps_back_does_not_disorder_history(engine: EmbeddedEngine, clock: SteppedClock) -> None:
    lease = await engine.backlog.claim(PARTITION)
    for n, jump in enumerate((0, 5 * HOUR, -7 * HOUR, HOUR), start=1):
        clock.advance(jump)
        await engine.backlog.commit(lease, Position(0), [an_attempt(n)], [], [])
    assert [attempt.position for attempt in await engine.backlog.attempts_of(ONE, 10)] == [4, 3, 2, 1]


async def test_recovery_reads_few_attempts_when_the_watermark_keeps_up(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    for n in range(50):
        await engine.backlog.commit(lease, Position(n * 10), [an_attempt(n * 10 + k) for k in range(1, 11)], [], [])
    connection = apsw.Connection(str(engine.directory / "delivery.db"), flags=apsw.SQLITE_OPEN_READONLY)
    floor = connection.execute("SELECT floor FROM watermark").fetchone()
    connection.close()
    assert floor == (491,)  # of 500 attempts, only the last commit's may be above the watermark of 490


async def test_kept_events_go_once_the_backlog_no_longer_needs_them(
    engine: EmbeddedEngine, clock: SteppedClock
) -> None:
    lease = await engine.backlog.claim(PARTITION)
    answers = await engine.event_log.append(PARTITION, some_events(6))
    needed, done = answers[1].position, answers[2].position
    rows = [a_row(needed), a_row(done), a_row(done, subscription=TWO)]
    await engine.backlog.commit(lease, answers[-1].position, [], rows, [])
    found = await engine.event_log.get(PARTITION, [needed, done])
    await engine.backlog.keep(PARTITION, [LoggedEvent(position, event) for position, event in found.items()])
    await engine.event_log.trim(PARTITION, answers[4].position, 100)
    assert set(await engine.event_log.get(PARTITION, [needed, done])) == {needed, done}

    await engine.backlog.commit(lease, answers[-1].position, [], [], [name_of(rows[1])])
    clock.advance(61)
    await engine.event_log.trim(PARTITION, answers[4].position, 100)
    assert set(await engine.event_log.get(PARTITION, [needed, done])) == {needed, done}

    await engine.backlog.commit(lease, answers[-1].position, [], [], [name_of(rows[2])])
    for _ in range(2):  # the search goes round: its window begins again after it has come to the end
        clock.advance(61)
        await engine.event_log.trim(PARTITION, answers[4].position, 100)
    assert set(await engine.event_log.get(PARTITION, [needed, done])) == {needed}


async def test_a_large_purge_does_not_hold_commits_up(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, Position(0), [], [a_row(n) for n in range(1, 20_001)], [])
    purging = asyncio.create_task(engine.backlog.purge(ONE))
    commits = 0
    while not purging.done():
        await engine.backlog.commit(lease, Position(0), [an_attempt(commits)], [a_row(1, subscription=TWO)], [])
        commits += 1
    assert await purging == 20_000
    assert commits >= 20, "of the purge, one bounded part at a time"
    assert await engine.backlog.pending(TWO, FIRST, 10) == [a_row(1, subscription=TWO)]


async def test_two_hundred_thousand_rows_are_counted_and_paged(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    names = [SubscriptionId(f"{n:08d}-0000-4000-8000-000000000000") for n in range(100)]
    for start in range(0, 200_000, 20_000):
        rows = [a_row(n, subscription=names[n % 100]) for n in range(start, start + 20_000)]
        await engine.backlog.commit(lease, Position(200_000), [], rows, [])

    recovery = await engine.backlog.load(lease)
    page = await engine.backlog.pending(names[50], (Position(100_000), ""), 100)

    assert len(recovery.totals) == 100
    assert recovery.totals[names[7]].rows == 2000
    assert recovery.settled == frozenset()
    assert page[0].position == 100_050
    assert len(page) == 100


async def test_a_failed_attempt_settles_nothing(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, Position(0), [an_attempt(3, outcome=AttemptOutcome.FAILED)], [], [])
    assert (await engine.backlog.load(lease)).settled == frozenset()


async def test_reading_the_backlog_sees_what_a_commit_before_it_returned(engine: EmbeddedEngine) -> None:
    lease = await engine.backlog.claim(PARTITION)
    for n in range(1, 50):
        await engine.backlog.commit(lease, Position(0), [], [a_row(n)], [(ONE, Position(n - 1), "/t")])
        assert await engine.backlog.pending(ONE, FIRST, 10) == [a_row(n)]
