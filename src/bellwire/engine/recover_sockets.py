"""What a WebSocket session missed, read from the event log.

Recovery tokens say in terms of the log how far a client has read. So nothing has to be kept for it meanwhile, and a
session can be recovered after a restart as well. What retention has dropped from the log is gone.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

from bellwire.engine.deliver_sockets import SocketDestination, SocketNotification
from bellwire.engine.line import Unreadable
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import LiveSubscriptions, parse_stored
from bellwire.filters import EventFilter, rows_with_stated
from bellwire.model.event import LoggedEvent, Rows
from bellwire.model.ids import Partition, Position, SubscriptionId
from bellwire.model.subscription import Subscription
from bellwire.ports.history import EventQuery, History

EVENTS_AT_ONCE = 500
BYTES_AT_ONCE = 4 << 20


class MissedNotifications:
    """Reads one partition's log.

    Args:
        most: notifications that a session gets at most, the newest.
    """

    def __init__(
        self,
        *,
        partition: Partition,
        history: History,
        live: LiveSubscriptions,
        announcements: Announcements,
        most: int,
    ) -> None:
        self._partition = partition
        self._history = history
        self._live = live
        self._announcements = announcements
        self._most = most

    async def find(
        self, subscription: SubscriptionId, after: Position, ordinal: int, until: Position
    ) -> list[SocketNotification]:
        """What matched a subscription, in the order of the log.

        Args:
            after, ordinal: the last notification that was read: its position, and its place among those of the same
                event.
            until: the position up to which the log is read.
        """
        subscriber = self._live.subscribers.get(subscription)
        if subscriber is None:
            return []
        record = subscriber.subscription
        destination: SocketDestination = subscriber.socket
        filters = {version.version: parse_stored(record, version.filters) for version in record.versions}
        begin = max(after - 1, min(version.from_position for version in record.versions))
        found: deque[SocketNotification] = deque(maxlen=self._most)
        query = EventQuery(account=record.account_id)
        while begin < until:
            stretch = await self._history.stretch(
                self._partition,
                query,
                (Position(begin), until),
                limit=EVENTS_AT_ONCE,
                max_bytes=BYTES_AT_ONCE,
            )
            for logged in stretch.events:
                matched = self._matched(logged, record, filters, destination)
                found.extend(matched[ordinal + 1 :] if logged.position == after else matched)
            begin = stretch.reached
        return list(found)

    def _matched(
        self,
        logged: LoggedEvent,
        record: Subscription,
        filters: dict[int, list[EventFilter | None]],
        destination: SocketDestination,
    ) -> list[SocketNotification]:
        """As the router matches: one for each topic, by the filters that were in force."""
        position, event = logged.position, logged.event
        if event.audience is not None and record.owner_id not in event.audience:
            return []
        version = next(
            (
                each.version
                for each in record.versions
                if each.from_position < position and (each.until_position is None or position <= each.until_position)
            ),
            None,
        )
        if version is None:
            return []
        rows = rows_with_stated(self._announcements.facts(event).rows, event.stated)
        matched: list[SocketNotification] = []
        for topic, key in self._announcements.topics(event):
            index = _best(filters[version], key, rows)
            if index is not None:
                place = (version, index)
                with contextlib.suppress(Unreadable):  # its filters were changed meanwhile, more than once
                    matched.append(destination.notification(position, topic, event, place, bool(matched)))
        return matched


def _best(filters: Sequence[EventFilter | None], key: str, rows: Rows) -> int | None:
    """The place of the filter that an event on this topic is rendered for, as `Subscribers.matches` chooses."""
    fitting = [
        (-len(event_filter.projections), index)
        for index, event_filter in enumerate(filters)
        if event_filter is not None and event_filter.key == key and event_filter.fits(rows)
    ]
    return min(fitting)[1] if fitting else None
