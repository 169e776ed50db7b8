"""The filter index: which filters want an event that is announced on a topic with these values.

A filter is a key (the topic, an exact string) and predicates (a name and the values allowed, any number of times).
It matches when *one* row of the event has, for each predicate name, one of the filter's values. A name that a row does
not have matches any value of the filter's.

The structure, for a filter without predicates on topic S (7), `?direction=Inbound&to=+1` on topic T (8) and two equal
filters `?to=+2` on T (9 and 10):

    topics  {S: 7, T: "ab"}                                  a = (direction, to), b = (to,)
    places  {"T\\0a\\0Inbound\\0+1": 8, "T\\0b\\0+2": (9, 10)}
    listed  {T: (("a", "T\\0a\\0Inbound\\0+1"), ("b", "T\\0b\\0+2"))}

A *shape* is a set of predicate names, written as one character; `topics` has the shapes that filters use on a topic.
A *place* is topic, shape and one value for each name, joined by NUL: one flat dictionary of strings to integers takes
a quarter of the memory of nested ones, and the garbage collector passes over it (engine.md, Memory). A match asks
`topics` once and `places` once for each shape (and combination of values of the row), however many filters there are;
with a million of them its time is that of fetching memory, so each look-up and each object between counts.

`listed` has the places in use for each shape of a topic: one string, or a set. They say when a shape is used no more,
and they are what is searched when a row leaves out a name, or has so many values that asking for each combination
costs more.

NUL in a key, name or value of a filter is refused. An event's may hold NUL: its place then has more parts than any
filter's of that shape, so that it equals none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product

from bellwire.model.event import Rows

Predicates = tuple[tuple[str, tuple[str, ...]], ...]
"""Name and values of each predicate, sorted by name, each name once."""

Place = str
"""Where an entry stands: a key, or a key with shape and values (see above)."""

_Entries = int | tuple[int, ...] | set[int]
_Places = str | set[str]

_SET_FROM = 5
"""Entries of one place: up to four as a tuple, which is small; from five on as a set, which is quick to change."""

_SEARCH_FROM = 16
"""Combinations of a row's values from which on searching the places in use is considered instead."""


class _Both:
    """A topic with filters without predicates *and* shapes; a topic with only one of the two needs no object."""

    __slots__ = ("entries", "shapes")

    def __init__(self, entries: _Entries, shapes: str) -> None:
        self.entries = entries
        self.shapes = shapes


class FilterIndex:
    """Entries are integers that the caller chose, one for each filter."""

    __slots__ = ("_listed", "_names", "_places", "_shape_of", "_topics")

    def __init__(self) -> None:
        self._topics: dict[str, _Entries | str | _Both] = {}
        self._places: dict[Place, _Entries] = {}
        self._listed: dict[str, tuple[tuple[str, _Places], ...]] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._shape_of: dict[tuple[str, ...], str] = {}

    def add(self, key: str, predicates: Predicates, entry: int) -> tuple[Place, ...]:
        """Add a filter; it must not be there yet under this entry.

        Returns:
            the places it now stands at, one for each combination of its values: what `remove` wants back.
            They share their strings with the index, so that keeping them costs next to nothing.

        Raises:
            ValueError: NUL in the key, a name or a value; names out of order; or a predicate without values.
        """
        if "\0" in key:
            raise ValueError("a filter's key must not contain NUL")
        if not predicates:
            entries, shapes = self._topic(key)
            self._set_topic(key, entry if entries is None else _with(entries, entry), shapes)
            return (key,)
        values = [_distinct(values) for _, values in predicates]
        shape = self._shape(tuple([name for name, _ in predicates]))
        places = tuple("\0".join((key, shape, *combination)) for combination in product(*values))
        for place in places:
            held = self._places.get(place)
            if held is None:
                self._places[place] = entry
                self._list(key, shape, place)
            else:
                self._places[place] = _with(held, entry)
        return places

    def remove(self, places: Iterable[Place], entry: int) -> None:
        """Remove what `add` put at these places.

        Raises:
            KeyError: the entry is not at one of them.
        """
        for place in places:
            key, separator, rest = place.partition("\0")
            if not separator:
                entries, shapes = self._topic(key)
                if entries is None:
                    raise KeyError(entry)
                self._set_topic(key, _without(entries, entry), shapes)
                continue
            left = _without(self._places[place], entry)
            if left is None:
                del self._places[place]
                self._unlist(key, rest[0], place)
            else:
                self._places[place] = left

    def match(self, key: str, rows: Rows) -> Collection[int]:
        """The entries of all filters that want an event with this topic and these rows; each once, in no order.

        Read the answer before the next `add` or `remove`: it may be the index's own set.
        """
        topic = self._topics.get(key)
        if topic is None:
            return ()
        if isinstance(topic, int):
            return (topic,)
        hits: list[_Entries] = []
        if isinstance(topic, _Both):
            hits.append(topic.entries)
            topic = topic.shapes
        elif not isinstance(topic, str):
            return topic
        for shape in topic:
            for row in rows:
                self._match_row(key, shape, row, hits)
        if not hits:
            return ()
        if len(hits) == 1:
            only = hits[0]
            return (only,) if isinstance(only, int) else only
        distinct: set[int] = set()
        for hit in hits:
            if isinstance(hit, int):
                distinct.add(hit)
            else:
                distinct.update(hit)
        return distinct

    def _match_row(self, key: str, shape: str, row: Mapping[str, tuple[str, ...]], hits: list[_Entries]) -> None:
        """Append what one shape of a topic has for one row."""
        names = self._names[shape]
        values: list[tuple[str, ...]] = []
        combinations = 1
        for name in names:
            of_name = row.get(name)
            if of_name is None:
                self._search(self._listed_places(key, shape), names, row, hits)
                return
            values.append(of_name)
            combinations *= len(of_name)
        if combinations == 1:
            hit = self._places.get(f"{key}\0{shape}\0" + "\0".join([of_name[0] for of_name in values]))
            if hit is not None:
                hits.append(hit)
            return
        if combinations >= _SEARCH_FROM:
            listed = self._listed_places(key, shape)
            if combinations > len(listed):
                self._search(listed, names, row, hits)
                return
        for combination in product(*values):
            hit = self._places.get("\0".join((key, shape, *combination)))
            if hit is not None:
                hits.append(hit)

    def _search(
        self, listed: Iterable[Place], names: tuple[str, ...], row: Mapping[str, tuple[str, ...]], hits: list[_Entries]
    ) -> None:
        """The slow path: go through a shape's places on the topic, and compare what the row has."""
        wanted = [(at, frozenset(row[name])) for at, name in enumerate(names, start=2) if name in row]
        for place in listed:
            parts = place.split("\0")
            if all(parts[at] in values for at, values in wanted):
                hits.append(self._places[place])

    def _shape(self, names: tuple[str, ...]) -> str:
        """The character for these names. There are as few as families declare combinations of parameters."""
        shape = self._shape_of.get(names)
        if shape is None:
            if any("\0" in name for name in names) or list(names) != sorted(set(names)):
                raise ValueError("predicates are sorted by name, each name once, without NUL")
            shape = chr(len(self._shape_of) + 1)
            self._shape_of[names] = shape
            self._names[shape] = names
        return shape

    def _topic(self, key: str) -> tuple[_Entries | None, str]:
        """A topic's entries without predicates, and its shapes."""
        topic = self._topics.get(key)
        if topic is None:
            return None, ""
        if isinstance(topic, _Both):
            return topic.entries, topic.shapes
        return (None, topic) if isinstance(topic, str) else (topic, "")

    def _set_topic(self, key: str, entries: _Entries | None, shapes: str) -> None:
        if entries is None and not shapes:
            del self._topics[key]
        elif entries is None:
            self._topics[key] = shapes
        else:
            self._topics[key] = _Both(entries, shapes) if shapes else entries

    def _listed_places(self, key: str, shape: str) -> Collection[Place]:
        listed = next(places for other, places in self._listed[key] if other == shape)
        return (listed,) if isinstance(listed, str) else listed

    def _list(self, key: str, shape: str, place: Place) -> None:
        shapes = self._listed.get(key, ())
        for at, (other, listed) in enumerate(shapes):
            if other != shape:
                continue
            if isinstance(listed, set):
                listed.add(place)
            else:
                self._listed[key] = (*shapes[:at], (shape, {listed, place}), *shapes[at + 1 :])
            return
        self._listed[key] = (*shapes, (shape, place))
        entries, labels = self._topic(key)
        self._set_topic(key, entries, labels + shape)

    def _unlist(self, key: str, shape: str, place: Place) -> None:
        shapes = self._listed[key]
        for other, listed in shapes:
            if other == shape and isinstance(listed, set):
                listed.discard(place)
                if listed:
                    return
        left = tuple(pair for pair in shapes if pair[0] != shape)
        if left:
            self._listed[key] = left
        else:
            del self._listed[key]
        entries, labels = self._topic(key)
        self._set_topic(key, entries, labels.replace(shape, ""))


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) == 1 and "\0" not in values[0]:
        return values
    if not values:
        raise ValueError("a predicate has at least one value")
    if any("\0" in value for value in values):
        raise ValueError("a predicate's value must not contain NUL")
    return tuple(dict.fromkeys(values))


def _with(held: _Entries, entry: int) -> _Entries:
    if isinstance(held, set):
        held.add(entry)
        return held
    several = (held, entry) if isinstance(held, int) else (*held, entry)
    return several if len(several) < _SET_FROM else set(several)


def _without(held: _Entries, entry: int) -> _Entries | None:
    """What is left; None for nothing."""
    if isinstance(held, set):
        held.remove(entry)
        return held or None
    several = (held,) if isinstance(held, int) else held
    if entry not in several:
        raise KeyError(entry)
    left = tuple(other for other in several if other != entry)
    if not left:
        return None
    return left[0] if len(left) == 1 else left
