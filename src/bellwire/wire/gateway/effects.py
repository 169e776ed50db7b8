"""What the gateway's machine wants done. The shell does it in the order given."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bellwire.model.ids import SubscriptionId
from bellwire.wire.gateway.codes import Refusal
from bellwire.wire.gateway.frames import ClientRequest
from bellwire.wire.gateway.session import Connection, Notification, Session


class Send(msgspec.Struct, frozen=True, gc=False):
    """Write one text frame."""

    connection: Connection
    frame: bytes


class Ping(msgspec.Struct, frozen=True, gc=False):
    connection: Connection
    payload: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close, after what was written before. `why` is None where it was taken over by the session's next connection."""

    connection: Connection
    close_code: int
    why: Refusal | None


class Abort(msgspec.Struct, frozen=True, gc=False):
    """Cut the connection: its client does not read, so it would not see a closing frame either."""

    connection: Connection


class Call:
    """Run a client's request; its answer goes to `Gateway.answered`."""

    __slots__ = ("connection", "is_new", "request", "session", "subscription")

    def __init__(self, connection: Connection, request: ClientRequest) -> None:
        self.connection = connection
        self.session = connection.session
        self.request = request
        self.subscription: SubscriptionId | None = None
        """The socket's subscription that the request made or changed."""
        self.is_new = False


class ReadLog(msgspec.Struct, frozen=True, gc=False):
    """Find what a recovered connection's session missed in the event log, after a position and so many notifications
    of that position; it goes to `Gateway.found`, or else to `Gateway.not_found`."""

    connection: Connection
    subscription: SubscriptionId
    position: int
    ordinal: int


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A session ended with its subscription, which is to be deleted."""

    subscription: SubscriptionId


class Outcome(StrEnum):
    """What became of a notification."""

    SENT = "sent"
    """Written to a connection. Whether its client read it is not known."""
    KEPT = "kept"
    """Its client is not connected; it goes out when it recovers the session."""
    OVERFLOWED = "overflowed"
    """It was kept, and newer ones took its place."""
    EXPIRED = "expired"
    """It was kept, and its client did not come back in time."""
    TOO_LARGE = "too_large"


class Told(msgspec.Struct, frozen=True, gc=False):
    """What became of a notification, for its history."""

    notification: Notification
    outcome: Outcome
    session: Session


Effect = Send | Ping | Close | Abort | Call | ReadLog | Ended | Told
