"""The outbox: events that were committed with what they tell of, on their way into the log (engine.md, Publish)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bellwire.model.event import Event


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event in the outbox, with its place."""

    place: int
    event: Event


class Outbox(Protocol):
    async def size(self) -> int: ...

    async def first(self, limit: int) -> list[Outgoing]:
        """The oldest, in the order in which they were put in."""
        ...

    async def remove(self, through: int) -> int:
        """They are in the log: delete all up to this place; returns how many there were."""
        ...

    def on_put(self, listener: Callable[[int], None]) -> None:
        """Be told, from the event loop and after the commit, how many events were put in."""
        ...
