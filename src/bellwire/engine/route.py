"""Routing: reads the log in order, finds who wants each event, and hands the matches to the deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from bellwire.delivery.notification import Notification
from bellwire.engine.deliver import Deliveries
from bellwire.engine.fairness import Unrouted
from bellwire.engine.subscribers import Match, Subscribers
from bellwire.families import REGISTRY, TemplateMatch
from bellwire.filters import rows_with_stated
from bellwire.model.event import Event, Facts, LoggedEvent
from bellwire.model.ids import Partition, Position, SubscriptionId
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.identity import Directory

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Announcements:
    """Where an event is announced: its topics with their index keys, and the facts to match by."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._match = lru_cache(maxsize=65_536)(REGISTRY.match)

    def template(self, event: Event) -> TemplateMatch:
        match = self._match(event.topic)
        assert match is not None, f"the log holds an event on an unknown topic: {event.topic}"
        return match

    def topics(self, event: Event) -> list[tuple[str, str]]:
        """(topic, index key) of each topic, the published one first."""
        match = self.template(event)
        account = event.account
        return [
            (topic, REGISTRY.topic_key(account, topic, match.template))
            for topic in REGISTRY.topics_of(match, account, self._directory)
        ]

    def facts(self, event: Event) -> Facts:
        """The facts the event came with, or else read from its body again."""
        if event.facts is not None:
            return event.facts
        match = self.template(event)
        body = _decode_object(event.body)
        return Facts(match.family.rows(body), match.family.ordering_key(match.values, body))


class SocketFanOut(Protocol):
    """What takes the matches of WebSocket subscriptions, which the watermark does not wait for."""

    def offer(self, position: Position, event: Event, matches: list[tuple[str, Match, bool]]) -> None:
        """(topic, match, whether the subscription gets the event on an earlier topic too) of each notification, in log
        order."""
        ...

    async def room(self) -> None:
        """Wait while too much waits to be written."""
        ...


class Router:
    """One partition's reader. Runs until cancelled.

    Args:
        sockets: takes what matched WebSocket subscriptions; None where there are none.
    """

    def __init__(
        self,
        *,
        partition: Partition,
        log: EventLog,
        announcements: Announcements,
        subscribers: Subscribers,
        deliveries: Deliveries,
        unrouted: Unrouted,
        sockets: SocketFanOut | None = None,
        clock: Clock,
        on_routed: Callable[[Event, int], None],
        read_bytes: int = 4 << 20,
        turn: int = 32,
    ) -> None:
        self._partition = partition
        self._log = log
        self._announcements = announcements
        self._subscribers = subscribers
        self._deliveries = deliveries
        self._sockets = sockets
        self._unrouted = unrouted
        self._clock = clock
        self._on_routed = on_routed
        self._read_bytes = read_bytes
        self._turn = turn
        self._now = clock.now()

    async def run(self, after: Position) -> None:
        """Route everything after a position, for ever."""
        while True:
            events = await self._log.read(self._partition, after, self._read_bytes)
            for start in range(0, len(events), self._turn):
                self._now = self._clock.now()
                for logged in events[start : start + self._turn]:
                    self.route(logged)
                after = self._deliveries.settling.routed
                self._deliveries.wake()
                await self._deliveries.room()
                if self._sockets is not None:
                    await self._sockets.room()
                await asyncio.sleep(0)

    def route(self, logged: LoggedEvent) -> None:
        """Match one event and offer what matched. One step of the event loop: nothing interleaves.

        A subscription whose time is up gets nothing more, although it ends only with the next round of housekeeping.
        """
        position, event = logged.position, logged.event
        facts = self._announcements.facts(event)
        rows = rows_with_stated(facts.rows, event.stated) if event.stated else facts.rows
        deliveries = self._deliveries
        topics = self._announcements.topics(event)
        reached: set[SubscriptionId] = set()
        may_be_settled = deliveries.may_be_settled(position)
        found: list[tuple[str, Match, bool]] = []
        for_sockets: list[tuple[str, Match, bool]] = []
        for topic, key in topics:
            for match in self._subscribers.matches(key, rows, position, event.audience):
                subscriber = match.subscriber
                subscription = subscriber.id
                if subscriber.socket is not None:
                    for_sockets.append((topic, match, subscription in reached))
                elif subscriber.expires_at <= self._now:
                    continue
                elif not (may_be_settled and deliveries.was_settled(subscription, position, topic)):
                    found.append((topic, match, subscription in reached))
                if len(topics) > 1:
                    reached.add(subscription)
        if len(topics) > 1:
            # Which of them is a further one goes by the order of announcing; a lane takes them in that of its backlog.
            found.sort(key=_topic_of)
        now = self._clock.monotonic()
        deliveries.settling.route(position, len(found), now)
        for topic, match, further in found:
            notification = Notification(
                position,
                topic,
                facts.ordering_key,
                match.version,
                match.filter_index,
                event,
                len(event.body),
                now,
                further=further,
            )
            deliveries.offer(match.subscriber.id, notification)
        if for_sockets and self._sockets is not None:
            self._sockets.offer(position, event, for_sockets)
        self._unrouted.routed(event.account)
        self._on_routed(event, len(found) + len(for_sockets))


def _topic_of(match: tuple[str, Match, bool]) -> str:
    return match[0]
