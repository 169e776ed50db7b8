"""Reminders that a subscription is about to expire. Only Bellwire makes these events, and each gets its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Count, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, QueryParameter, Role, Template


class ReminderDeliveryMode(Body):
    transport_type: Literal["WebHook", "WebSocket"]


class SubscriptionReminderBody(Body):
    """The subscription as it is when the reminder is sent."""

    id: str = ABSENT
    uri: str = ABSENT
    event_filters: Annotated[list[str], Field(min_length=1)] = ABSENT
    creation_time: Timestamp = ABSENT
    expiration_time: Timestamp = ABSENT
    expires_in: Count = Field(description="Seconds left.")
    status: Literal["Active", "Blacklisted"] = ABSENT
    delivery_mode: ReminderDeliveryMode = ABSENT


def _subscription(values: PathValues, _body: Mapping[str, Any]) -> str:
    return values.get("subscriptionId", "")


FAMILY = EventFamily(
    name="subscription_reminder",
    title="Subscription reminder",
    description="The subscription has less than `threshold` seconds to live; repeats every `interval` seconds.",
    templates=(
        Template(
            # In a filter the id is always ~, this very subscription; in a topic it is the subscription's.
            path="/restapi/v1.0/subscription/{subscriptionId}",
            permission=None,
            parameters=(
                QueryParameter(
                    name="threshold",
                    role=Role.SCHEDULE,
                    description="Reminders start when this many seconds are left; at most half of the lifetime.",
                    type="integer",
                    required=True,
                    minimum=1,
                    example="60",
                ),
                QueryParameter(
                    name="interval",
                    role=Role.SCHEDULE,
                    description="Seconds from one reminder to the next; at most half of the threshold.",
                    type="integer",
                    required=True,
                    minimum=1,
                    example="15",
                ),
            ),
        ),
    ),
    body=SubscriptionReminderBody,
    ordering_key=_subscription,
    publishable=False,
    sample={
        "id": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
        "eventFilters": ["/restapi/v1.0/account/100001/extension/200001/presence"],
        "expirationTime": "2026-03-09T09:00:00.000Z",
        "expiresIn": 60,
        "status": "Active",
        "deliveryMode": {"transportType": "WebHook"},
    },
)
