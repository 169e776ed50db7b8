"""How notifications of one subscription are written, whatever they are delivered by.

What is the same for all of them (the envelope's fixed parts) is made once and kept.
"""

from __future__ import annotations

from bellwire.engine.envelope import Envelopes, FilterEnvelope, derived_uuid, filter_envelope
from bellwire.engine.line import Unreadable
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import parse_stored
from bellwire.filters import EventFilter, rows_with_stated
from bellwire.model.event import Event
from bellwire.model.ids import Position
from bellwire.ports.delivery_control import Subscriber


class NotificationText:
    """Owned by one subscription's destination. `envelopes` and `announcements` are shared by all."""

    __slots__ = ("_announcements", "_envelopes", "_filters", "_made", "_subscriber")

    def __init__(self, subscriber: Subscriber, envelopes: Envelopes, announcements: Announcements) -> None:
        self._subscriber = subscriber
        self._envelopes = envelopes
        self._announcements = announcements
        self._made: dict[tuple[int, int], FilterEnvelope] = {}
        self._filters: dict[int, tuple[EventFilter | None, ...]] = {}

    def uuid(self, version: int, topic: str, event: Event, *, further: bool | None) -> str:
        """The event's, or where the subscription gets it on an earlier topic as well, one derived from it.

        Args:
            further: whether it does; None where that is not known any more.
        """
        if further is None:
            further = self._came_on_an_earlier_topic(version, topic, event)
        return derived_uuid(event.uuid, topic) if further else event.uuid

    def body(self, place: tuple[int, int], position: Position, event: Event, uuid: str) -> bytes:
        """The notification as JSON.

        Args:
            place: version of the event filters, and the filter's index in it.

        Raises:
            Unreadable: the event filter is not known any more.
        """
        return self._envelopes.render(self.parts(place), position, event, uuid)

    def parts(self, place: tuple[int, int]) -> FilterEnvelope:
        """What is the same for all notifications of an event filter. Raises Unreadable, as `body`."""
        envelope = self._made.get(place)
        if envelope is None:
            envelope = self._made[place] = self._make_envelope(*place)
        return envelope

    def _filters_of(self, version: int) -> tuple[EventFilter | None, ...]:
        """The filters of a version; None where this release can't read one."""
        filters = self._filters.get(version)
        if filters is None:
            subscription = self._subscriber.subscription
            texts = next((known.filters for known in subscription.versions if known.version == version), None)
            if texts is None:
                return ()
            filters = self._filters[version] = tuple(parse_stored(subscription, texts))
        return filters

    def _make_envelope(self, version: int, index: int) -> FilterEnvelope:
        subscription = self._subscriber.subscription
        filters = self._filters_of(version)
        event_filter = filters[index] if index < len(filters) else None
        if event_filter is None:
            raise Unreadable("The event filter that it was matched by is no longer known, so it can't be delivered.")
        return filter_envelope(
            subscription.id, subscription.owner_id, event_filter.text, event_filter.family, event_filter.projections
        )

    def _came_on_an_earlier_topic(self, version: int, topic: str, event: Event) -> bool:
        """Whether this subscription gets the event on a topic before this one, by what is known now: rows of the
        backlog that the first format wrote don't say."""
        filters = self._filters_of(version)
        if len(filters) == 1:
            return False
        announcements = self._announcements
        rows = rows_with_stated(announcements.facts(event).rows, event.stated)
        for earlier, key in announcements.topics(event):
            if earlier == topic:
                return False
            if any(other is not None and other.key == key and other.fits(rows) for other in filters):
                return True
        return False
