"""The ledger: the watermark passes only what is in the batch that it is taken with, or in an earlier one."""

from __future__ import annotations

import random

import pytest

from bellwire.delivery.notification import Notification
from bellwire.delivery.settling import Settling
from bellwire.engine.ledger import CommitLedger
from bellwire.model.ids import LOG_START, Position, SubscriptionId
from tests.doubles.attempts import an_attempt

S = SubscriptionId("s")


def a_notification(position: int, *, has_row: bool = False) -> Notification:
    return Notification(Position(position), "/t", "k", 1, 0, None, 10, 0.0, has_row)


@pytest.fixture
def ledger() -> CommitLedger:
    ledger = CommitLedger(Settling(LOG_START))
    for position in (1, 2, 3):
        ledger.settling.route(Position(position), 1, 0.0)
    return ledger


def test_a_put_settles_and_adds_a_row(ledger: CommitLedger) -> None:
    ledger.put(S, a_notification(1))

    batch = ledger.take()

    assert [(row.subscription, row.position, row.size_bytes) for row in batch.puts] == [(S, 1, 10)]
    assert batch.watermark == 1


def test_an_outcome_without_row_settles(ledger: CommitLedger) -> None:
    ledger.finish(S, a_notification(1))
    ledger.record(an_attempt(1))

    batch = ledger.take()

    assert (batch.watermark, batch.dones, len(batch.attempts)) == (1, [], 1)


def test_an_outcome_with_row_removes_the_row_and_settles_nothing_twice(ledger: CommitLedger) -> None:
    notification = a_notification(1)
    ledger.put(S, notification)
    notification.has_row = True
    ledger.finish(S, notification)

    batch = ledger.take()

    assert (batch.watermark, batch.dones) == (1, [(S, 1, "/t")])


def test_the_watermark_stays_below_what_is_open(ledger: CommitLedger) -> None:
    ledger.finish(S, a_notification(3))
    ledger.finish(S, a_notification(1))
    assert ledger.take().watermark == 1

    ledger.finish(S, a_notification(2))
    assert ledger.take().watermark == 3


def test_what_was_taken_is_not_taken_again(ledger: CommitLedger) -> None:
    ledger.put(S, a_notification(1))
    ledger.take()

    assert len(ledger.take()) == len(ledger) == 0


def test_what_is_given_back_comes_before_what_came_since(ledger: CommitLedger) -> None:
    ledger.record(an_attempt(1))
    ledger.put(S, a_notification(1))
    failed = ledger.take()
    ledger.record(an_attempt(2))
    ledger.put(S, a_notification(2))

    ledger.give_back(failed)
    batch = ledger.take()

    assert [attempt.position for attempt in batch.attempts] == [1, 2]
    assert [row.position for row in batch.puts] == [1, 2]
    assert batch.watermark == 2


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_committed_watermark_passes_only_what_is_committed(seed: int) -> None:
    chance = random.Random(seed)
    ledger = CommitLedger(Settling(LOG_START))
    waiting: list[Notification] = []
    safe: set[int] = set()
    for position in range(1, 60):
        ledger.settling.route(Position(position), 1, 0.0)
        waiting.append(a_notification(position))
        chance.shuffle(waiting)
        for _ in range(chance.randrange(3)):
            if waiting:
                (ledger.put if chance.random() < 0.5 else ledger.finish)(S, waiting.pop())
        batch = ledger.take()
        if chance.random() < 0.3:
            ledger.give_back(batch)
            continue
        safe.update(row.position for row in batch.puts)
        unsettled = {notification.position for notification in waiting}
        assert all(passed not in unsettled for passed in range(1, batch.watermark + 1))
        assert batch.watermark + 1 in unsettled or batch.watermark == position
