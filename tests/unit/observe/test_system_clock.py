from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from bellwire.observe.system_clock import SystemClock
from bellwire.ports.clock import Clock


def test_advancing_moves_wall_clock_and_running_time_alike() -> None:
    clock = SystemClock()
    before, before_ms, before_running = clock.now(), clock.now_ms(), clock.monotonic()

    clock.advance(timedelta(hours=1))

    assert timedelta(hours=1) <= clock.now() - before < timedelta(hours=1, minutes=1)
    assert 3_600_000 <= clock.now_ms() - before_ms < 3_660_000
    assert 3600 <= clock.monotonic() - before_running < 3660


def test_times_agree_and_are_utc() -> None:
    clock: Clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert abs(clock.now().timestamp() * 1000 - clock.now_ms()) < 1000


@pytest.mark.parametrize("by", [timedelta(0), timedelta(seconds=-1), timedelta(days=4000)])
def test_a_clock_does_not_go_back_nor_out_of_range(by: timedelta) -> None:
    clock = SystemClock()
    before = clock.now_ms()

    with pytest.raises(ValueError, match="advanced by more than 0"):
        clock.advance(by)

    assert clock.now_ms() - before < 60_000


def test_who_listens_is_told_after_each_advance() -> None:
    clock = SystemClock()
    told: list[float] = []
    before = clock.monotonic()
    clock.on_advance(lambda: told.append(clock.monotonic() - before))

    clock.advance(timedelta(seconds=100))
    clock.advance(timedelta(seconds=100))
    with pytest.raises(ValueError, match="advanced by more than 0"):
        clock.advance(timedelta(0))

    assert [round(seconds, -2) for seconds in told] == [100, 200]
