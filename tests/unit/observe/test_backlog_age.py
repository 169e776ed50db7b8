from __future__ import annotations

from collections.abc import Mapping, Sequence

from bellwire.model.ids import EMBEDDED_PARTITION, Position, SubscriptionId
from bellwire.observe.backlog_age import BacklogAge
from bellwire.ports.backlog import BacklogTotals
from bellwire.ports.retention import AttemptHour, LogExtent
from bellwire.storage.memory import MemoryEngine
from tests.conformance.event_log import some_events
from tests.doubles.stepped_clock import SteppedClock


class Totals:
    """A retention store of which only the totals matter."""

    def __init__(self) -> None:
        self.oldest: dict[str, int] = {}

    async def backlog_totals(self) -> Mapping[SubscriptionId, BacklogTotals]:
        return {SubscriptionId(name): BacklogTotals(1, 1, Position(at)) for name, at in self.oldest.items()}

    async def note_time(self, now_ms: int) -> int | None:
        raise NotImplementedError

    async def logged_before(self, moment_ms: int) -> Position:
        raise NotImplementedError

    async def log_extent(self) -> LogExtent:
        raise NotImplementedError

    async def needed(self, first: Position, last: Position) -> Sequence[int]:
        raise NotImplementedError

    async def attempt_hours(self) -> list[AttemptHour]:
        raise NotImplementedError

    async def drop_attempts_before(self, before_ms: int) -> int:
        raise NotImplementedError


async def test_the_age_is_that_of_the_oldest_event_that_waits_and_0_when_none_does() -> None:
    engine, totals, clock = MemoryEngine(), Totals(), SteppedClock()
    await engine.event_log.append(EMBEDDED_PARTITION, some_events(3))
    event_ms = some_events(1)[0].timestamp_ms
    age = BacklogAge(store=totals, log=engine.event_log, clock=clock, is_empty=lambda: not totals.oldest)

    await age.measure()
    nothing = age.seconds()
    totals.oldest = {"a": 3, "b": 2}
    await age.measure()
    waiting = age.seconds()
    clock.advance(60)
    later = age.seconds()
    totals.oldest = {}

    assert nothing == 0
    assert waiting == (clock.now_ms() - 60_000 - event_ms) / 1000
    assert later == waiting + 60
    assert age.seconds() == 0
