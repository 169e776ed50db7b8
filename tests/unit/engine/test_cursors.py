"""Cursors come back as they were made, and only to the list that made them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.engine.cursors import MAX_CURSOR_LENGTH, cursor_of, named_place, number_at, numbered_place
from bellwire.errors import InvalidRequest


@given(st.integers(0, (1 << 63) - 1), st.text(max_size=200))
def test_a_place_comes_back(number: int, rest: str) -> None:
    cursor = cursor_of("backlog", number, rest)
    assert numbered_place("backlog", cursor) == (number, rest)
    assert number_at("backlog", cursor) == number


@given(st.text(max_size=50), st.text(max_size=200))
def test_a_named_place_comes_back(name: str, rest: str) -> None:
    assert named_place("notification", cursor_of("notification", name, rest)) == (name, rest)


def test_no_cursor_is_the_beginning() -> None:
    assert number_at("event", None) is None


@given(st.text(alphabet="abcXYZ019-_", max_size=60))
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        number_at("event", text)
    assert refused.value.entries[0].parameter == "cursor"


@pytest.mark.parametrize(
    "cursor",
    [
        cursor_of("attempt", 5),
        cursor_of("event", "5"),
        cursor_of("event", -1),
        cursor_of("event", 1 << 63),
        base64.urlsafe_b64encode(b'["event",5]').decode(),
        "A" * (MAX_CURSOR_LENGTH + 1),
        "é",
    ],
    ids=["of another list", "a name", "negative", "too large", "too short a tuple", "too long", "not ASCII"],
)
def test_a_cursor_of_another_form_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        number_at("event", cursor)
