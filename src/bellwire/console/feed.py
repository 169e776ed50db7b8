"""What flows through the server, for those who look at it now: events as they are routed, and delivery attempts.

While nobody looks, the engine is not listened to. While somebody does, each event costs a comparison and
maybe a place in a bounded sample (reservoir: every one has the same chance); what the viewer's filter says of the
sample is found out when the viewer comes for it, some times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.model.ids import AccountId

T = TypeVar("T")

MOST_HELD = 300
"""Events, and attempts, of one viewer between two of its visits."""
LARGEST_BODY_HELD = 64 << 10
"""Bytes. Larger events are counted, and not held: they would keep too much memory."""


@dataclass(frozen=True, slots=True)
class RoutedEvent:
    event: Event
    notifications: int


@dataclass(frozen=True, slots=True)
class MadeAttempt:
    attempt: Attempt
    event: Event | None


@dataclass(frozen=True, slots=True)
class Sampled(Generic[T]):
    """`seen`: how many there were; `items`: those of them that were held, oldest first."""

    seen: int
    items: tuple[T, ...]


@dataclass(slots=True)
class _Reservoir(Generic[T]):
    random: Random
    seen: int = 0
    _held: list[tuple[int, T]] = field(default_factory=list)

    def offer(self, item: T | None) -> None:
        """Count one; None is not held."""
        self.seen += 1
        if item is None:
            return
        if len(self._held) < MOST_HELD:
            self._held.append((self.seen, item))
        elif (place := int(self.random.random() * self.seen)) < MOST_HELD:
            self._held[place] = (self.seen, item)

    def take(self) -> Sampled[T]:
        taken = Sampled(self.seen, tuple(item for _, item in sorted(self._held, key=lambda held: held[0])))
        self.seen = 0
        self._held.clear()
        return taken


class Viewer:
    """One who looks. `account`: the only one that it may see; None is all."""

    def __init__(self, account: AccountId | None, random: Random | None = None) -> None:
        self.account = account
        chance = random or Random()  # noqa: S311 - it samples
        self._events: _Reservoir[RoutedEvent] = _Reservoir(chance)
        self._attempts: _Reservoir[MadeAttempt] = _Reservoir(chance)

    def take_events(self) -> Sampled[RoutedEvent]:
        """Those since the last time."""
        return self._events.take()

    def take_attempts(self) -> Sampled[MadeAttempt]:
        return self._attempts.take()

    def routed(self, event: Event, notifications: int) -> None:
        if self.account in {None, event.account}:
            held = RoutedEvent(event, notifications) if len(event.body) <= LARGEST_BODY_HELD else None
            self._events.offer(held)

    def attempted(self, attempt: Attempt, event: Event | None) -> None:
        if self.account is None or (event is not None and event.account == self.account):
            shown = event if event is not None and len(event.body) <= LARGEST_BODY_HELD else None
            self._attempts.offer(MadeAttempt(attempt, shown))


class Feed:
    """Passes on what happens. Owned by the event loop of the engine."""

    def __init__(self) -> None:
        self._viewers: tuple[Viewer, ...] = ()
        self._listen: Callable[[], None] = _nothing
        self._stop_listening: Callable[[], None] = _nothing

    def connect(self, listen: Callable[[], None], stop_listening: Callable[[], None]) -> None:
        """An engine to look at from now on, in the place of the one before.

        Args:
            listen: have the engine call `routed` and `attempted`; called when somebody begins to look.
            stop_listening: have it stop; called when nobody looks any more.
        """
        self._listen, self._stop_listening = listen, stop_listening
        if self._viewers:
            listen()

    def open(self, viewer: Viewer) -> None:
        """Let it see what happens from now on."""
        if not self._viewers:
            self._listen()
        if viewer not in self._viewers:
            self._viewers = (*self._viewers, viewer)

    def close(self, viewer: Viewer) -> None:
        if viewer not in self._viewers:
            return
        self._viewers = tuple(other for other in self._viewers if other is not viewer)
        if not self._viewers:
            self._stop_listening()

    def routed(self, event: Event, notifications: int) -> None:
        """For the router, of each event."""
        for viewer in self._viewers:
            viewer.routed(event, notifications)

    def attempted(self, attempt: Attempt, event: Event | None) -> None:
        """For the attempt watch, of each attempt."""
        for viewer in self._viewers:
            viewer.attempted(attempt, event)


def _nothing() -> None:
    """Before there is an engine."""
