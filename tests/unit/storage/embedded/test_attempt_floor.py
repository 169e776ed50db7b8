"""The floor never passes an attempt that recovery needs, and follows the watermark."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.storage.embedded.delivery_file import AttemptFloor
from tests.doubles.attempts import an_attempt


def test_the_floor_follows_once_the_watermark_has_passed_a_commits_positions() -> None:
    floor = AttemptFloor(0, highest=0, last_id=0)
    floor.add([an_attempt(5), an_attempt(3)], last_id=2)
    floor.add([an_attempt(9)], last_id=3)
    assert floor.at(4) == 1
    assert floor.at(5) == 3
    assert floor.at(9) == 4


def test_asking_does_not_move_it() -> None:
    floor = AttemptFloor(1, highest=0, last_id=0)
    floor.add([an_attempt(5)], last_id=1)
    assert floor.at(100) == 2
    assert floor.at(0) == 1


def test_one_high_position_holds_the_floor_for_all_that_follow() -> None:
    floor = AttemptFloor(1, highest=0, last_id=0)
    floor.add([an_attempt(1000)], last_id=1)
    floor.add([an_attempt(2)], last_id=2)
    assert floor.at(999) == 1
    assert floor.at(1000) == 3


def test_attempts_from_before_a_restart_hold_it() -> None:
    floor = AttemptFloor(7, highest=50, last_id=20)
    floor.add([an_attempt(60)], last_id=21)
    assert floor.at(49) == 7
    assert floor.at(50) == 21


def test_marks_are_bounded_and_the_floor_stays_right() -> None:
    floor = AttemptFloor(1, highest=0, last_id=0)
    count = 3 * AttemptFloor.MOST_MARKS
    for n in range(1, count + 1):
        floor.add([an_attempt(n)], last_id=n)
        assert len(floor._marks) <= AttemptFloor.MOST_MARKS
    assert floor.at(count // 2) <= count // 2 + 1
    floor.advance(count)
    assert floor.floor == count + 1


commits = st.lists(st.tuples(st.lists(st.integers(1, 50), max_size=5), st.integers(0, 5)), max_size=40)


@given(commits=commits)
def test_no_attempt_below_the_floor_is_above_the_watermark(commits: list[tuple[list[int], int]]) -> None:
    floor = AttemptFloor(1, highest=0, last_id=0)
    positions: list[int] = []
    watermark = 0
    for commit, step in commits:
        watermark += step
        assert all(position <= watermark for position in positions[: floor.at(watermark) - 1])
        floor.advance(watermark)
        if commit:
            positions += commit
            floor.add([an_attempt(position) for position in commit], last_id=len(positions))
