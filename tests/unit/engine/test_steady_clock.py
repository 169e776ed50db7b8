"""The clock that subscriptions expire by: jumps of the wall clock are doubted for an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bellwire.engine.steady_clock import SteadyClock
from tests.doubles.stepped_clock import SteppedClock

DAY = 86_400.0
HOUR = 3600.0


class JumpingClock(SteppedClock):
    def jump(self, seconds: float) -> None:
        """The wall clock alone."""
        self._now += timedelta(seconds=seconds)


def passed(clock: JumpingClock, steady: SteadyClock, seconds: float) -> float:
    """How long so much running time took by the steady clock, which is asked each minute meanwhile."""
    before = steady.now()
    for _ in range(int(seconds // 60)):
        clock.advance(60)
        steady.now_ms()
    clock.advance(seconds % 60)
    return (steady.now() - before).total_seconds()


@pytest.mark.parametrize("jump", [8 * DAY, 61.0, -61.0, -8 * DAY])
def test_a_jump_is_believed_after_an_hour_and_said_at_once(jump: float) -> None:
    clock = JumpingClock()
    steady = SteadyClock(clock)
    assert passed(clock, steady, 90) == 90
    clock.jump(jump)
    with capture_logs() as logs:
        assert passed(clock, steady, HOUR - 1) == HOUR - 1
        assert passed(clock, steady, 2) == 2 + jump
    assert [line["event"] for line in logs] == ["subscriptions.expiry_held", "subscriptions.expiry_resumed"]
    assert logs[0]["by_seconds"] == round(jump)
    assert (steady.now(), steady.now_ms()) == (clock.now(), clock.now_ms())
    assert passed(clock, steady, DAY) == DAY


def test_a_clock_that_is_set_right_is_believed_at_once_and_another_jump_begins_another_hour() -> None:
    clock = JumpingClock()
    steady = SteadyClock(clock)
    clock.jump(8 * DAY)
    assert passed(clock, steady, 1800) == 1800
    clock.jump(-16 * DAY)
    assert passed(clock, steady, HOUR - 60) == HOUR - 60
    clock.jump(8 * DAY)
    assert passed(clock, steady, 60) == 60
    assert steady.now() == clock.now()


def test_small_corrections_and_time_that_passes_are_no_jump() -> None:
    clock = JumpingClock()
    steady = SteadyClock(clock)
    for _ in range(5):
        clock.jump(59)
        clock.advance(61)
        assert steady.now() == clock.now()
    clock.advance(30 * DAY)
    assert steady.now() == clock.now()
