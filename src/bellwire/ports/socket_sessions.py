"""Where sessions of the gateway are kept that are to outlive the server.

What they missed is in the event log, and how far their clients had read is in the clients' recovery tokens: a session
is written once, with its subscription.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from bellwire.model.ids import ExtensionId, SessionId, SubscriptionId


class SocketSession(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: as recovery tokens name it. `login`: the OAuth session that it belongs to."""

    key: str
    subscription: SubscriptionId
    login: SessionId
    user: ExtensionId


class SocketSessionStore(Protocol):
    async def save(self, session: SocketSession) -> None:
        """Create, or replace the one with this key; durable on return. It goes with its subscription, which is stored
        already."""
        ...

    async def all(self) -> list[SocketSession]: ...
