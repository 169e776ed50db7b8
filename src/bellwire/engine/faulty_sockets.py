"""Sockets that are cut on purpose, for development: the gateway behind the faults that are in force.

The connection goes before a notification is written to it, so that the notification waits for the client's return, as
after any other loss. `serve` has no faults.
"""

from __future__ import annotations

from typing import Protocol

from bellwire.engine.faults import Faults
from bellwire.model.ids import SubscriptionId
from bellwire.ports.socket_gateway import SocketGateway
from bellwire.wire.gateway.session import Notification


class CuttableGateway(SocketGateway, Protocol):
    """A gateway that lets connections be cut."""

    def is_connected(self, subscription: SubscriptionId) -> bool:
        """Whether the subscription's client is connected."""
        ...

    def cut(self, subscription: SubscriptionId) -> None:
        """Cut the connection of the subscription's client, if it has one."""
        ...


class FaultySockets(SocketGateway):
    """The real gateway, behind the faults that are in force."""

    def __init__(self, gateway: CuttableGateway, faults: Faults) -> None:
        self._gateway = gateway
        self._faults = faults

    def notify(self, subscription: SubscriptionId, notification: Notification, *, more: bool = False) -> None:
        if len(self._faults) and self._gateway.is_connected(subscription) and self._faults.cuts_socket(subscription):
            self._gateway.cut(subscription)
        self._gateway.notify(subscription, notification, more=more)

    def flush(self, most: int) -> bool:
        return self._gateway.flush(most)

    def unsubscribed(self, subscription: SubscriptionId) -> None:
        self._gateway.unsubscribed(subscription)
