"""What the subscription use cases tell the delivery engine, and the one object that both hold."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, Protocol

from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.packed import pack, unpack
from bellwire.model.subscription import Subscription, TransportType


class Subscriber:
    """One live subscription in memory. There may be a million: each slot counts.

    `subscription` is its record as it is now, unpacked at each call; the registry replaces it. What is asked of many
    subscriptions, or for each notification, has a slot. `handles`: the registry's own. `socket`: of a WebSocket
    subscription, the delivery engine's own object, of a type that only it knows.
    """

    __slots__ = (
        "_packed",
        "account_id",
        "client_id",
        "expires_at",
        "handles",
        "id",
        "is_held",
        "owner_id",
        "socket",
        "transport",
    )

    def __init__(self, subscription: Subscription) -> None:
        self.id: SubscriptionId = subscription.id
        self.owner_id: ExtensionId = subscription.owner_id
        # One string in memory for each account and application instead of one for each subscription.
        self.account_id = AccountId(sys.intern(subscription.account_id))
        self.client_id = ClientId(sys.intern(subscription.client_id))
        self.transport: TransportType = subscription.transport
        self.handles: int | tuple[int, ...] = ()
        self.socket: Any = None
        self.subscription = subscription

    @property
    def subscription(self) -> Subscription:
        return unpack(
            self._packed,
            id_=self.id,
            account=self.account_id,
            owner=self.owner_id,
            client=self.client_id,
            transport=self.transport,
            expires_at=self.expires_at,
        )

    @subscription.setter
    def subscription(self, changed: Subscription) -> None:
        """Take over a changed record; whose it is, and how it is delivered, never changes."""
        self._packed = pack(changed)
        self.expires_at: datetime = changed.expires_at
        self.is_held: bool = changed.is_held


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
