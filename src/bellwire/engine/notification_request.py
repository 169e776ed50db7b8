"""The request that delivers an event of the log to a subscription, written again to be looked at.

What was sent is not kept; it is put together as it would be for the filters that were in force at the event.
Secrets are left out: the verification token, and the signature made with the signing secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.engine.envelope import Envelopes, derived_uuid, filter_envelope
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import parse_stored
from bellwire.filters import EventFilter, rows_with_stated
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Position
from bellwire.model.subscription import FilterVersion, Subscription
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.request import request_head

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """`head`: request line and headers, a line each. `body`: JSON as it goes out."""

    head: str
    body: bytes


def notification_request(
    subscription: Subscription, logged: LoggedEvent, topic: str, *, announcements: Announcements, user_agent: str
) -> NotificationRequest | None:
    """The request of one notification; None if none of the subscription's filters that are known wants the event on
    this topic."""
    event = logged.event
    if subscription.webhook is None:
        return None
    filters = parse_stored(subscription, _version_at(subscription, logged.position).filters)
    rows = rows_with_stated(announcements.facts(event).rows, event.stated)
    chosen: dict[str, EventFilter] = {}
    for announced, key in announcements.topics(event):
        fitting = [one for one in filters if one is not None and one.key == key and one.fits(rows)]
        if fitting:
            chosen[announced] = max(fitting, key=lambda one: len(one.projections))
    if topic not in chosen:
        return None
    wanted = chosen[topic]
    is_first = topic == next(iter(chosen))
    uuid = event.uuid if is_first or topic == event.topic else derived_uuid(event.uuid, topic)
    envelope = filter_envelope(subscription.id, subscription.owner_id, wanted.text, wanted.family, wanted.projections)
    webhook = subscription.webhook
    head = request_head(
        parse_address(webhook.address, allow_http=True),
        user_agent=user_agent,
        verification_token=None if webhook.verification_token_sealed is None else HIDDEN,
    ).decode()
    if webhook.signing_secret_sealed is not None:
        head += f"webhook-id: {uuid}\r\nwebhook-timestamp: {HIDDEN}\r\nwebhook-signature: {HIDDEN}\r\n"
    body = Envelopes().render(envelope, logged.position, event, uuid)
    return NotificationRequest(head.replace("\r\n", "\n").strip(), body)


def _version_at(subscription: Subscription, position: Position) -> FilterVersion:
    for version in subscription.versions:
        until = version.until_position
        if version.from_position < position and (until is None or position <= until):
            return version
    return subscription.versions[-1]
