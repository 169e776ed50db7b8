from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.pace import Pace


@given(st.sampled_from([1.0, 8.0, 50.0, 400.0]), st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_was_agreed(per_second: float, idle: list[float]) -> None:
    pace = Pace(per_second)
    now = 100.0
    sent = []
    for pause in idle:
        now = max(now + pause, pace.may_send_at(now + pause))
        pace.sent(now)
        sent.append(now)

    for first in range(len(sent)):
        in_a_second = [at for at in sent[first:] if at < sent[first] + 1]
        assert len(in_a_second) <= per_second * 1.05 + 1


def test_a_sender_that_never_waits_longer_than_it_must_reaches_the_throughput() -> None:
    pace = Pace(100.0)
    now = 0.0
    for _ in range(1000):
        now = max(now, pace.may_send_at(now))
        pace.sent(now)

    assert 9.8 <= now <= 10.0


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace(None)
    pace.sent(5.0)

    assert pace.may_send_at(5.0) <= 5.0


def test_pauses_double_up_to_their_longest_and_end_with_an_acceptance() -> None:
    pace = Pace(None, first_pause=1.0, longest_pause=4.0)
    now = 0.0
    pauses = []
    for _ in range(4):
        pauses.append(pace.refused(now, jitter=1.0))
        assert pace.may_send_at(now) == now + pauses[-1]
        now += pauses[-1]
    pace.accepted(now)
    pauses.append(pace.refused(now, jitter=1.0))

    assert pauses == [1.0, 2.0, 4.0, 4.0, 1.0]


def test_answers_to_what_was_under_way_do_not_lengthen_or_end_the_pause() -> None:
    pace = Pace(None)

    assert pace.refused(10.0, jitter=1.0) == 1.0
    assert pace.refused(10.4, jitter=1.0) == pytest.approx(0.6)
    pace.accepted(10.5)
    assert pace.refused(11.0, jitter=1.0) == 2.0


def test_jitter_halves_a_pause_at_most() -> None:
    assert Pace(None).refused(0.0, jitter=0.0) == 0.5
