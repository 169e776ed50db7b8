"""The filter index alone: what it answers, and that it is empty again when all filters are gone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bellwire.matching.index import FilterIndex, Predicates
from bellwire.model.event import Rows

TOPIC = "/restapi/v1.0/account/1/a2p-sms/messages"
INBOUND: Predicates = (("direction", ("Inbound",)),)


def found(index: FilterIndex, *rows: Mapping[str, tuple[str, ...]], key: str = TOPIC) -> set[int]:
    return set(index.match(key, rows))


def test_a_filter_without_predicates_matches_every_event_on_its_topic() -> None:
    index = FilterIndex()
    index.add(TOPIC, (), 1)
    assert found(index, {}) == {1}
    assert found(index, {"direction": ("Inbound",)}) == {1}
    assert found(index, {}, key=TOPIC + "/7") == set()


def test_different_parameters_are_and_repeated_values_are_or() -> None:
    index = FilterIndex()
    index.add(TOPIC, (("direction", ("Inbound",)), ("to", ("+1", "+2"))), 1)
    assert found(index, {"direction": ("Inbound",), "to": ("+2",)}) == {1}
    assert found(index, {"direction": ("Outbound",), "to": ("+2",)}) == set()
    assert found(index, {"direction": ("Inbound",), "to": ("+3",)}) == set()


def test_one_row_must_satisfy_all_predicates() -> None:
    index = FilterIndex()
    index.add(TOPIC, (("direction", ("Inbound",)), ("statusCode", ("Answered",))), 1)
    outbound = {"direction": ("Outbound",), "statusCode": ("Answered",)}
    ringing = {"direction": ("Inbound",), "statusCode": ("Proceeding",)}
    assert found(index, outbound, ringing) == set()
    assert found(index, outbound, {**ringing, "statusCode": ("Answered",)}) == {1}


def test_a_name_that_the_row_leaves_out_matches_any_value_and_an_empty_one_matches_none() -> None:
    index = FilterIndex()
    index.add(TOPIC, (("batchId", ("7",)), ("direction", ("Inbound",))), 1)
    index.add(TOPIC, (("batchId", ("8",)), ("direction", ("Outbound",))), 2)
    assert found(index, {"direction": ("Inbound",)}) == {1}
    assert found(index, {}) == {1, 2}
    assert found(index, {"direction": ("Inbound",), "batchId": ()}) == set()
    assert found(index, {"direction": ()}) == set()


def test_an_entry_is_found_once_however_often_it_matches() -> None:
    index = FilterIndex()
    index.add(TOPIC, (("to", ("+1", "+2", "+1")),), 1)
    assert list(index.match(TOPIC, ({"to": ("+1", "+2")}, {"to": ("+2",)}))) == [1]


def test_a_row_with_more_values_than_there_are_filters_is_still_matched() -> None:
    index = FilterIndex()
    index.add(TOPIC, (("from", ("+900",)), ("to", ("+1700",))), 1)
    index.add(TOPIC, (("from", ("+900",)), ("to", ("-",))), 2)
    many: Rows = ({"from": tuple(f"+{i}" for i in range(1000)), "to": tuple(f"+{i + 1000}" for i in range(1000))},)
    assert set(index.match(TOPIC, many)) == {1}


def test_many_entries_in_one_place_come_and_go() -> None:
    index = FilterIndex()
    places = {entry: index.add(TOPIC, INBOUND, entry) for entry in range(20)}
    assert found(index, {"direction": ("Inbound",)}) == set(range(20))
    for entry in range(20):
        index.remove(places[entry], entry)
        assert found(index, {"direction": ("Inbound",)}) == set(range(entry + 1, 20))


def test_nothing_is_left_behind_when_all_filters_are_gone() -> None:
    index = FilterIndex()
    filters: list[tuple[str, Predicates]] = [
        (TOPIC, ()),
        (TOPIC, INBOUND),
        (TOPIC, INBOUND),
        (TOPIC, (("direction", ("Inbound", "Outbound")), ("to", ("+1", "+2", "+3")))),
        (TOPIC + "/7", (("to", ("+1",)),)),
    ]
    added = [(index.add(key, predicates, entry), entry) for entry, (key, predicates) in enumerate(filters)]
    for places, entry in added:
        index.remove(places, entry)
    assert index.match(TOPIC, ({},)) == ()
    assert (index._topics, index._places, index._listed) == ({}, {}, {})


def test_removing_an_entry_that_is_not_there_is_an_error() -> None:
    index = FilterIndex()
    places = index.add(TOPIC, INBOUND, 1)
    with pytest.raises(KeyError):
        index.remove(places, 2)
    index.remove(places, 1)
    with pytest.raises(KeyError):
        index.remove(places, 1)


@pytest.mark.parametrize(
    ("key", "predicates"),
    [
        ("a\0b", ()),
        ("a\0b", INBOUND),
        (TOPIC, (("to", ("+1\0+2",)),)),
        (TOPIC, (("to\0", ("+1",)),)),
        (TOPIC, (("to", ()),)),
        (TOPIC, (("to", ("+1",)), ("from", ("+2",)))),
        (TOPIC, (("to", ("+1",)), ("to", ("+2",)))),
    ],
)
def test_what_could_be_mistaken_for_another_filter_is_refused(key: str, predicates: Predicates) -> None:
    index = FilterIndex()
    with pytest.raises(ValueError, match=r"key|predicate"):
        index.add(key, predicates, 1)
    assert index.match(key, ({},)) == ()


def test_nul_in_an_event_matches_nothing_it_should_not() -> None:
    index = FilterIndex()
    (place,) = index.add(TOPIC, (("from", ("a",)), ("to", ("b",))), 1)
    assert found(index, {"from": ("a\0b",), "to": ("",)}) == set()
    assert found(index, {"from": ("a",), "to": ("b\0",)}) == set()
    assert index.match(place, ({},)) == ()
