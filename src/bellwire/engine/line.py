"""A subscription in the delivery engine: where its notifications go, its lane, its timer, and attempts under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bellwire.delivery.lane import Lane, Mode
from bellwire.delivery.notification import Notification
from bellwire.engine.places import Gate, OriginPlaces
from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.model.ids import SubscriptionId
from bellwire.model.webhook import Endpoint


class Unreadable(Exception):
    """A notification that can't be written; the text is one plain sentence for people."""


class Destination(Protocol):
    """One subscription as its deliveries see it."""

    @property
    def id(self) -> SubscriptionId: ...

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def address(self) -> str:
        """As the subscriber wrote it."""
        ...

    @property
    def is_held(self) -> bool:
        """Its record says that nothing may be sent: it is paused, or its address is blacklisted."""
        ...

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        """The notification's uuid, the request head and the body.

        Raises:
            Unreadable: the event filter that it was matched by is not known any more.
        """
        ...


Observe = Callable[[Destination, Attempt, Event | None], None]
"""Is told of each attempt, from the event loop; must be quick."""


class Line:
    """A destination with its lane and its timer."""

    __slots__ = ("cancels", "destination", "is_slow", "lane", "places", "starved_at", "timer", "wake_at")

    def __init__(self, destination: Destination, lane: Lane, places: OriginPlaces[Line]) -> None:
        self.destination = destination
        self.lane = lane
        self.places = places
        self.timer: asyncio.TimerHandle | None = None
        self.wake_at = 0.0
        self.starved_at: Gate[Line] | None = None
        """The gate at which it waits for a place."""
        self.is_slow = False
        """It stayed half full for longer than the router's patience, and was not nearly empty since."""
        self.cancels: dict[Notification, Callable[[], None]] = {}

    def is_trying(self, now: float) -> bool:
        """Whether an attempt is under way, or will be as soon as the loop, the disk or a place allows.

        What waits in memory while the endpoint is left alone is neither: it may be a quarter of an hour away.
        """
        is_due = self.timer is not None and self.wake_at <= now
        return bool(self.lane.in_flight or self.lane.reading or is_due or (self.lane.waiting and self.starved_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A subscription's notifications as they are now. `mode`: live, spilling or draining."""

    mode: Mode
    is_held: bool
    is_trying: bool
    """An attempt is under way or about to begin."""
    waiting: int
    """In memory."""
    in_flight: int
    backlog_rows: int
