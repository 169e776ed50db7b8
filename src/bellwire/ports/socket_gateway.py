"""What the use cases ask of the WebSocket gateway, and how a request that came by socket is told from others."""

from __future__ import annotations

from typing import Any, Protocol

from bellwire.model.identity import Caller
from bellwire.model.ids import SubscriptionId
from bellwire.wire.gateway.session import Notification

SOCKET_LINK = "bellwire.socket_link"
"""The key of an ASGI scope under which a request that was made over a socket has its `SocketLink`. What comes by HTTP
can't write it."""


class SocketGateway(Protocol):
    """Calls are synchronous, from the event loop, and never fail."""

    def notify(self, subscription: SubscriptionId, notification: Notification, *, more: bool = False) -> None:
        """An event matched a subscription; unknown ones are passed over. In log order for each subscription.

        Args:
            more: others follow soon, so that it may be written together with the next one to the same client. `flush`
                is called then, whether or not one follows.
        """
        ...

    def flush(self, most: int) -> bool:
        """Write what waits for others to follow, to so many clients at most. Whether there is more to be written."""
        ...

    def unsubscribed(self, subscription: SubscriptionId) -> None:
        """A subscription is no more: nothing of it goes out any more. Unknown ones are passed over."""
        ...


class SocketLink(Protocol):
    """The socket that a request came over. A session has one subscription at most."""

    def caller(self) -> Caller:
        """Who makes the request.

        Raises:
            Unauthenticated: user, account or application may not be signed in any more.
        """
        ...

    @property
    def session(self) -> str:
        """The session's key."""
        ...

    @property
    def subscription(self) -> SubscriptionId | None:
        """The session's own."""
        ...

    def begin(self, subscription: SubscriptionId) -> None:
        """It is being made: what matches it from now on waits for the answer."""
        ...

    def activate(self, subscription: SubscriptionId) -> SubscriptionId | None:
        """It is made, and is the session's own from now on.

        Returns:
            what is to be deleted: the one of before, or, when the session ended meanwhile, the new one itself.
        """
        ...

    def abandon(self, subscription: SubscriptionId) -> None:
        """It could not be made."""
        ...

    def updated(self, subscription: SubscriptionId) -> None:
        """The request changed the session's subscription."""
        ...


def socket_link_of(scope: Any) -> SocketLink | None:
    """The link of a request's ASGI scope; None for one that came by HTTP."""
    link: SocketLink | None = scope.get(SOCKET_LINK)
    return link
