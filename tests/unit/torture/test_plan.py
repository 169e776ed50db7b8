"""A run's plan follows from its seed and length, has every kind of trouble in it, and keeps within what it promises."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from torture.plan import (
    MAX_JUMP_HOURS,
    ROUND_SECONDS,
    FillDisk,
    Freeze,
    Jump,
    Kill,
    Mood,
    Plan,
    Stretch,
    Subscribe,
    Unsubscribe,
    planned,
)

SEEDS = range(20)


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert planned(7, 300) == planned(7, 300)
    assert planned(7, 300) != planned(8, 300)


@pytest.mark.parametrize("seed", SEEDS)
def test_five_minutes_have_every_kind_of_trouble(seed: int) -> None:
    plan = planned(seed, 300)
    first = [dealt.blow for dealt in plan.blows[:30]]
    kinds = Counter(type(blow).__name__ for blow in first)
    assert set(kinds) == {"Kill", "Terminate", "Freeze", "Jump", "Advance", "FillDisk"}
    assert {at.step.mood for at in plan.breaks} == set(Mood)
    assert any(isinstance(blow, Kill) and blow.tears for blow in first)
    assert any(isinstance(blow, Kill) and blow.again_after is not None for blow in first)
    assert {blow.entirely for blow in first if isinstance(blow, FillDisk)} == {True, False}
    assert all(changes and drops for changes in plan.changes for drops in plan.drops)


@pytest.mark.parametrize("seconds", [10, 20, 45, 300])
def test_stretches_follow_each_other_until_the_run_ends(seconds: float) -> None:
    plan = planned(1, seconds)
    rounds = zip(plan.quiet, plan.troubled, plan.suffering, strict=True)
    in_order = [stretch for of_round in rounds for stretch in of_round]
    assert in_order[-1].until == pytest.approx(seconds)
    assert all(0 < stretch.from_ < stretch.until for stretch in in_order)
    for before, after in itertools.pairwise(in_order):
        assert before.until <= after.from_ + 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_an_endpoint_is_broken_in_quiet_never_and_nowhere_near_as_long_as_blacklisting_takes(seed: int) -> None:
    plan = planned(seed, 300)
    for at in plan.breaks:
        assert not in_any(at.seconds + 0.01, plan.quiet)
        assert not in_any(at.step.heals_at - 0.01, plan.quiet)
        assert at.step.heals_at - at.seconds < ROUND_SECONDS


@pytest.mark.parametrize("seed", SEEDS)
def test_the_clock_jumps_less_than_would_take_anything_by_its_age_and_a_freeze_ends(seed: int) -> None:
    for dealt in planned(seed, 300).blows:
        if isinstance(dealt.blow, Jump):
            assert 0 < abs(dealt.blow.hours) <= MAX_JUMP_HOURS
            assert 2 * MAX_JUMP_HOURS < 72
        if isinstance(dealt.blow, Freeze):
            assert dealt.blow.seconds <= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_subscription_is_made_before_it_is_changed_and_none_is_made_beside_another(seed: int) -> None:
    plan = planned(seed, 300)
    for changes in plan.changes:
        is_there = False
        for at in changes:
            match at.step:
                case Subscribe():
                    assert not is_there
                    is_there = True
                case Unsubscribe():
                    assert is_there
                    is_there = False
                case _:
                    assert is_there
    assert all_in_time(plan)


def in_any(seconds: float, stretches: tuple[Stretch, ...]) -> bool:
    return any(stretch.from_ <= seconds <= stretch.until for stretch in stretches)


def all_in_time(plan: Plan) -> bool:
    times = [at.seconds for changes in plan.changes for at in changes]
    times += [at.seconds for drops in plan.drops for at in drops]
    return all(0 <= seconds < plan.seconds for seconds in [*times, *plan.batches])
