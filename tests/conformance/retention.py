"""What every `RetentionStore` must do. A backend's test class gives `engine`, a `RetentionUnderTest`."""

from __future__ import annotations

from typing import Protocol

from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, Position
from bellwire.ports.backlog import Backlog, BacklogTotals
from bellwire.ports.event_log import EventLog
from bellwire.ports.retention import RetentionStore
from tests.conformance.backlog import ONE, TWO, a_row, name_of
from tests.conformance.event_log import some_events

PARTITION = EMBEDDED_PARTITION


class RetentionUnderTest(Protocol):
    @property
    def event_log(self) -> EventLog: ...

    @property
    def backlog(self) -> Backlog: ...

    @property
    def retention(self) -> RetentionStore: ...


class RetentionContract:
    async def test_without_notes_nothing_is_known_to_be_old(self, engine: RetentionUnderTest) -> None:
        await engine.event_log.append(PARTITION, some_events(3))

        assert await engine.retention.logged_before(1 << 50) == LOG_START

    async def test_a_note_tells_what_was_logged_by_then(self, engine: RetentionUnderTest) -> None:
        noted = []
        for at in (1000, 2000, 3000):
            noted.append(await engine.retention.note_time(at))
            await engine.event_log.append(PARTITION, some_events(10))

        assert noted == [None, 1000, 2000]
        assert await engine.retention.logged_before(999) == LOG_START
        assert await engine.retention.logged_before(2500) == Position(10)
        assert await engine.retention.logged_before(3000) == Position(20)

    async def test_the_extent_begins_at_the_oldest_event_and_shrinks(self, engine: RetentionUnderTest) -> None:
        assert (await engine.retention.log_extent()).first == Position(1)
        await engine.event_log.append(PARTITION, some_events(2000))
        before = await engine.retention.log_extent()
        await engine.event_log.trim(PARTITION, Position(1501), 2000)
        after = await engine.retention.log_extent()

        assert (before.first, after.first) == (Position(1), Position(1501))
        assert after.used_bytes < before.used_bytes

    async def test_an_empty_log_begins_after_its_head(self, engine: RetentionUnderTest) -> None:
        await engine.event_log.append(PARTITION, some_events(3))
        await engine.event_log.trim(PARTITION, Position(10), 10)

        assert (await engine.retention.log_extent()).first == Position(4)

    async def test_totals_and_what_is_needed_follow_the_backlog(self, engine: RetentionUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(3), a_row(7, size_bytes=5), a_row(7, subscription=TWO), a_row(9, subscription=TWO)]
        await engine.backlog.commit(lease, Position(0), [], rows, [])

        assert await engine.retention.backlog_totals() == {
            ONE: BacklogTotals(2, 15, Position(3)),
            TWO: BacklogTotals(2, 20, Position(7)),
        }
        assert list(await engine.retention.needed(Position(3), Position(8))) == [3, 7]

        await engine.backlog.commit(lease, Position(0), [], [], [name_of(row) for row in rows[:3]])
        assert await engine.retention.backlog_totals() == {TWO: BacklogTotals(1, 10, Position(9))}
        assert list(await engine.retention.needed(Position(1), Position(8))) == []

    async def test_without_attempts_there_are_no_hours_to_drop(self, engine: RetentionUnderTest) -> None:
        assert await engine.retention.attempt_hours() == []
        assert await engine.retention.drop_attempts_before(1 << 50) == 0
