"""Whether it is we who are cut off, and the clock that stands still meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.delivery.outage import OutageWatch


def watch_with(unreachable: int, reached: int, now: float = 0.0) -> OutageWatch:
    watch = OutageWatch()
    for number in range(unreachable):
        watch.unreachable(f"bad{number}", now)
    for number in range(reached):
        watch.reached(f"good{number}", now)
    return watch


@given(st.integers(0, 30), st.integers(0, 30))
def test_four_fifths_of_at_least_five_hosts_make_an_outage(unreachable: int, reached: int) -> None:
    watch = watch_with(unreachable, reached)
    hosts = unreachable + reached
    assert watch.judge(0.0) == (hosts >= 5 and unreachable * 10 >= hosts * 8)


def test_the_failing_clock_stands_still_during_an_outage_and_goes_on_after() -> None:
    watch = watch_with(10, 0)
    assert watch.failing_clock(50.0) == 50.0
    watch.judge(100.0)
    assert watch.is_on
    assert watch.failing_clock(400.0) == 100.0
    for number in range(5):
        watch.reached(f"bad{number}", 390.0)
    assert watch.judge(400.0)
    assert not watch.is_on
    assert (watch.failing_clock(400.0), watch.failing_clock(410.0)) == (100.0, 110.0)


def test_beginning_and_end_are_each_said_once() -> None:
    watch = watch_with(5, 0)
    assert [watch.judge(1.0), watch.judge(2.0)] == [True, False]
    watch.reached("bad0", 3.0)
    watch.reached("bad1", 3.0)
    assert [watch.judge(3.0), watch.judge(4.0)] == [True, False]


def test_hosts_reached_long_ago_say_nothing_but_unreachable_ones_count_until_their_next_try() -> None:
    watch = watch_with(5, 5)
    assert not watch.judge(10.0)
    assert watch.judge(301.0)
    assert watch.is_on
    assert watch.judge(1001.0)
    assert not watch.is_on


def test_a_host_counts_by_its_last_outcome() -> None:
    watch = watch_with(5, 0)
    watch.reached("bad0", 1.0)
    watch.unreachable("bad0", 2.0)
    assert watch.judge(2.0)
    assert watch.figures == (5, 5)


def test_the_failing_clock_does_not_count_what_our_own_process_slept_through_and_counts_it_once() -> None:
    watch = watch_with(0, 1)
    watch.stood_still(600.0)
    assert watch.failing_clock(700.0) == 100.0
    for number in range(20):
        watch.unreachable(f"bad{number}", 700.0)
    watch.judge(700.0)
    watch.stood_still(50.0)  # within an outage, whose time does not count anyhow
    for number in range(20):
        watch.reached(f"bad{number}", 790.0)
    watch.judge(800.0)
    assert watch.failing_clock(810.0) == 110.0
