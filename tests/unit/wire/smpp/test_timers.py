from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.timers import Due, TimerPolicy, Timers

POLICY = TimerPolicy(bind=10, enquire_link=30, response=5, inactivity=100)


def test_a_bind_has_its_time() -> None:
    timers = Timers.connected(POLICY, 1000)

    assert timers.due(1009.9) is None
    assert timers.due(1010) is Due.BIND_TIMED_OUT


def test_silence_is_followed_by_a_question_and_that_by_the_end() -> None:
    timers = Timers.connected(POLICY, 1000).bound(1001).heard(1001)

    assert timers.due(1030.9) is None
    assert timers.due(1031) is Due.ENQUIRE
    asked = timers.enquired(1031)
    assert asked.due(1035.9) is None
    assert asked.due(1036) is Due.LINK_DEAD


def test_anything_heard_answers_the_question() -> None:
    timers = Timers.connected(POLICY, 1000).bound(1000).heard(1000).enquired(1030).heard(1034)

    assert timers.due(1036) is None
    assert timers.next_at == 1064


def test_talk_without_texts_is_inactivity() -> None:
    timers = Timers.connected(POLICY, 1000).bound(1000).heard(1095)

    assert timers.due(1099) is None
    assert timers.due(1100) is Due.INACTIVE
    assert timers.worked(1098).due(1100) is None


def test_inactivity_is_off_unless_asked_for() -> None:
    timers = Timers.connected(TimerPolicy(), 0).bound(0).heard(1e6)

    assert timers.due(1e6) is None


def test_an_unbind_without_an_answer_is_given_up() -> None:
    timers = Timers.connected(POLICY, 1000).bound(1000).unbinding(1001)

    assert timers.due(1005.9) is None
    assert timers.due(1006) is Due.UNBIND_TIMED_OUT


@given(st.lists(st.tuples(st.sampled_from(["bound", "heard", "worked", "enquired", "unbinding"]), st.floats(0, 60))))
def test_nothing_is_due_before_its_time_and_something_at_it(story: list[tuple[str, float]]) -> None:
    now = 0.0
    timers = Timers.connected(POLICY, now)
    for what, pause in story:
        now += pause
        timers = getattr(timers, what)(now)

    assert timers.due(timers.next_at) is not None
    assert timers.due(timers.next_at - 1e-3) is None
