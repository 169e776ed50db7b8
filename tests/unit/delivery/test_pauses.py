"""How failures are counted that pauses grow by, and what is held meanwhile."""

from __future__ import annotations

from bellwire.delivery.pauses import Pauses


def some_pauses() -> Pauses:
    return Pauses(parallel=16, failures_before_hold=3, held_keys=1000, at_once=16)


def fail(pauses: Pauses, key: str, *under_way: str) -> int:
    """Returns the round that this failure counts to."""
    rounds = pauses.rounds_with(key)
    pauses.failed(key, 1.0, whole_endpoint=False, under_way=under_way)
    assert pauses.rounds_with("another") == rounds + 1
    return rounds


def test_attempts_under_way_together_fail_in_one_round_and_the_next_try_begins_another() -> None:
    pauses = some_pauses()
    assert [fail(pauses, "a", "b", "c"), fail(pauses, "b", "c"), fail(pauses, "c")] == [1, 1, 1]
    assert [fail(pauses, "b"), fail(pauses, "a"), fail(pauses, "a")] == [2, 3, 4]


def test_all_of_them_count_for_the_hold_of_the_endpoint() -> None:
    pauses = some_pauses()
    for key in "abc":
        assert not pauses.holds_endpoint
        fail(pauses, key, *"abc")
    assert pauses.holds_endpoint


def test_a_success_among_them_begins_anew_and_so_does_one_that_was_given_up() -> None:
    pauses = some_pauses()
    fail(pauses, "a", "b", "c", "d")
    pauses.gave_up("d")
    assert fail(pauses, "d") == 2
    pauses.delivered()
    assert fail(pauses, "c", "d") == 1
    pauses.forget()
    assert fail(pauses, "d") == 1
