"""The history of a subscription's event filters (engine.md, Subscriptions and positions).

A version holds for log positions in `(from_position, until_position]`. A change of filters closes the version in force
and opens the next at the same position, so that each event is matched with the filters of its time, also when it is
routed again after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bellwire.model.ids import Position
from bellwire.model.subscription import FilterVersion, Subscription


def first_version(filters: Sequence[str], head: Position) -> FilterVersion:
    return FilterVersion(version=1, filters=tuple(filters), from_position=head)


def with_next_version(subscription: Subscription, filters: Sequence[str], head: Position) -> Subscription:
    """The subscription with these filters in force from `head` on."""
    *closed, current = subscription.versions
    opened = FilterVersion(version=current.version + 1, filters=tuple(filters), from_position=head)
    return replace(subscription, versions=(*closed, replace(current, until_position=head), opened))


def without_versions_below(subscription: Subscription, position: Position) -> Subscription:
    """The subscription without the versions that ended at or before `position`; the one in force stays."""
    left = tuple(v for v in subscription.versions if v.until_position is None or v.until_position > position)
    return subscription if len(left) == len(subscription.versions) else replace(subscription, versions=left)
