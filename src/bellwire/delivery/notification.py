"""One event for one subscription, as it waits, goes out and is settled; and what its lane tells the next commit."""

from __future__ import annotations

from typing import Protocol

from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Position, SubscriptionId

Place = tuple[Position, str]
"""Position and topic: a notification's identity within its subscription, and its order."""
START: Place = (LOG_START, "")
"""Before all others."""


class Notification:
    """One event for one subscription, in memory.

    `event` is None where it could not be found any more. `has_row`: it is in the backlog, or will be with the commit
    that is being gathered. `routed_at`: running time, seconds. `further`: the subscription gets the event on an earlier
    topic, too, so this one has a uuid derived from the event's. That is decided once, when it is routed: what an event
    is announced on may change between two attempts. None: routed by a release that did not write it down.
    """

    __slots__ = (
        "event",
        "filter_index",
        "filter_version",
        "further",
        "has_row",
        "key",
        "position",
        "routed_at",
        "size_bytes",
        "topic",
    )

    def __init__(  # noqa: PLR0917 - built at every match: keywords would cost more than the call
        self,
        position: Position,
        topic: str,
        key: str,
        filter_version: int,
        filter_index: int,
        event: Event | None,
        size_bytes: int,
        routed_at: float,
        has_row: bool = False,
        further: bool | None = False,
    ) -> None:
        self.position = position
        self.topic = topic
        self.key = key
        self.filter_version = filter_version
        self.filter_index = filter_index
        self.event = event
        self.size_bytes = size_bytes
        self.routed_at = routed_at
        self.has_row = has_row
        self.further = further

    @classmethod
    def of_row(cls, row: BacklogRow, event: Event | None, now: float) -> Notification:
        """As read from the backlog, at running time `now`."""
        return cls(
            row.position,
            row.topic,
            row.key,
            row.filter_version,
            row.filter_index,
            event,
            row.size_bytes,
            now,
            has_row=True,
            further=row.further,
        )

    @property
    def place(self) -> Place:
        return (self.position, self.topic)

    def row(self, subscription: SubscriptionId) -> BacklogRow:
        return BacklogRow(
            subscription=subscription,
            position=self.position,
            topic=self.topic,
            key=self.key,
            filter_version=self.filter_version,
            filter_index=self.filter_index,
            size_bytes=self.size_bytes,
            further=self.further,
        )


class Ledger(Protocol):
    """Gathers what the next commit records."""

    def put(self, subscription: SubscriptionId, notification: Notification) -> None:
        """The notification gets a backlog row; it is settled thereby."""
        ...

    def finish(self, subscription: SubscriptionId, notification: Notification) -> None:
        """The notification has its outcome: its row goes if it has one; otherwise it is settled by this."""
        ...
