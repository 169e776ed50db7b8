"""What the subscription use cases tell the delivery engine, and the one object that both hold."""

from __future__ import annotations

from typing import Any, Protocol

from bellwire.model.ids import Position, SubscriptionId
from bellwire.model.subscription import Subscription


class Subscriber:
    """One live subscription in memory. There may be a million: each slot counts.

    `subscription`: its record as it is now; the registry replaces it. `handles`: the registry's own.
    """

    __slots__ = ("handles", "socket", "subscription")

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.handles: tuple[int, ...] = ()
        self.socket: Any = None
        """Of a WebSocket subscription: the delivery engine's own object, of a type that only it knows."""

    @property
    def id(self) -> SubscriptionId:
        return self.subscription.id


class DeliveryControl(Protocol):
    """Implemented by the delivery engine. Calls are synchronous, from the event loop, and never fail."""

    def opened(self, subscriber: Subscriber) -> None:
        """The subscription matches events from now on. Nothing goes out before `released`: it may not be stored yet,
        and then it is `closed` instead."""
        ...

    def released(self, subscription: SubscriptionId) -> None:
        """It is stored: what matched meanwhile, and from now on, may go out."""
        ...

    def restored(self, subscriber: Subscriber) -> None:
        """At start: the subscription is stored and matches events; what waits for it goes out once deliveries begin."""
        ...

    def refiltered(self, subscription: SubscriptionId) -> None:
        """Its record has another version of filters in force; what matched before goes out as it was matched."""
        ...

    def closed(self, subscription: SubscriptionId) -> None:
        """It was deleted, expired or never stored: drop what waits for it, in memory and in the backlog."""
        ...

    def reactivate(self, subscription: SubscriptionId) -> None:
        """Its address passed the handshake again: it is not blacklisted any more; drain its backlog."""
        ...

    def oldest_pending(self, subscription: SubscriptionId) -> Position | None:
        """The lowest position whose notification still waits for it, in memory or in the backlog; None for nothing.

        A version of filters that ended before may be dropped from the record: no notification names it any more.
        """
        ...
