"""What the gateway's machine knows of a session, which outlives its connection, and of a connection.

There may be ten thousand of each: slots, and no collection that is not needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from bellwire.model.ids import SubscriptionId


class Notification(Protocol):
    """One notification of one subscription, not written yet."""

    @property
    def uuid(self) -> str: ...

    @property
    def request_id(self) -> str:
        """Of the event's publisher, or else the uuid."""
        ...

    @property
    def position(self) -> int:
        """Of its event in the log."""
        ...

    @property
    def size_bytes(self) -> int:
        """About how much it takes in memory while it waits."""
        ...

    def envelope(self) -> bytes:
        """The notification as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose socket it is: the OAuth session that its socket token was given to, and the user."""

    login: str
    user: Hashable


class Session:
    """One client's stretch of notifications, over as many connections as it takes.

    `sent` are the last notifications that were written, with the sequences up to `sequence`; `waiting` come after
    them and have none yet: they wait for a barrier, for the client to read, or for its return.
    """

    __slots__ = (
        "coming",
        "connection",
        "expires_at",
        "is_answered",
        "is_reading",
        "key",
        "ordinal",
        "owner",
        "position",
        "sent",
        "sequence",
        "subscription",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, key: str, owner: Owner) -> None:
        self.key = key
        self.owner = owner
        self.connection: Connection | None = None
        self.expires_at = 0.0
        """When it ends, while it has no connection."""
        self.subscription: SubscriptionId | None = None
        self.coming: dict[SubscriptionId, list[Notification]] | None = None
        """Subscriptions that are being made, with what matched already."""
        self.is_answered = True
        """Its client was told of its subscription."""
        self.is_reading = False
        """What it missed is being read from the event log."""
        self.sequence = 0
        self.position = 0
        self.ordinal = 0
        """Position of the last notification written, and how many of the same position came before it."""
        self.sent: deque[Notification] = deque()
        self.waiting: deque[Notification] = deque()
        self.waiting_bytes = 0

    def token(self) -> str:
        """The recovery token of what was written last."""
        return f"{self.key}.{self.sequence}.{self.position}.{self.ordinal}"


class Connection:
    """One socket that was let in. `socket` is the shell's own."""

    __slots__ = (
        "active_requests",
        "barrier",
        "is_congested",
        "last_active",
        "opened_at",
        "ping_due",
        "pinged",
        "pong_due",
        "session",
        "socket",
    )

    def __init__(self, session: Session, socket: Any, *, now: float, ping_due: float) -> None:
        self.session = session
        self.socket = socket
        self.opened_at = now
        self.last_active = now
        self.ping_due = ping_due
        self.pong_due: float | None = None
        """When the oldest ping that is not answered is given up."""
        self.pinged = 0
        """The number of the last ping."""
        self.barrier: int | None = None
        """The ping whose pong lets notifications through."""
        self.active_requests = 0
        self.is_congested = False
        """Its client does not read as fast as it is written to."""

    @property
    def is_open(self) -> bool:
        return self.session.connection is self
