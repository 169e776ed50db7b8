"""The filter index equals a naive matcher, on random filters and events, also while filters come and go."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from bellwire.matching.index import FilterIndex, Place, Predicates
from bellwire.model.event import Rows

KEYS = st.sampled_from(["/a", "/a/1", "/b"])
NAMES = ["batchId", "direction", "to"]
FILTER_VALUES = st.sampled_from(["", "1", "2", "Inbound", "+1", "é", "\x01"])
EVENT_VALUES = st.one_of(FILTER_VALUES, st.sampled_from(["1\x002", "\x00", "other"]))


def predicates_of(chosen: dict[str, list[str]]) -> Predicates:
    return tuple((name, tuple(values)) for name, values in sorted(chosen.items()))


PREDICATES: st.SearchStrategy[Predicates] = st.dictionaries(
    st.sampled_from(NAMES), st.lists(FILTER_VALUES, min_size=1, max_size=3), max_size=3
).map(predicates_of)
ROW = st.dictionaries(st.sampled_from([*NAMES, "unasked"]), st.lists(EVENT_VALUES, max_size=8).map(tuple), max_size=4)
ROWS: st.SearchStrategy[Rows] = st.lists(ROW, min_size=1, max_size=3).map(tuple)


def wants(predicates: Predicates, rows: Rows) -> bool:
    """The definition, read off the sentence: one row has, for each name, one of the values or nothing to say."""
    return any(
        all(name not in row or any(value in row[name] for value in values) for name, values in predicates)
        for row in rows
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(KEYS, PREDICATES), max_size=25), KEYS, ROWS)
def test_the_index_equals_a_naive_matcher(filters: list[tuple[str, Predicates]], key: str, rows: Rows) -> None:
    index = FilterIndex()
    for entry, (on, predicates) in enumerate(filters):
        index.add(on, predicates, entry)
    answer = list(index.match(key, rows))
    assert sorted(answer) == [
        entry for entry, (on, predicates) in enumerate(filters) if on == key and wants(predicates, rows)
    ]


class FiltersComeAndGo(RuleBasedStateMachine):
    added: Bundle[int] = Bundle("added")

    @initialize()
    def begin(self) -> None:
        self.index = FilterIndex()
        self.filters: dict[int, tuple[str, Predicates]] = {}
        self.places: dict[int, tuple[Place, ...]] = {}
        self.next_entry = 0

    @rule(target=added, key=KEYS, predicates=PREDICATES)
    def add(self, key: str, predicates: Predicates) -> int:
        return self._put(key, predicates)

    @rule(target=added, like=added)
    def add_an_equal_one(self, like: int) -> int:
        return self._put(*self.filters[like])

    def _put(self, key: str, predicates: Predicates) -> int:
        entry = self.next_entry
        self.next_entry += 1
        self.filters[entry] = (key, predicates)
        self.places[entry] = self.index.add(key, predicates, entry)
        return entry

    @rule(entry=consumes(added))
    def remove(self, entry: int) -> None:
        self.index.remove(self.places.pop(entry), entry)
        del self.filters[entry]

    @rule(key=KEYS, rows=ROWS)
    def match(self, key: str, rows: Rows) -> None:
        expected = [entry for entry, (on, predicates) in self.filters.items() if on == key and wants(predicates, rows)]
        assert sorted(self.index.match(key, rows)) == expected

    @invariant()
    def holds_nothing_that_is_gone(self) -> None:
        held = self.index._places
        assert set(held) == {p for places in self.places.values() for p in places if "\0" in p}
        listed: list[Any] = [places for shapes in self.index._listed.values() for _, places in shapes]
        assert {p for places in listed for p in ({places} if isinstance(places, str) else places)} == set(held)


TestFiltersComeAndGo = FiltersComeAndGo.TestCase
TestFiltersComeAndGo.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
