"""For whom the router waits, by a clock and an idle time that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

import pytest

from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.line import Line
from bellwire.engine.patience import Patience

LIMITS = DeliveryLimits(patience=0.05, patience_at_most=0.3, patience_again_after=0.5)


class SetClock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.idle = 7.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def now_ms(self) -> int:
        return int(self.time * 1000)

    def monotonic(self) -> float:
        return self.time

    def on_advance(self, listener: Callable[[], None]) -> None:
        pass

    def pass_busy(self, seconds: float) -> None:
        self.time += seconds

    def pass_idle(self, seconds: float) -> None:
        self.time += seconds
        self.idle += seconds


class HalfFull:
    """Of a line, what the patience looks at."""

    def __init__(self, clock: SetClock) -> None:
        self.is_slow = False
        self.lane = self
        self.progress_at = clock.time


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def patience(clock: SetClock) -> Patience:
    return Patience(clock, LIMITS, lambda: clock.idle)


async def pressed(patience: Patience, clock: SetClock) -> Line:
    line = cast("Line", HalfFull(clock))
    patience.press(line)
    await waits(patience)  # as the router does after it has routed an event
    return line


async def waits(patience: Patience) -> bool:
    """Whether the router would wait now."""
    waiting = asyncio.create_task(patience.wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return not done


async def test_a_slow_endpoint_is_waited_for_as_long_as_the_patience_lasts(patience: Patience, clock: SetClock) -> None:
    line = await pressed(patience, clock)
    clock.pass_idle(0.04)
    assert await waits(patience)
    clock.pass_idle(0.02)
    assert not await waits(patience)
    assert line.is_slow


async def test_while_the_process_is_busy_the_endpoint_is_not_blamed_for_a_while(
    patience: Patience, clock: SetClock
) -> None:
    line = await pressed(patience, clock)
    clock.pass_idle(0.03)
    clock.pass_busy(0.2)
    assert await waits(patience)
    clock.pass_busy(0.1)
    assert not await waits(patience), "a process that is busy for ever gets on all the same"
    assert line.is_slow


@pytest.mark.parametrize(("busy", "free"), [(0.0, 0.6), (0.24, 3.0)])
async def test_what_was_waited_in_vain_is_a_tenth_of_the_time(
    patience: Patience, clock: SetClock, busy: float, free: float
) -> None:
    await pressed(patience, clock)
    clock.pass_busy(busy)
    clock.pass_idle(0.055)
    assert not await waits(patience)

    clock.pass_idle(free - 0.1)
    await pressed(patience, clock)
    assert not await waits(patience)

    clock.pass_idle(0.2)
    await pressed(patience, clock)
    assert await waits(patience)


async def test_an_endpoint_that_takes_nothing_is_not_waited_for(patience: Patience, clock: SetClock) -> None:
    line = HalfFull(clock)
    line.progress_at -= 0.06
    patience.press(cast("Line", line))
    assert not await waits(patience)
