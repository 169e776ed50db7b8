"""Retention against a store that says what it is told: clocks that jump, bounds by age and size, order of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bellwire.engine.deliver import Deliveries
from bellwire.engine.retention import Retention, RetentionLimits
from bellwire.errors import Unavailable
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, Position, SubscriptionId
from bellwire.ports.backlog import BacklogTotals
from bellwire.ports.retention import AttemptHour, LogExtent
from bellwire.storage.memory import MemoryEngine
from tests.conformance.event_log import an_event
from tests.doubles import delivering
from tests.doubles.stepped_clock import SteppedClock

HOUR = 3600.0
MIB = 1 << 20


@dataclass
class Store:
    """`RetentionStore` whose notes of time are real, and whose sizes are given."""

    notes: list[tuple[int, Position]] = field(default_factory=list)
    extent: LogExtent = field(default_factory=lambda: LogExtent(Position(1), 0))
    hours: list[AttemptHour] = field(default_factory=list)
    dropped_before_ms: list[int] = field(default_factory=list)
    head: Position = LOG_START
    totals: Mapping[SubscriptionId, BacklogTotals] = field(default_factory=dict)

    async def note_time(self, now_ms: int) -> int | None:
        before = self.notes[-1][0] if self.notes else None
        self.notes.append((now_ms, self.head))
        return before

    async def logged_before(self, moment_ms: int) -> Position:
        return max((position for at, position in self.notes if at <= moment_ms), default=LOG_START)

    async def log_extent(self) -> LogExtent:
        return self.extent

    async def backlog_totals(self) -> Mapping[SubscriptionId, BacklogTotals]:
        return self.totals

    async def needed(self, first: Position, last: Position) -> Sequence[int]:
        return []

    async def attempt_hours(self) -> list[AttemptHour]:
        return self.hours

    async def drop_attempts_before(self, before_ms: int) -> int:
        self.dropped_before_ms.append(before_ms)
        return sum(hour.ended_ms <= before_ms for hour in self.hours)


class Settled:
    """As much of `Deliveries` as retention asks when there is no backlog."""

    committed_watermark = LOG_START

    def figures(self) -> dict[str, float]:
        return {"backlog_rows": 0.0}


class JumpingClock(SteppedClock):
    def jump(self, seconds: float) -> None:
        """The wall clock alone."""
        self._now += timedelta(seconds=seconds)


class Stage:
    def __init__(self, **limits: Any) -> None:
        self.clock = JumpingClock()
        self.store = Store()
        self.settled = Settled()
        self.log = MemoryEngine().event_log
        self.backlog = MemoryEngine().backlog
        self.retention = self.restarted(**limits)

    def restarted(self, **limits: Any) -> Retention:
        return Retention(
            partition=EMBEDDED_PARTITION,
            store=self.store,
            log=self.log,
            backlog=self.backlog,
            deliveries=cast(Deliveries, self.settled),
            clock=self.clock,
            limits=RetentionLimits(
                **{"log_bytes": 100 * MIB, "history_bytes": 100 * MIB, "backlog_rows": 1000} | limits
            ),
        )

    async def publish(self, events: int) -> None:
        await self.log.append(EMBEDDED_PARTITION, [an_event(f"{self.store.head}-{n}") for n in range(events)])
        self.store.head = self.settled.committed_watermark = self.log.head(EMBEDDED_PARTITION)

    async def left(self) -> int:
        head = self.store.head
        found = await self.log.get(EMBEDDED_PARTITION, [Position(n) for n in range(1, head + 1)])
        if found:
            self.store.extent = LogExtent(min(found), self.store.extent.used_bytes)
        return len(found)

    async def sweep_after(self, seconds: float) -> int:
        """How many events are left after so long, and a sweep."""
        self.clock.advance(seconds)
        await self.retention.sweep()
        return await self.left()


async def test_events_go_once_they_are_seventy_two_hours_old() -> None:
    stage = Stage()
    await stage.publish(10)
    await stage.retention.sweep()
    await stage.publish(5)
    assert await stage.sweep_after(HOUR) == 15
    assert await stage.sweep_after(71 * HOUR) == 5
    assert await stage.sweep_after(HOUR) == 0
    assert stage.retention.dropped["events"] == 15


async def test_nothing_above_the_watermark_goes() -> None:
    stage = Stage()
    await stage.publish(10)
    stage.settled.committed_watermark = Position(4)
    await stage.retention.sweep()
    assert await stage.sweep_after(100 * HOUR) == 6


@pytest.mark.parametrize("jump", [400 * HOUR, 61.0, -61.0, -400 * HOUR])
async def test_a_jump_of_the_wall_clock_suspends_retention_for_an_hour_and_says_so(jump: float) -> None:
    stage = Stage()
    await stage.publish(10)
    await stage.retention.sweep()
    stage.clock.jump(jump)
    with capture_logs() as logs:
        assert await stage.sweep_after(60) == 10
    assert [line["event"] for line in logs] == ["retention.suspended"]
    assert stage.retention.is_suspended
    assert await stage.sweep_after(HOUR - 61) == 10
    await stage.sweep_after(62)
    assert not stage.retention.is_suspended


async def test_a_small_correction_of_the_wall_clock_is_no_jump() -> None:
    stage = Stage()
    await stage.retention.sweep()
    stage.clock.jump(59.0)
    await stage.sweep_after(60)
    assert not stage.retention.is_suspended


async def test_after_a_long_stop_what_waited_has_an_hour_before_it_is_too_old() -> None:
    stage = Stage()
    await stage.publish(10)
    await stage.retention.sweep()
    stage.clock.advance(100 * HOUR)
    stage.retention = stage.restarted()
    assert await stage.sweep_after(0) == 10
    assert await stage.sweep_after(HOUR + 1) == 0


async def test_a_log_that_is_too_large_loses_about_as_much_as_it_is_too_large() -> None:
    stage = Stage(log_bytes=60 * MIB)
    await stage.publish(100)
    stage.store.extent = LogExtent(Position(1), 100 * MIB)
    assert await stage.sweep_after(60) == 60


async def test_old_hours_of_attempts_go_early_when_there_are_too_many_but_never_the_present_one() -> None:
    stage = Stage(history_bytes=25 * MIB)
    now = stage.clock.now_ms()
    stage.store.hours = [AttemptHour(now - 1000 * n, 10 * MIB) for n in (4, 3, 2, 1)]
    await stage.retention.sweep()
    assert stage.store.dropped_before_ms == [now - 3000]
    stage.store.hours = [AttemptHour(now + 1000, 900 * MIB)]
    await stage.retention.sweep()
    assert stage.store.dropped_before_ms[1] == now - round(72 * HOUR * 1000)


async def test_what_is_dropped_is_counted_and_named_though_the_disk_refuses_its_commit_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    id_ = SubscriptionId("s")
    stage = delivering.Stage()
    await stage.start("s")
    deliveries, backlog = stage.deliveries, stage.engine.backlog
    deliveries.hold(id_)
    for _ in range(10):
        await stage.publish("s")
    assert await deliveries.commit()
    commit, refused = backlog.commit, 0

    async def refusing(*arguments: Any) -> None:
        nonlocal refused
        if arguments[4] and not refused:  # rows are to go
            refused += 1
            raise Unavailable("The disk is full for a moment.")
        await commit(*arguments)

    monkeypatch.setattr(backlog, "commit", refusing)
    retention = Retention(
        partition=EMBEDDED_PARTITION,
        store=Store(totals={id_: BacklogTotals(rows=10, size_bytes=0, oldest=Position(1))}),
        log=stage.engine.event_log,
        backlog=backlog,
        deliveries=deliveries,
        clock=stage.clock,
        limits=RetentionLimits(log_bytes=100 * MIB, history_bytes=100 * MIB, backlog_rows=7),
    )

    with capture_logs() as logs:
        await retention.sweep()

    await delivering.until(lambda: stage.rows == 7)
    assert refused == 1
    assert retention.dropped["notifications"] == 3
    [named] = [line for line in logs if line["event"] == "backlog.expired"]
    assert (named["rows"], named["from_position"], named["to_position"]) == (3, 1, 3)
    given_up = await backlog.attempts_of(id_, 10)
    assert [attempt.position for attempt in given_up] == [3, 2, 1]
    await stage.stop()
    assert stage.failures == []
