"""Notifications of WebSocket subscriptions: from the router to the gateway, and into history.

They are delivered at most once (a recovered session gets what its client says it has not read), so the watermark does
not wait for them, and there is no backlog. The router hands its matches over; they are written in turns, so that an
event for ten thousand clients holds nobody else up for longer than one turn takes. While more events wait than the one
that is being written, a client's frames gather for a moment and go out in one write: what the system takes for a write
is half of what a frame costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from bellwire.delivery.failures import sentence
from bellwire.engine.envelope import Envelopes, FilterEnvelope
from bellwire.engine.line import Unreadable
from bellwire.engine.notification_text import NotificationText
from bellwire.engine.route import Announcements
from bellwire.engine.subscribers import Match
from bellwire.model.attempt import SOCKET_ADDRESS, Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import Event
from bellwire.model.ids import Position, SubscriptionId
from bellwire.ports.clock import Clock
from bellwire.ports.delivery_control import Subscriber
from bellwire.ports.socket_gateway import SocketGateway
from bellwire.wire.gateway.effects import Outcome
from bellwire.wire.gateway.session import Notification

TURN = 128
"""Notifications that are written before others have their turn."""
GATHER_SECONDS = 0.1
"""Frames gather for so long at most: a wait that is short beside that of what still waits to be written."""
GATHER_NOTIFICATIONS = 10_000
"""So many gather at most; a few megabytes."""
MOST_WAITING = 50_000
"""Notifications that may wait to be written; then the router waits."""
_BESIDE_THE_BODY = 256
"""Bytes of memory that a notification takes, about, beside its event's body."""

_MEANING = {
    Outcome.SENT: (AttemptOutcome.DELIVERED, None),
    Outcome.KEPT: (AttemptOutcome.FAILED, FailureCode.NOT_CONNECTED),
    Outcome.OVERFLOWED: (AttemptOutcome.GIVEN_UP, FailureCode.RECOVERY_OVERFLOW),
    Outcome.EXPIRED: (AttemptOutcome.GIVEN_UP, FailureCode.RECOVERY_EXPIRED),
    Outcome.TOO_LARGE: (AttemptOutcome.GIVEN_UP, FailureCode.FRAME_TOO_LARGE),
}

_DELIVERED, _SENT = AttemptOutcome.DELIVERED, Outcome.SENT
"""By names of this module's own: a look into an enumeration costs three times as much."""

Observe = Callable[[object, Attempt, Event | None], None]
ObserveSent = Callable[[Sequence[Attempt], Event], None]
Offered = tuple[Position, Event, Sequence[tuple[str, Match, bool]]]


class SocketDestination:
    """A WebSocket subscription as its notifications see it."""

    __slots__ = ("envelopes", "id", "text")

    def __init__(self, subscriber: Subscriber, envelopes: Envelopes, announcements: Announcements) -> None:
        self.id: SubscriptionId = subscriber.id
        self.envelopes = envelopes
        self.text = NotificationText(subscriber, envelopes, announcements)

    def notification(
        self,
        position: Position,
        topic: str,
        event: Event,
        place: tuple[int, int],
        further: bool,
    ) -> SocketNotification:
        """Raises: Unreadable: the event filter that it was matched by is not known any more."""
        uuid = self.text.uuid(place[0], topic, event, further=further)
        return SocketNotification(self, position, topic, event, uuid, self.text.parts(place))


class SocketNotification(msgspec.Struct, gc=False):
    """Implements `wire.gateway.session.Notification`. `tries`: attempts that history has of it."""

    destination: SocketDestination
    position: Position
    topic: str
    event: Event
    uuid: str
    parts: FilterEnvelope
    tries: int = 0

    @property
    def request_id(self) -> str:
        return self.event.request_id or self.uuid

    @property
    def size_bytes(self) -> int:
        return len(self.event.body) + _BESIDE_THE_BODY

    def envelope(self) -> bytes:
        return self.destination.envelopes.render(self.parts, self.position, self.event, self.uuid)


class SocketDeliveries:
    """Implements `engine.route.SocketFanOut`. Owned by one event loop.

    Args:
        record: puts attempts into history.
        observe: is told of an attempt, with its event.
        observe_sent: is told of many at once, all of one event, which were written at the first try.
    """

    def __init__(
        self, *, clock: Clock, record: Callable[..., None], observe: Observe, observe_sent: ObserveSent
    ) -> None:
        self._clock = clock
        self._record = record
        self._observe = observe
        self._observe_sent = observe_sent
        self._sent: list[Attempt] = []
        """Of the part of an event's notifications that is being written: what was written at the first try."""
        self._writing: tuple[Event, int] | None = None
        """The event, and when its part began, in milliseconds since the epoch."""
        self._queue: deque[Offered | Callable[[], None]] = deque()
        self._waiting = 0
        self._offered = asyncio.Event()
        self._relieved = asyncio.Event()
        self._gateway: SocketGateway

    def write_to(self, gateway: SocketGateway) -> None:
        """Which gateway; before the first event is routed."""
        self._gateway = gateway

    @property
    def waiting(self) -> int:
        """Notifications that are matched, and not handed to the gateway yet."""
        return self._waiting

    def offer(self, position: Position, event: Event, matches: list[tuple[str, Match, bool]]) -> None:
        self._queue.append((position, event, matches))
        self._waiting += len(matches)
        self._offered.set()

    async def room(self) -> None:
        while self._waiting > MOST_WAITING:
            self._relieved.clear()
            await self._relieved.wait()

    def after_all(self, then: Callable[[], None]) -> None:
        """Have it called once all that was offered before this moment is with the gateway."""
        self._queue.append(then)
        self._offered.set()

    async def run(self) -> None:
        """Write what is offered, for ever."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            budget = TURN
            gathered, flush_at = 0, self._clock.monotonic() + GATHER_SECONDS
            while self._queue:
                entry = self._queue.popleft()
                if not isinstance(entry, tuple):
                    entry()
                    continue
                position, event, matches = entry
                for start in range(0, len(matches), TURN):
                    if budget <= 0:
                        budget = TURN
                        await asyncio.sleep(0)
                    part = matches[start : start + TURN]
                    self._write(position, event, part)
                    budget -= len(part)
                    self._waiting -= len(part)
                    gathered += len(part)
                self._relieved.set()
                if gathered >= GATHER_NOTIFICATIONS or self._clock.monotonic() >= flush_at:
                    await self._flush()
                    gathered, flush_at = 0, self._clock.monotonic() + GATHER_SECONDS
            await self._flush()

    async def _flush(self) -> None:
        while self._gateway.flush(TURN):  # noqa: ASYNC110 - it is this that does the work
            await asyncio.sleep(0)

    def _write(self, position: Position, event: Event, matches: Sequence[tuple[str, Match, bool]]) -> None:
        self._writing = (event, self._clock.now_ms())
        try:
            self._write_each(position, event, matches)
        finally:
            self._writing, sent, self._sent = None, self._sent, []
            if sent:
                self._record(*sent)
                self._observe_sent(sent, event)

    def _write_each(self, position: Position, event: Event, matches: Sequence[tuple[str, Match, bool]]) -> None:
        notify, more = self._gateway.notify, bool(self._queue)
        for topic, match, further in matches:
            destination: SocketDestination | None = match.subscriber.socket
            if destination is None:
                continue
            try:
                notification = destination.notification(
                    position, topic, event, (match.version, match.filter_index), further
                )
            except Unreadable:  # it was changed since it matched, more than once
                continue
            notify(destination.id, notification, more=more)

    def told(self, notification: Notification, outcome: Outcome, client: str) -> None:
        """What became of a notification.

        Args:
            client: where its client is connected from; empty when it is not.
        """
        assert isinstance(notification, SocketNotification)
        notification.tries += 1
        writing = self._writing
        if writing is not None and outcome is _SENT and notification.tries == 1:
            event, now_ms = writing
            if notification.event is event:
                self._sent.append(
                    Attempt(
                        notification.destination.id,
                        notification.position,
                        notification.topic,
                        notification.uuid,
                        1,
                        SOCKET_ADDRESS + client,
                        now_ms,
                        0,
                        _DELIVERED,
                    )
                )
                return
        meaning, failure = _MEANING[outcome]
        attempt = Attempt(
            subscription=notification.destination.id,
            position=notification.position,
            topic=notification.topic,
            uuid=notification.uuid,
            number=notification.tries,
            address=SOCKET_ADDRESS + client,
            started_ms=self._clock.now_ms(),
            duration_us=0,
            outcome=meaning,
            failure=failure,
            detail="" if failure is None else sentence(failure),
        )
        self._record(attempt)
        self._observe(notification.destination, attempt, notification.event)
