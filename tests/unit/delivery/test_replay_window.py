"""A replay's window: nothing is left out, keys keep their order, a place is found again, and an endpoint is spared."""

from __future__ import annotations

import random

import pytest

from bellwire.delivery.notification import Notification, Place
from bellwire.delivery.replay_window import Came, ReplayLimits, ReplayWindow
from bellwire.model.ids import LOG_START, Position

END = Position(10)


def a_notification(position: int, key: str | None = None, topic: str = "/t") -> Notification:
    return Notification(Position(position), topic, key or str(position), 1, 0, None, 10, 0.0)


def a_window(*positions: int, key: str | None = None, **limits: int) -> ReplayWindow:
    window = ReplayWindow(LOG_START, END, limits=ReplayLimits(**limits))
    window.read([a_notification(position, key) for position in positions], END)
    return window


def started(window: ReplayWindow, now: float = 0.0) -> list[Notification]:
    found = []
    while (notification := window.next_start(now)) is not None:
        found.append(notification)
    return found


def test_a_few_are_under_way_at_once() -> None:
    window = a_window(1, 2, 3, 4, 5, 6)
    assert [notification.position for notification in started(window)] == [1, 2, 3, 4]


def test_one_at_a_time_of_a_key_in_log_order() -> None:
    window = a_window(1, 2, 3, key="k")
    order = []
    for _ in range(3):
        [notification] = started(window)
        order.append(notification.position)
        window.finished(notification, Came.TAKEN, 0.0, jitter=0.5)
    assert order == [1, 2, 3]
    assert window.is_finished


def test_a_failed_one_holds_its_key() -> None:
    window = a_window(1, 2, key="k")
    [first] = started(window)
    pause = window.finished(first, Came.REFUSED, 0.0, jitter=1.0)
    assert pause is not None
    assert started(window, 0.0) == []
    assert [notification.position for notification in started(window, pause)] == [1]


def test_the_cursor_is_below_the_oldest_that_is_not_done_and_names_what_is_done_above() -> None:
    window = a_window(2, 5, 7)
    first, second, third = started(window)
    window.finished(second, Came.TAKEN, 0.0, jitter=0.5)
    assert (window.cursor, window.done) == (1, ((5, "/t"),))
    window.finished(first, Came.TAKEN, 0.0, jitter=0.5)
    assert (window.cursor, window.done) == (6, ())
    window.finished(third, Came.TAKEN, 0.0, jitter=0.5)
    assert (window.cursor, window.done) == (END, ())


def test_what_was_done_before_a_restart_is_not_sent_again() -> None:
    window = ReplayWindow(Position(1), END, ((Position(5), "/t"), (Position(5), "/u")))
    window.read([a_notification(2), a_notification(5), a_notification(5, topic="/v")], END)
    assert [notification.place for notification in started(window)] == [(2, "/t"), (5, "/v")]


def test_a_failing_endpoint_gets_one_attempt_at_a_time_with_growing_pauses_and_another_notification_each() -> None:
    window = a_window(1, 2, 3, 4, 5)
    now = 0.0
    for notification in started(window):
        window.finished(notification, Came.FAILED, now, jitter=1.0)
    pauses, tried = [], []
    for _ in range(4):
        wake = window.next_wake(now)
        assert wake is not None
        assert started(window, now) == []
        now += wake
        [notification] = started(window, now)
        tried.append(notification.position)
        pauses.append(wake)
        window.finished(notification, Came.FAILED, now, jitter=1.0)
    assert tried[0] == 5, "what was not tried yet comes first"
    assert len(set(tried)) == 4
    assert pauses == sorted(pauses)


def test_a_dead_endpoint_makes_a_replay_wait_and_gives_nothing_up() -> None:
    window = a_window(1, 2)
    now = 0.0
    for _ in range(60):
        now += 1000
        for notification in started(window, now):
            assert window.finished(notification, Came.FAILED, now, jitter=0.5) is not None


def test_one_that_the_endpoint_chokes_on_is_given_up_while_others_are_taken() -> None:
    window = a_window(*range(1, 10), give_up_after=3)
    now = 0.0
    given_up: list[Position] = []
    for _ in range(40):
        now += 1000
        for notification in started(window, now):
            came = Came.FAILED if notification.position == 1 else Came.TAKEN
            pause = window.finished(notification, came, now, jitter=0.5)
            if came is Came.FAILED and pause is None:
                given_up.append(notification.position)
        if window.is_finished:
            break
        if len(window.done) == 8:  # nothing else is left to show that the endpoint lives
            assert window.cursor == 0
            return
    assert given_up == [1]


def test_refusals_count_whatever_else_happens() -> None:
    window = a_window(1, give_up_after=3)
    results = []
    for turn in range(3):
        [notification] = started(window, turn * 1000.0)
        results.append(window.finished(notification, Came.REFUSED, turn * 1000.0, jitter=0.5))
    assert results[:2] != [None, None]
    assert results[2] is None
    assert window.is_finished


def test_the_last_one_is_given_up_in_the_end() -> None:
    window = a_window(1, most_tries=5)
    for turn in range(5):
        [notification] = started(window, turn * 10_000.0)
        pause = window.finished(notification, Came.FAILED, turn * 10_000.0, jitter=0.5)
    assert pause is None


def test_more_is_read_when_half_the_window_is_empty_and_bytes_allow_it() -> None:
    limits = ReplayLimits(window=4, window_bytes=100)
    window = ReplayWindow(LOG_START, Position(1000), limits=limits)
    assert window.wants_more
    window.read([a_notification(n) for n in (1, 2, 3)], Position(3))
    assert not window.wants_more
    notification = started(window)[0]
    window.finished(notification, Came.TAKEN, 0.0, jitter=0.5)
    assert window.wants_more
    window.read([Notification(Position(4), "/t", "k", 1, 0, None, 500, 0.0)], Position(4))
    assert not window.wants_more


@pytest.mark.parametrize("seed", range(200))
def test_over_crashes_everything_is_sent_in_key_order_and_only_what_was_not_stored_is_sent_again(seed: int) -> None:
    chance = random.Random(seed)
    end = Position(chance.randint(1, 60))
    log = [
        a_notification(position, chance.choice("abc"), topic)
        for position in range(1, end + 1)
        for topic in ("/t", "/u")[: chance.randint(0, 2)]
    ]
    stored: tuple[Position, tuple[Place, ...]] = (LOG_START, ())
    taken: list[Place] = []
    uncertain: set[Place] = set()
    now = 0.0
    done = False
    while not done:
        window = ReplayWindow(stored[0], end, stored[1], limits=ReplayLimits(window=8, parallel=3))
        flying: list[Notification] = []
        unstored: list[Place] = []
        for _ in range(chance.randint(1, 120)):
            now += chance.choice((0.0, 0.5, 100.0))
            if window.wants_more:
                reached = min(end, window.reached + chance.randint(1, 6))
                found = [n for n in log if window.reached < n.position <= reached]
                window.read(found, Position(reached))
            flying += started(window, now)
            if flying and chance.random() < 0.7:
                notification = flying.pop(chance.randrange(len(flying)))
                came = Came.TAKEN if chance.random() < 0.8 else Came.FAILED
                window.finished(notification, came, now, jitter=chance.random())
                if came is Came.TAKEN:
                    taken.append(notification.place)
                    unstored.append(notification.place)
            if chance.random() < 0.2:
                stored = (window.cursor, window.done)
                unstored.clear()
            if window.is_finished:
                stored = (window.cursor, window.done)
                unstored.clear()
                done = True
                break
        uncertain.update(unstored)
    assert set(taken) == {notification.place for notification in log}
    repeated = {place for place in taken if taken.count(place) > 1}
    assert repeated <= uncertain
    for key in "abc":
        first = list(dict.fromkeys(p for p in taken if p in {n.place for n in log if n.key == key}))
        assert first == sorted(first)
