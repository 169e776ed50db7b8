"""A webhook subscription as its deliveries see it: where notifications go, and how each is written.

What is the same for all notifications of a subscription (request head, secrets) is made
once and kept. Also here: the delivery engine's side of `ports/delivery_control.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from bellwire.delivery.notification import Notification
from bellwire.engine.deliver import Deliveries
from bellwire.engine.deliver_sockets import SocketDestination
from bellwire.engine.envelope import Envelopes
from bellwire.engine.notification_text import NotificationText
from bellwire.engine.route import Announcements
from bellwire.engine.subscribers import Subscribers
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Position, SubscriptionId
from bellwire.model.subscription import TransportType
from bellwire.model.webhook import Endpoint
from bellwire.ports.clock import Clock
from bellwire.ports.delivery_control import Subscriber
from bellwire.ports.identity import Installation
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.request import request_head
from bellwire.wire.webhook.signature import parse_signing_secret, signature_headers


class Rendering:
    """What all destinations share to write notifications."""

    def __init__(
        self, *, announcements: Announcements, installation: Installation, clock: Clock, user_agent: str
    ) -> None:
        self.envelopes = Envelopes()
        self.announcements = announcements
        self.installation = installation
        self.clock = clock
        self.user_agent = user_agent


class WebhookDestination:
    """Implements `engine.line.Destination` for one subscription."""

    __slots__ = ("_head", "_rendering", "_signing_key", "_subscriber", "_text", "address", "endpoint")

    def __init__(self, subscriber: Subscriber, rendering: Rendering) -> None:
        webhook = subscriber.subscription.webhook
        assert webhook is not None
        unseal = rendering.installation.unseal
        token = webhook.verification_token_sealed
        secret = webhook.signing_secret_sealed
        self._subscriber = subscriber
        self._rendering = rendering
        self.address = webhook.address
        self.endpoint: Endpoint = parse_address(
            webhook.address, allow_http=True
        )  # judged when it was subscribed, and by the guard
        self._head = request_head(
            self.endpoint,
            user_agent=rendering.user_agent,
            verification_token=None if token is None else unseal(token),
        )
        self._signing_key = None if secret is None else parse_signing_secret(unseal(secret))
        self._text = NotificationText(subscriber, rendering.envelopes, rendering.announcements)

    @property
    def id(self) -> SubscriptionId:
        return self._subscriber.id

    @property
    def is_held(self) -> bool:
        return self._subscriber.is_held

    def request(self, notification: Notification, event: Event) -> tuple[str, bytes, bytes]:
        """The notification's uuid, the request's head and its body; see `engine.line.Destination`."""
        version = notification.filter_version
        uuid = self._text.uuid(version, notification.topic, event, further=notification.further)
        body = self._text.body((version, notification.filter_index), notification.position, event, uuid)
        head = self._head
        if self._signing_key is not None:
            seconds = self._rendering.clock.now_ms() // 1000
            head += signature_headers(self._signing_key, uuid, seconds, body)
        return uuid, head, body


class Desk:
    """Implements `ports.delivery_control.DeliveryControl` on top of the deliveries."""

    def __init__(self, deliveries: Deliveries, rendering: Rendering, subscribers: Subscribers) -> None:
        """`subscribers`: those that match; a restored one gets its destination when something is to be sent to it."""
        deliveries.find_with(self._destination_of)
        self._deliveries = deliveries
        self._subscribers = subscribers
        self._rendering = rendering
        self._closed: list[Callable[[SubscriptionId], None]] = []
        self._reactivated: list[Callable[[SubscriptionId], None]] = []

    def on_closed(self, listener: Callable[[SubscriptionId], None]) -> None:
        """Be told, from the event loop, of each subscription that ends."""
        self._closed.append(listener)

    def on_reactivated(self, listener: Callable[[SubscriptionId], None]) -> None:
        """Be told, from the event loop, of each that its owner brought back, before anything goes out."""
        self._reactivated.append(listener)

    def opened(self, subscriber: Subscriber) -> None:
        self._open(subscriber, held=True)

    def released(self, subscription: SubscriptionId) -> None:
        self._deliveries.release(subscription)

    def restored(self, subscriber: Subscriber) -> None:
        """There may be a million, most of them quiet: a line is made at once only where one has something to keep."""
        id_ = subscriber.id
        is_webhook = subscriber.transport is TransportType.WEB_HOOK
        if is_webhook and not subscriber.is_held and not self._deliveries.found_backlog(id_):
            return
        self._open(subscriber, held=True)
        self._deliveries.release(id_)

    def refiltered(self, subscription: SubscriptionId) -> None:
        """Nothing to do: notifications name their version, and versions are numbered anew."""

    def closed(self, subscription: SubscriptionId) -> None:
        self._deliveries.close(subscription)
        for listener in self._closed:
            listener(subscription)

    def reactivate(self, subscription: SubscriptionId) -> None:
        for listener in self._reactivated:
            listener(subscription)
        self._deliveries.release(subscription)

    def oldest_pending(self, subscription: SubscriptionId) -> Position | None:
        return LOG_START if self._deliveries.is_owed(subscription) else None

    def _destination_of(self, subscription: SubscriptionId) -> WebhookDestination | None:
        subscriber = self._subscribers.get(subscription)
        if subscriber is None or subscriber.transport is not TransportType.WEB_HOOK:
            return None
        return WebhookDestination(subscriber, self._rendering)

    def _open(self, subscriber: Subscriber, *, held: bool) -> None:
        if subscriber.transport is TransportType.WEB_HOOK:
            self._deliveries.open(WebhookDestination(subscriber, self._rendering), held=held)
        else:
            rendering = self._rendering
            subscriber.socket = SocketDestination(subscriber, rendering.envelopes, rendering.announcements)
