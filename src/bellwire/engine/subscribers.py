"""The live subscriptions of one partition, in memory: who wants an event, and with which of its event filters.

Around the filter index, which knows filters only as numbers (*handles*), this keeps for each handle whose filter it is,
in which version and at which place of that version, from which log position to which it holds, and what it projects:
arrays, 46 bytes a filter (engine.md, Memory). All changes are single steps of the event loop, so that no event is
matched between the end of one version and the beginning of the next.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import TypeVar

import msgspec

from bellwire.filters import EventFilter
from bellwire.matching.index import FilterIndex, Place
from bellwire.model.event import Rows
from bellwire.model.ids import ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription
from bellwire.ports.delivery_control import Subscriber

_OPEN_END = (1 << 63) - 1


class Match(msgspec.Struct, frozen=True, gc=False):
    """One notification to be: `version` and `filter_index` name the event filter that it is rendered for."""

    subscriber: Subscriber
    version: int
    filter_index: int
    projections: frozenset[str]


class Subscribers:
    """Registry and matcher. Owned by one event loop; pure but for its own state."""

    def __init__(self) -> None:
        self._index = FilterIndex()
        self._by_id: dict[SubscriptionId, Subscriber] = {}
        self._by_owner: dict[ExtensionId, Subscriber | dict[ClientId, tuple[Subscriber, ...]]] = {}
        """Most users have one; the others' stand apart by application, so that one with very many is no obstacle."""
        self._owners: list[Subscriber | None] = []
        self._places: list[Place | tuple[Place, ...]] = []
        self._projections: list[frozenset[str]] = []
        self._versions = array("L")
        self._filter_indexes = array("H")
        self._from = array("q")
        self._until = array("q")
        self._free: list[int] = []
        self._projection_sets: dict[frozenset[str], frozenset[str]] = {}
        self._ended: list[tuple[Position, SubscriptionId, int]] = []
        """A heap of closed versions: end, subscription, version."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Subscriber]:
        """All subscribers; none may be opened or closed meanwhile."""
        return iter(self._by_id.values())

    @property
    def filter_count(self) -> int:
        return len(self._owners) - len(self._free)

    def get(self, subscription: SubscriptionId) -> Subscriber | None:
        return self._by_id.get(subscription)

    def of_owner(self, owner: ExtensionId) -> tuple[Subscriber, ...]:
        """All subscribers of one user, in no order."""
        found = self._by_owner.get(owner, ())
        return tuple(chain.from_iterable(found.values())) if isinstance(found, dict) else _several(found)

    def of_user(self, owner: ExtensionId, client: ClientId) -> tuple[Subscriber, ...]:
        """Those of one user with one application, in no order. What others have costs nothing."""
        found = self._by_owner.get(owner, ())
        if isinstance(found, dict):
            return found.get(client, ())
        return tuple(one for one in _several(found) if one.client_id == client)

    def open(self, subscription: Subscription, filters: Sequence[Sequence[EventFilter | None]]) -> Subscriber:
        """Match events for a subscription from now on.

        Args:
            filters: the parsed filters of each of the subscription's versions, in order; None where one can't be
                read any more.
        """
        if subscription.id in self._by_id:
            raise ValueError(f"subscription {subscription.id} is open already")
        subscriber = Subscriber(subscription)
        for version, parsed in zip(subscription.versions, filters, strict=True):
            self._open_version(subscriber, version, parsed)
        self._by_id[subscription.id] = subscriber
        self._file(subscriber)
        return subscriber

    def replace(self, subscription: Subscription) -> None:
        """Put a changed record in the place of the old one; its versions' filters and positions are the same."""
        self._by_id[subscription.id].subscription = subscription

    def refilter(self, subscription: Subscription, filters: Sequence[EventFilter | None]) -> None:
        """Take over a record whose last version is new (see `with_next_version`): the version before ends where it
        begins.

        Args:
            filters: the parsed filters of the new version.
        """
        subscriber = self._by_id[subscription.id]
        *_, closed, opened = subscription.versions
        end = closed.until_position
        if end is None or end != opened.from_position:
            raise ValueError("a version of filters must end where the next begins")
        for handle in _several(subscriber.handles):
            if self._until[handle] == _OPEN_END:
                self._until[handle] = end
        heapq.heappush(self._ended, (end, subscription.id, closed.version))
        subscriber.subscription = subscription
        self._open_version(subscriber, opened, filters)

    def close(self, subscription: SubscriptionId) -> None:
        """Match nothing more for a subscription; unknown ids change nothing."""
        subscriber = self._by_id.pop(subscription, None)
        if subscriber is None:
            return
        self._drop(_several(subscriber.handles))
        subscriber.handles = ()
        subscriber.socket = None  # the two refer to each other, and the collector comes seldom
        self._unfile(subscriber)

    def forget_versions_below(self, watermark: Position) -> None:
        """Stop matching with versions that ended at or below a position that nothing is routed from again.

        The subscriptions' records keep them: a notification in the backlog still names its version.
        """
        while self._ended and self._ended[0][0] <= watermark:
            _, subscription, version = heapq.heappop(self._ended)
            subscriber = self._by_id.get(subscription)
            if subscriber is None:
                continue
            handles = _several(subscriber.handles)
            subscriber.handles = _packed([handle for handle in handles if self._versions[handle] != version])
            self._drop([handle for handle in handles if self._versions[handle] == version])

    def oldest_needed(self, subscription: SubscriptionId) -> Position:
        """The position that versions of a subscription are still matched with events after; older ones are not."""
        subscriber = self._by_id[subscription]
        handles = _several(subscriber.handles)
        if not handles:
            return subscriber.subscription.versions[-1].from_position
        return min(Position(self._from[handle]) for handle in handles)

    def matches(
        self, key: str, rows: Rows, position: Position, audience: Collection[ExtensionId] | None = None
    ) -> list[Match]:
        """Who gets an event that is announced on one topic: each subscription at most once.

        Of several filters of one subscription the one with the most projections is chosen; among equals, the first.

        Args:
            key: the topic, as `EventFilter.key` has it.
            position: of the event; a filter holds for positions after the one that it began at.
            audience: the owners that may see the event; None is all.
        """
        from_positions, until_positions, owners = self._from, self._until, self._owners
        chosen: dict[Subscriber, int] = {}
        for handle in self._index.match(key, rows):
            if not from_positions[handle] < position <= until_positions[handle]:
                continue
            subscriber = owners[handle]
            assert subscriber is not None
            if audience is not None and subscriber.owner_id not in audience:
                continue
            other = chosen.get(subscriber)
            if other is None or self._rank(handle) < self._rank(other):
                chosen[subscriber] = handle
        return [
            Match(subscriber, self._versions[handle], self._filter_indexes[handle], self._projections[handle])
            for subscriber, handle in chosen.items()
        ]

    def _file(self, subscriber: Subscriber) -> None:
        """Put a subscriber among its owner's."""
        owner, client = subscriber.owner_id, subscriber.client_id
        others = self._by_owner.setdefault(owner, subscriber)
        if others is subscriber:
            return
        if isinstance(others, Subscriber):
            others = self._by_owner[owner] = {others.client_id: (others,)}
        others[client] = (*others.get(client, ()), subscriber)

    def _unfile(self, subscriber: Subscriber) -> None:
        owner, client = subscriber.owner_id, subscriber.client_id
        others = self._by_owner[owner]
        if isinstance(others, Subscriber):
            del self._by_owner[owner]
            return
        left = tuple(other for other in others[client] if other is not subscriber)
        if left:
            others[client] = left
        else:
            del others[client]
        if not others:
            del self._by_owner[owner]

    def _rank(self, handle: int) -> tuple[int, int]:
        return (-len(self._projections[handle]), self._filter_indexes[handle])

    def _open_version(
        self, subscriber: Subscriber, version: FilterVersion, filters: Sequence[EventFilter | None]
    ) -> None:
        until = _OPEN_END if version.until_position is None else version.until_position
        added = [
            self._add(subscriber, version, number, event_filter, until)
            for number, event_filter in enumerate(filters)
            if event_filter is not None
        ]
        subscriber.handles = _packed([*_several(subscriber.handles), *added])
        if version.until_position is not None:
            heapq.heappush(self._ended, (version.until_position, subscriber.id, version.version))

    def _add(
        self, subscriber: Subscriber, version: FilterVersion, number: int, event_filter: EventFilter, until: int
    ) -> int:
        if self._free:
            handle = self._free.pop()
        else:
            handle = len(self._owners)
            self._owners.append(None)
            self._places.append(())
            self._projections.append(frozenset())
            for column in (self._versions, self._filter_indexes, self._from, self._until):
                column.append(0)
        places = self._index.add(event_filter.key, event_filter.predicates, handle)
        self._owners[handle] = subscriber
        self._places[handle] = places[0] if len(places) == 1 else places
        self._projections[handle] = self._projection_sets.setdefault(event_filter.projections, event_filter.projections)
        self._versions[handle] = version.version
        self._filter_indexes[handle] = number
        self._from[handle] = version.from_position
        self._until[handle] = until
        return handle

    def _drop(self, handles: Sequence[int]) -> None:
        for handle in handles:
            places = self._places[handle]
            self._index.remove((places,) if isinstance(places, str) else places, handle)
            self._owners[handle] = None
            self._places[handle] = ()
            self._free.append(handle)


_Value = TypeVar("_Value")


def _several(values: _Value | tuple[_Value, ...]) -> tuple[_Value, ...]:
    return values if isinstance(values, tuple) else (values,)


def _packed(handles: list[int]) -> int | tuple[int, ...]:
    """One alone needs no tuple; most have one."""
    return handles[0] if len(handles) == 1 else tuple(handles)
