"""History on the embedded engine: the contract, pages that meet their bound, segments, and files of format 1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import apsw
import msgspec
import pytest

from bellwire.model.attempt import AttemptOutcome, FailureCode
from bellwire.model.ids import LOG_START, Position
from bellwire.ports.history import AttemptQuery, EventQuery
from bellwire.storage.embedded.attempt_tables import SEGMENT_ROWS
from bellwire.storage.embedded.delivery_file import DELIVERY_FILE, SCHEMA
from tests.conformance.backlog import FIRST, ONE, TWO, a_row
from tests.conformance.event_log import OTHER
from tests.conformance.history import (
    ANY_ATTEMPT,
    PARTITION,
    HistoryContract,
    ReplayStoreContract,
    all_attempts,
    all_events,
    event,
)
from tests.doubles.attempts import an_attempt
from tests.doubles.stepped_clock import SteppedClock
from tests.integration.storage.embedded_engine import SMALL, EmbeddedEngine

HOUR = 3600


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = await EmbeddedEngine(tmp_path / "data", clock=SteppedClock()).open()
    yield engine
    await engine.close()
    assert engine.failures == []


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    """An engine whose pages look at next to nothing."""
    limits = replace(SMALL, history_rows=10, outcome_rows=10)
    engine = await EmbeddedEngine(tmp_path / "impatient", clock=SteppedClock(), limits=limits).open()
    yield engine
    await engine.close()


class TestSqliteHistory(HistoryContract):
    pass


class TestSqliteReplayStore(ReplayStoreContract):
    pass


class TestHistoryInSmallPieces(HistoryContract):
    """The same contract where nearly every page meets its bound."""

    @pytest.fixture
    async def engine(self, impatient: EmbeddedEngine) -> EmbeddedEngine:
        return impatient

    async def test_an_empty_stretch_is_looked_at_to_its_end(self, engine: EmbeddedEngine) -> None:  # type: ignore[override]
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 25)])
        stretch = await engine.history.stretch(
            PARTITION, EventQuery(account=OTHER), (LOG_START, Position(24)), limit=9, max_bytes=100
        )
        assert (stretch.events, stretch.reached) == ((), 10)


async def indexed(engine: EmbeddedEngine) -> None:
    """Until upkeep has made segments of all that it can: a task runs only between two of its steps."""
    for _ in range(40):
        await engine.files._writer.submit(lambda: None)


async def test_attempts_are_found_through_segments_hours_and_what_has_no_segment_yet(engine: EmbeddedEngine) -> None:
    clock = engine.clock
    assert isinstance(clock, SteppedClock)
    lease = await engine.backlog.claim(PARTITION)
    written = 0
    for _ in range(3):
        for _ in range(6):
            batch = []
            for n in range(written, written + 1000):
                attempt = an_attempt(n, subscription=ONE if n % 50 == 0 else TWO)
                if n % 700 == 0:
                    attempt = msgspec.structs.replace(attempt, outcome=AttemptOutcome.FAILED, failure=FailureCode.RESET)
                batch.append(attempt)
            await engine.backlog.commit(lease, Position(written), batch, [], [])
            written += 1000
        clock.advance(HOUR)
    await indexed(engine)

    async def found(**query: object) -> list[int]:
        attempts = await all_attempts(engine.history, AttemptQuery(**query), 77)  # type: ignore[arg-type]
        return [attempt.position for attempt in attempts]

    everything = list(range(written - 1, -1, -1))
    assert await found() == everything
    assert await found(subscriptions=frozenset((ONE,))) == [n for n in everything if n % 50 == 0]
    assert await found(subscriptions=frozenset((ONE, TWO))) == everything
    assert await found(outcome=AttemptOutcome.FAILED) == [n for n in everything if n % 700 == 0]
    assert await found(position=Position(4321)) == [4321]
    base = an_attempt(0).started_ms
    assert await found(from_ms=base + 5000, until_ms=base + 13_000) == [n for n in everything if 5000 <= n < 13_000]
    for position in (0, 4321, written - 1):
        outcomes = await engine.history.outcomes(Position(position))
        assert outcomes.is_complete
        assert [record.last.attempt.position for record in outcomes.records if record.last] == [position]


async def test_a_page_that_met_its_bound_says_where_to_go_on(impatient: EmbeddedEngine) -> None:
    lease = await impatient.backlog.claim(PARTITION)
    count = SEGMENT_ROWS + 500
    await impatient.backlog.commit(lease, LOG_START, [an_attempt(n, subscription=TWO) for n in range(count)], [], [])
    await impatient.backlog.commit(lease, LOG_START, [an_attempt(n) for n in range(SEGMENT_ROWS)], [], [])

    page = await impatient.history.attempts(AttemptQuery(subscriptions=frozenset((TWO,))), None, 5)

    assert page.records == ()
    assert page.before is not None
    assert len(await all_attempts(impatient.history, AttemptQuery(subscriptions=frozenset((TWO,))), 1000)) == count


async def test_events_are_found_over_windows(engine: EmbeddedEngine) -> None:
    for start in range(0, 20_000, 5000):
        await engine.event_log.append(PARTITION, [event(n) for n in range(start, start + 5000)])
    assert await all_events(engine.history, EventQuery(uuid="u3"), 10) == [4]
    assert await all_events(engine.history, EventQuery(), 999) == list(range(20_000, 0, -1))


async def test_segments_go_with_their_hour(engine: EmbeddedEngine) -> None:
    clock = engine.clock
    assert isinstance(clock, SteppedClock)
    lease = await engine.backlog.claim(PARTITION)
    for n in (1, 2):
        await engine.backlog.commit(lease, Position(n), [an_attempt(n)] * (SEGMENT_ROWS + 10), [], [])
        clock.advance(HOUR)
    await engine.backlog.commit(lease, Position(9), [an_attempt(3)], [], [])
    await engine.backlog.commit(lease, Position(9), [], [], [])
    await indexed(engine)
    await engine.backlog.drop_attempts_before(clock.now_ms() - HOUR * 1000)

    def segments(db: apsw.Connection) -> list[int]:
        return [segment for (segment,) in db.execute("SELECT segment FROM attempt_segment")]

    left = await engine.files._readers[1].read(lambda files: segments(files.delivery))
    assert left
    assert min(left) == SEGMENT_ROWS + 11
    assert len(await all_attempts(engine.history, ANY_ATTEMPT, 5000)) == SEGMENT_ROWS + 11


async def test_a_delivery_file_of_format_1_opens_with_its_attempts_and_rows(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    engine = await EmbeddedEngine(directory, clock=SteppedClock()).open()
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.commit(lease, LOG_START, [an_attempt(n) for n in range(SEGMENT_ROWS + 7)], [a_row(5)], [])
    await indexed(engine)
    await engine.close()
    _back_to_format_1(directory / DELIVERY_FILE)

    await engine.open()

    found = await all_attempts(engine.history, AttemptQuery(position=Position(3)), 10)
    assert found == [an_attempt(3)]
    await engine.backlog.commit(await engine.backlog.claim(PARTITION), LOG_START, [an_attempt(9000)], [], [])
    assert len(await all_attempts(engine.history, ANY_ATTEMPT, 1000)) == SEGMENT_ROWS + 8
    assert await engine.replays.all() == []
    assert await engine.backlog.pending(ONE, FIRST, 10) == [a_row(5, further=None)]
    await engine.close()


def _back_to_format_1(path: Path) -> None:
    """What the release before wrote: the same but for what the upgrade adds."""
    db = apsw.Connection(str(path))
    for (hour,) in db.execute("SELECT hour FROM attempt_hour").fetchall():
        db.execute(f"ALTER TABLE attempt_{hour} DROP COLUMN replay")
    db.execute("ALTER TABLE backlog DROP COLUMN further")
    db.execute("DROP TABLE attempt_segment; DROP TABLE replay; PRAGMA user_version=1")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    fresh = apsw.Connection(":memory:")
    fresh.execute(SCHEMA)
    assert {name for (name,) in fresh.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")} <= tables
    db.close()
