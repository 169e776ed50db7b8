"""The sliding minute, its penalty, and the bound on what is remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.api.rate_limits import RateGroup, RateLimits


def through(
    limits: RateLimits, now: float, *, who: str = "a", factor: float = 1, group: RateGroup = RateGroup.AUTH
) -> bool:
    standing = limits.hit(who, group, factor=factor, now=now)
    assert standing is not None
    return standing.retry_after_seconds is None


def test_the_window_slides() -> None:
    limits = RateLimits()
    assert [through(limits, now) for now in (0, 0, 30, 30, 30)] == [True] * 5
    assert through(limits, 60.5)
    assert through(limits, 61)
    assert not through(limits, 62)


def test_a_penalty_ends_after_a_minute_of_silence_and_starts_afresh() -> None:
    limits = RateLimits()
    assert [through(limits, 0) for _ in range(6)] == [True] * 5 + [False]
    assert not through(limits, 59.9)
    assert not through(limits, 119.8)
    assert [through(limits, 179.8) for _ in range(6)] == [True] * 5 + [False]


def test_callers_and_groups_are_counted_apart() -> None:
    limits = RateLimits()
    assert not all(through(limits, 0) for _ in range(6))
    assert through(limits, 0, who="b")
    assert through(limits, 0, group=RateGroup.HEAVY)


def test_the_factor_multiplies_the_limit_and_never_makes_it_nothing() -> None:
    limits = RateLimits()
    assert [through(limits, 0, who="more", factor=2) for _ in range(11)] == [True] * 10 + [False]
    assert [through(limits, 0, who="less", factor=0.01) for _ in range(2)] == [True, False]


def test_a_group_without_limit_has_no_standing() -> None:
    assert RateLimits().hit("a", RateGroup.NONE, factor=1, now=0) is None


def test_the_least_recently_seen_caller_is_forgotten_first() -> None:
    limits = RateLimits(max_tracks=2)
    for _ in range(5):
        through(limits, 0, who="a")
        through(limits, 0, who="b")
    through(limits, 0, who="a")  # into the penalty
    assert through(limits, 1, who="c")
    assert not through(limits, 1, who="a")
    assert through(limits, 1, who="b")


@given(st.lists(st.floats(min_value=0, max_value=50), max_size=60))
def test_no_minute_ever_lets_more_through_than_the_limit(steps: list[float]) -> None:
    limits, now, passed = RateLimits(), 1000.0, []
    for step in steps:
        now += step
        if through(limits, now):
            passed.append(now)
    # Buckets are a second wide, so a minute is counted as at least 59 seconds.
    for start in passed:
        assert sum(start <= at < start + 59 for at in passed) <= 5
