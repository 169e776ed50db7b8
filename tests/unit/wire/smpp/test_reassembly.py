from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.reassembly import Here, New, NoRoom, Reassembly, ReassemblyLimits, TextPart

LIMITS = ReassemblyLimits(wait_ms=1000, remember_ms=5000)


def a_reassembly(limits: ReassemblyLimits = LIMITS) -> Reassembly:
    ids = count(1)
    return Reassembly(limits, new_id=lambda: f"text {next(ids)}")


def part(number: int, content: bytes = b"", *, total: int = 3, reference: str = "8:1", at: int = 0) -> TextPart:
    content = content or b"part %d" % number
    return TextPart("+16505550142", "+16505550180", reference, total, number, 0, content, at)


def take_in(reassembly: Reassembly, *parts: TextPart) -> list[New | Here | NoRoom]:
    places = []
    for one in parts:
        place = reassembly.place(one)
        if isinstance(place, New):
            reassembly.add(place.text, one)
        places.append(place)
    return places


@given(st.permutations([1, 2, 3]))
def test_a_text_is_due_with_its_last_part_whatever_their_order(order: list[int]) -> None:
    reassembly = a_reassembly()

    for number in order[:2]:
        take_in(reassembly, part(number))
        assert reassembly.due(0) == []
    take_in(reassembly, part(order[2]))

    assert reassembly.due(0) == [("text 1", (part(1), part(2), part(3)))]


def test_a_part_that_comes_again_is_known_even_after_the_text_went_on() -> None:
    reassembly = a_reassembly()

    assert take_in(reassembly, part(1), part(1)) == [New("text 1"), Here()]
    take_in(reassembly, part(2), part(3))
    reassembly.handed_on("text 1", 10)

    assert take_in(reassembly, part(3), part(1)) == [Here(), Here()]
    assert reassembly.due(10) == []
    assert reassembly.waiting_parts == 0


def test_what_has_come_is_due_when_its_time_is_over() -> None:
    reassembly = a_reassembly()
    take_in(reassembly, part(1, at=100), part(3, at=900))

    assert reassembly.due(1099) == []
    assert reassembly.due(1100) == [("text 1", (part(1, at=100), part(3, at=900)))]


def test_another_text_with_the_same_reference_sends_the_first_on_as_it_is() -> None:
    reassembly = a_reassembly()
    take_in(reassembly, part(1, b"first"), part(1, b"second"), part(2, b"second"))

    assert reassembly.due(0) == [("text 1", (part(1, b"first"),))]
    reassembly.handed_on("text 1", 0)
    take_in(reassembly, part(3, b"second"))
    assert reassembly.due(0) == [("text 2", tuple(part(number, b"second") for number in (1, 2, 3)))]


def test_another_text_after_one_that_went_on() -> None:
    reassembly = a_reassembly()
    take_in(reassembly, part(1), part(2), part(3))
    reassembly.handed_on("text 1", 0)

    assert take_in(reassembly, part(2, b"new")) == [New("text 2")]


def test_a_part_after_the_rest_was_handed_on_is_a_text_of_its_own() -> None:
    reassembly = a_reassembly()
    take_in(reassembly, part(1))
    reassembly.handed_on("text 1", 1000)

    assert take_in(reassembly, part(2, at=1001)) == [New("text 2")]
    assert reassembly.due(2001) == [("text 2", (part(2, at=1001),))]


def test_texts_with_other_references_numbers_or_lengths_are_kept_apart() -> None:
    places = take_in(a_reassembly(), part(1), part(1, reference="16:1"), part(1, total=4))

    assert places == [New("text 1"), New("text 2"), New("text 3")]


def test_what_went_on_long_ago_is_forgotten() -> None:
    reassembly = a_reassembly()
    take_in(reassembly, part(1), part(2), part(3), part(1, reference="8:2"))
    reassembly.handed_on("text 1", 100)

    assert reassembly.forget(5099) == []
    assert reassembly.forget(5100) == ["text 1"]
    assert take_in(reassembly, part(1)) == [New("text 3")]


@pytest.mark.parametrize("limits", [ReassemblyLimits(max_bytes=3000), ReassemblyLimits(max_texts=10)])
def test_memory_is_bounded_and_freed(limits: ReassemblyLimits) -> None:
    reassembly = a_reassembly(limits)

    places = take_in(reassembly, *(part(1, reference=f"8:{n}") for n in range(50)))

    kept = [place for place in places if isinstance(place, New)]
    assert 1 < len(kept) <= 12
    assert isinstance(places[-1], NoRoom)
    for place in kept:
        reassembly.handed_on(place.text, 0)
    reassembly.forget(limits.remember_ms)
    assert reassembly.is_empty
    assert take_in(reassembly, part(1, reference="8:99")) != [NoRoom()]


def test_what_was_kept_goes_on_after_a_restart() -> None:
    reassembly = a_reassembly()
    reassembly.restore("old", [part(1), part(2)], None)
    reassembly.restore("gone", [part(1, reference="8:2", total=2), part(2, reference="8:2", total=2)], 50)

    assert take_in(reassembly, part(2), part(2, reference="8:2", total=2), part(3)) == [Here(), Here(), New("old")]
    assert reassembly.due(60) == [("old", (part(1), part(2), part(3)))]


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([b"a", b"b"]), st.booleans()), max_size=30))
def test_every_part_goes_on_once(story: list[tuple[int, bytes, bool]]) -> None:
    """Whatever comes in whatever order, all contents that were kept are handed on, each once."""
    reassembly = a_reassembly()
    kept: list[TextPart] = []
    gone: list[TextPart] = []
    for number, content, hand_on in story:
        one = part(number, content)
        if isinstance(take_in(reassembly, one)[0], New):
            kept.append(one)
        if hand_on:
            for text, parts in reassembly.due(0):
                gone += parts
                reassembly.handed_on(text, 0)
    for text, parts in reassembly.due(10_000):
        gone += parts
        reassembly.handed_on(text, 10_000)

    assert sorted(map(repr, gone)) == sorted(map(repr, kept))
    assert reassembly.waiting_parts == 0
