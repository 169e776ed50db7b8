"""How many wrong secrets may come from one address."""

from __future__ import annotations

from bellwire.engine.wrong_guesses import SECONDS, WrongGuesses


class Now:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_an_address_waits_after_too_many_and_others_do_not() -> None:
    now = Now()
    guesses = WrongGuesses(now, most=10)
    for _ in range(10):
        assert guesses.wait_seconds("192.0.2.1") == 0
        guesses.count("192.0.2.1")
        now.at += 1
    assert 0 < guesses.wait_seconds("192.0.2.1") <= SECONDS
    assert guesses.wait_seconds("192.0.2.2") == 0
    now.at = SECONDS
    assert guesses.wait_seconds("192.0.2.1") == 0


def test_a_right_guess_takes_back_itself_alone() -> None:
    guesses = WrongGuesses(Now(), most=2)
    guesses.count("a")
    guesses.count("a")
    guesses.take_back("a")
    assert guesses.wait_seconds("a") == 0
    guesses.count("a")
    assert guesses.wait_seconds("a") > 0
    guesses.forget("a")
    assert guesses.wait_seconds("a") == 0
    guesses.take_back("a")


def test_many_addresses_lock_out_nobody_else_and_are_bounded_in_number() -> None:
    guesses = WrongGuesses(Now(), most=1)
    for number in range(10_001):
        guesses.count(f"{number}")
    assert guesses.wait_seconds("an operator") == 0
    assert guesses.wait_seconds("10000") > 0
    assert guesses.wait_seconds("0") == 0
    assert len(guesses._by_address) == 10_000
