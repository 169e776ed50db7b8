"""Messages a second of a sender number, and turns of its batches."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.model.sms import BatchId
from bellwire.sms.throughput import SenderLimits, SenderQueue, Share, Throughput

A, B, C = (BatchId(name) for name in "ABC")
LOCAL = "+12025550143"
TOLL_FREE = "+18005550100"

STEPS = st.lists(
    st.tuples(st.floats(0, 1.5, allow_nan=False), st.integers(0, 50), st.sampled_from([A, B, C]), st.integers(0, 40)),
    max_size=60,
)


@given(st.integers(1, 20), STEPS)
def test_in_any_second_no_more_than_the_limit_is_let_go(
    per_second: int, steps: list[tuple[float, int, BatchId, int]]
) -> None:
    queue = SenderQueue(per_second)
    now = 100.0
    let_go: list[tuple[float, int]] = []
    for pause, offered, batch, most in steps:
        now += pause
        queue.offer(batch, offered)
        let_go.append((now, sum(queue.take(now, most).values())))
    for begin, _ in let_go:
        assert sum(count for at, count in let_go if begin <= at < begin + 1.0) <= per_second


@given(st.integers(1, 20), st.integers(1, 200))
def test_the_limit_is_used_to_the_full(per_second: int, waiting: int) -> None:
    queue = SenderQueue(per_second)
    queue.offer(A, waiting)
    now = begin = 5.0
    while (at := queue.ready_at(now)) is not None:
        now = at
        assert queue.take(now, 1000)
    assert now - begin == pytest.approx((waiting - 1) // per_second)


@given(st.none() | st.integers(1, 20), STEPS)
def test_nothing_is_lost_or_made_up(per_second: int | None, steps: list[tuple[float, int, BatchId, int]]) -> None:
    queue = SenderQueue(per_second)
    now = 0.0
    offered: Counter[BatchId] = Counter()
    taken: Counter[BatchId] = Counter()
    for pause, count, batch, most in steps:
        now += pause
        offered[batch] += count
        queue.offer(batch, count)
        shares = queue.take(now, most)
        assert sum(shares.values()) <= most
        assert all(share >= 1 for share in shares.values())
        taken.update(shares)
    assert all(taken[batch] <= offered[batch] for batch in taken)
    assert queue.waiting == offered.total() - taken.total()


@given(st.none() | st.integers(1, 9), st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_batches_that_all_have_enough_get_the_same_to_within_one(per_second: int | None, takes: list[int]) -> None:
    queue = SenderQueue(per_second)
    for batch in (A, B, C):
        queue.offer(batch, 10_000)
    taken = Counter({A: 0, B: 0, C: 0})
    for second, most in enumerate(takes):
        taken.update(queue.take(float(second), most))
        assert max(taken.values()) - min(taken.values()) <= 1


def test_a_small_batch_is_not_kept_behind_a_large_one() -> None:
    queue = SenderQueue(1)
    queue.offer(A, 1000)
    queue.offer(B, 2)
    order = [next(iter(queue.take(float(second), 10))) for second in range(5)]
    assert order == [A, B, A, B, A]


def test_what_a_batch_does_not_use_of_its_share_goes_to_the_others() -> None:
    queue = SenderQueue(None)
    queue.offer(A, 2)
    queue.offer(B, 100)
    assert queue.take(0.0, 20) == {A: 2, B: 18}


def test_a_withdrawn_batch_gets_no_more_turns() -> None:
    queue = SenderQueue(None)
    queue.offer(A, 5)
    queue.offer(B, 5)
    queue.withdraw(A)
    assert queue.take(0.0, 100) == {B: 5}
    assert queue.ready_at(0.0) is None


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SenderQueue(0)


def test_each_kind_of_number_has_its_limit() -> None:
    throughput = Throughput(SenderLimits(local=1, toll_free=8))
    throughput.offer(LOCAL, A, 100)
    throughput.offer(TOLL_FREE, B, 100)
    assert set(throughput.take(0.0, 50)) == {Share(LOCAL, A, 1), Share(TOLL_FREE, B, 8)}
    assert throughput.take(0.5, 50) == []
    assert throughput.ready_at(0.5) == 1.0


def test_senders_without_limit_share_what_can_be_taken() -> None:
    throughput = Throughput(SenderLimits(local=None, toll_free=None))
    throughput.offer(LOCAL, A, 1000)
    throughput.offer(TOLL_FREE, B, 1000)
    assert set(throughput.take(0.0, 100)) == {Share(LOCAL, A, 50), Share(TOLL_FREE, B, 50)}


@given(st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_no_sender_is_ahead_of_another_by_more_than_one_take(takes: list[int]) -> None:
    throughput = Throughput(SenderLimits(local=None, toll_free=None))
    throughput.offer(LOCAL, A, 1000)
    throughput.offer(TOLL_FREE, B, 1000)
    taken = Counter({LOCAL: 0, TOLL_FREE: 0})
    for most in takes:
        for share in throughput.take(0.0, most):
            taken[share.sender] += share.messages
        assert taken.total() <= 1000
        assert abs(taken[LOCAL] - taken[TOLL_FREE]) <= 1


def test_a_sender_that_may_not_send_does_not_hold_the_others_up() -> None:
    throughput = Throughput(SenderLimits(local=1, toll_free=None))
    throughput.offer(LOCAL, A, 10)
    throughput.offer(TOLL_FREE, B, 10)
    throughput.take(0.0, 2)
    assert throughput.take(0.1, 100) == [Share(TOLL_FREE, B, 9)]


def test_withdrawing_what_was_never_offered_changes_nothing() -> None:
    throughput = Throughput(SenderLimits())
    throughput.withdraw(LOCAL, A)
    throughput.offer(LOCAL, A, 0)
    assert throughput.ready_at(0.0) is None
    assert throughput.waiting == 0


def test_the_last_second_is_remembered_though_nothing_waits() -> None:
    throughput = Throughput(SenderLimits(local=1))
    throughput.offer(LOCAL, A, 1)
    assert throughput.take(0.0, 5) == [Share(LOCAL, A, 1)]
    throughput.offer(LOCAL, B, 1)
    assert throughput.take(0.9, 5) == []
    assert throughput.take(1.0, 5) == [Share(LOCAL, B, 1)]
