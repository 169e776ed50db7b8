"""The watermark passes what is settled, and nothing else."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bellwire.delivery.settling import Settling
from bellwire.model.ids import LOG_START, Position


def test_without_open_positions_the_watermark_is_the_last_routed() -> None:
    settling = Settling(LOG_START)
    settling.route(Position(1), 0, 0.0)
    settling.route(Position(7), 0, 0.0)
    assert settling.watermark() == 7


def test_the_watermark_waits_below_the_oldest_open_position() -> None:
    settling = Settling(Position(10))
    settling.route(Position(11), 2, 1.0)
    settling.route(Position(12), 1, 2.0)
    settling.settle(Position(12))
    settling.settle(Position(11))
    assert settling.watermark() == 10
    assert settling.open_since() == 1.0
    settling.settle(Position(11))
    assert settling.watermark() == 12
    assert settling.open_since() is None


@given(st.lists(st.integers(0, 3), max_size=40), st.randoms())
def test_it_agrees_with_a_count_of_everything(counts: list[int], random: Random) -> None:
    settling = Settling(LOG_START)
    left = Counter({Position(n + 1): count for n, count in enumerate(counts)})
    for position, count in enumerate(counts, 1):
        settling.route(Position(position), count, 0.0)
    work = [position for position, count in left.items() for _ in range(count)]
    random.shuffle(work)
    for position in work:
        settling.settle(position)
        left[position] -= 1
        oldest = min((p for p, count in left.items() if count), default=None)
        assert settling.watermark() == (len(counts) if oldest is None else oldest - 1)
