"""What is due by when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from bellwire.model.ids import SubscriptionId
from bellwire.subscriptions.deadlines import Deadlines

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
A, B, C = SubscriptionId("a"), SubscriptionId("b"), SubscriptionId("c")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Kept:
    """Deadlines with the dictionary that they order."""

    def __init__(self) -> None:
        self.by_id: dict[SubscriptionId, datetime] = {}
        self.deadlines = Deadlines(self.by_id.get, self.by_id.__len__)

    def put(self, subscription: SubscriptionId, when: datetime) -> None:
        self.by_id[subscription] = when
        self.deadlines.put(subscription, when)


def test_what_is_due_comes_earliest_first_and_once() -> None:
    kept = Kept()
    kept.put(A, at(20))
    kept.put(B, at(10))
    kept.put(B, at(10))
    kept.put(C, at(30))
    assert kept.deadlines.take_due(at(9)) == []
    assert kept.deadlines.take_due(at(20)) == [B, A]
    assert kept.deadlines.take_due(at(20)) == []


def test_a_deadline_that_moved_or_went_is_not_due_at_its_old_time() -> None:
    kept = Kept()
    kept.put(A, at(10))
    kept.put(B, at(10))
    kept.put(A, at(50))
    del kept.by_id[B]
    assert kept.deadlines.take_due(at(49)) == []
    assert kept.deadlines.take_due(at(50)) == [A]


def test_moving_a_deadline_for_ever_does_not_grow_without_end() -> None:
    kept = Kept()
    kept.put(B, at(5))
    for number in range(10_000):
        kept.put(A, at(number + 10))
    assert len(kept.deadlines) < 200
    assert kept.deadlines.take_due(at(20_000)) == [B, A]


def test_deadlines_of_any_distance_come_in_order_whenever_they_are_asked_for() -> None:
    kept = Kept()
    drawn = Random(4)
    seconds = {SubscriptionId(str(number)): drawn.uniform(0, 7_200) for number in range(2_000)}
    for id_, when in seconds.items():
        kept.put(id_, at(drawn.uniform(0, 7_200)))
        kept.put(id_, at(when))
    given: list[SubscriptionId] = []
    for now in range(0, 7_201, 90):
        due = kept.deadlines.take_due(at(now))
        assert due == sorted((id_ for id_ in due), key=seconds.__getitem__)
        assert {id_ for id_, when in seconds.items() if when <= now} == {*given, *due}
        given += due
    assert len(given) == len(set(given)) == len(seconds)
    assert len(kept.deadlines) == 0
