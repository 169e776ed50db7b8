"""The history of a subscription's event filters."""

from __future__ import annotations

from bellwire.model.ids import Position
from bellwire.subscriptions.versions import first_version, with_next_version, without_versions_below
from tests.doubles.subscriptions import a_subscription


def test_a_change_of_filters_ends_one_version_where_the_next_begins() -> None:
    subscription = a_subscription(versions=(first_version(["/a"], Position(5)),))
    changed = with_next_version(subscription, ["/b", "/c"], Position(9))
    old, new = changed.versions
    assert (old.version, old.filters, old.from_position, old.until_position) == (1, ("/a",), 5, 9)
    assert (new.version, new.filters, new.from_position, new.until_position) == (2, ("/b", "/c"), 9, None)
    assert changed.filters == ("/b", "/c")


def test_versions_that_ended_are_dropped_and_the_one_in_force_never() -> None:
    subscription = a_subscription(versions=(first_version(["/a"], Position(5)),))
    for head in (9, 12):
        subscription = with_next_version(subscription, [f"/{head}"], Position(head))
    assert without_versions_below(subscription, Position(8)) is subscription
    assert [v.version for v in without_versions_below(subscription, Position(9)).versions] == [2, 3]
    assert [v.version for v in without_versions_below(subscription, Position(99)).versions] == [3]
