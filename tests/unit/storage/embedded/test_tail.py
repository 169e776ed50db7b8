"""The tail holds the newest events within its bounds, and says from where on it holds all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.model.event import LoggedEvent
from bellwire.model.ids import LOG_START, Position
from bellwire.storage.embedded.tail import EVENT_OVERHEAD_BYTES, Tail
from tests.conformance.event_log import an_event

MUCH = 1 << 30


def logged(position: int, size_bytes: int = 10) -> LoggedEvent:
    return LoggedEvent(Position(position), an_event(str(position), body=b"x" * size_bytes))


def positions(tail: Tail, after: int, max_bytes: int = MUCH, max_events: int = MUCH) -> list[int]:
    return [event.position for event in tail.after(Position(after), max_bytes, max_events)]


def test_oldest_events_go_when_there_are_too_many() -> None:
    tail = Tail(LOG_START, max_events=3, max_bytes=MUCH)
    tail.extend([logged(n) for n in range(1, 6)])
    assert tail.start == 2
    assert positions(tail, 2) == [3, 4, 5]


def test_oldest_events_go_when_they_are_too_large() -> None:
    tail = Tail(LOG_START, max_events=100, max_bytes=2 * (EVENT_OVERHEAD_BYTES + 100))
    for n in range(1, 5):
        tail.extend([logged(n, 100)])
    assert tail.start == 2
    assert len(tail) == 2


def test_an_event_larger_than_the_bound_is_not_held() -> None:
    tail = Tail(LOG_START, max_events=100, max_bytes=1000)
    tail.extend([logged(1), logged(2, 5000)])
    assert len(tail) == 0
    assert tail.start == 2


def test_reading_stops_at_bytes_and_at_events_but_gives_one() -> None:
    tail = Tail(LOG_START, max_events=100, max_bytes=MUCH)
    tail.extend([logged(n, 10) for n in range(1, 10)])
    assert positions(tail, 0, max_bytes=35) == [1, 2, 3]
    assert positions(tail, 4, max_bytes=1) == [5]
    assert positions(tail, 0, max_events=2) == [1, 2]
    assert positions(tail, 9) == []


def test_positions_may_have_gaps() -> None:
    tail = Tail(LOG_START, max_events=100, max_bytes=MUCH)
    tail.extend([logged(1), logged(5), logged(9)])
    assert positions(tail, 3) == [5, 9]
    found = tail.get(Position(5))
    assert found is not None and found.uuid == "5"
    assert tail.get(Position(4)) is None
    assert tail.get(Position(10)) is None


groups = st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3000)), max_size=6), max_size=30)


@given(groups=groups, max_events=st.integers(1, 10), trims=st.lists(st.integers(0, 60), max_size=5))
def test_it_holds_everything_above_its_start_and_never_more_than_its_bounds(
    groups: list[list[tuple[int, int]]], max_events: int, trims: list[int]
) -> None:
    tail = Tail(LOG_START, max_events, max_bytes=8000)
    everything: list[LoggedEvent] = []
    position = 0
    for number, group in enumerate(groups):
        events = []
        for gap, size in group:
            position += gap
            events.append(logged(position, size))
        everything += events
        tail.extend(events)
        if number < len(trims):
            tail.forget_before(Position(trims[number]))
        held = [event for event in everything if event.position > tail.start]
        assert tail.after(tail.start, MUCH, MUCH) == held
        assert len(tail) == len(held) <= max_events
        assert sum(len(event.event.body) + EVENT_OVERHEAD_BYTES for event in held) <= 8000
        assert all(tail.get(event.position) is event.event for event in held)
