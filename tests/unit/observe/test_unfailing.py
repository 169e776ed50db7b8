from __future__ import annotations

import errno

import pytest

from bellwire.observe.unfailing import unfailing


def test_what_cannot_be_written_is_not_said_and_what_can_is() -> None:
    said: list[str] = []

    def say(line: str) -> None:
        if line == "too much":
            raise OSError(errno.ENOSPC, "No space left on device")
        said.append(line)

    say_if_possible = unfailing(say)
    for line in ("first", "too much", "last"):
        say_if_possible(line)

    assert said == ["first", "last"]


def test_any_other_error_is_a_mistake_and_shows() -> None:
    def say(_line: str) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        unfailing(say)("a line")
