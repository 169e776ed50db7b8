"""At most so many unrouted events of one account, so that a bulk publisher does not delay the others by minutes."""

from __future__ import annotations

import asyncio

from bellwire.model.ids import AccountId


class Unrouted:
    """Counts events that are published and not yet routed, by account. Owned by one event loop."""

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._counts: dict[AccountId, int] = {}
        self._waiting: dict[AccountId, asyncio.Event] = {}

    @property
    def total(self) -> int:
        """Of all accounts."""
        return sum(self._counts.values())

    async def room(self, account: AccountId) -> None:
        """Wait while the account has as many unrouted events as it may."""
        while self._counts.get(account, 0) >= self._limit:
            await self._waiting.setdefault(account, asyncio.Event()).wait()

    def published(self, account: AccountId, events: int) -> None:
        self._counts[account] = self._counts.get(account, 0) + events

    def routed(self, account: AccountId) -> None:
        """One event of the account was routed. Events of an earlier process, never counted, change nothing."""
        self.withdrawn(account, 1)

    def withdrawn(self, account: AccountId, events: int) -> None:
        """So many events of the account will not have to be routed any more."""
        count = self._counts.get(account)
        if count is None:
            return
        left = max(0, count - events)
        if left:
            self._counts[account] = left
        else:
            del self._counts[account]
        if left < self._limit and self._waiting and (waiting := self._waiting.pop(account, None)) is not None:
            waiting.set()
