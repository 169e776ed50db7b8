"""A subscription as its owner sees it (wire contract, 3.3): in answers, and in reminders."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bellwire.model.subscription import Subscription, SubscriptionApi
from bellwire.subscriptions.lifetime import remaining_seconds

COLLECTION_PATH = {
    SubscriptionApi.GENERAL: "/restapi/v1.0/subscription",
    SubscriptionApi.WEBINAR: "/webinar/notifications/v1/subscriptions",
}


def subscription_resource(subscription: Subscription, public_url: str, now: datetime) -> dict[str, Any]:
    """The JSON object SubscriptionInfo. The two secrets are not in it.

    Args:
        public_url: scheme, host and port under which clients reach Bellwire, without a slash at the end.
    """
    resource = {
        "uri": f"{public_url}{COLLECTION_PATH[subscription.api]}/{subscription.id}",
        "id": subscription.id,
        "eventFilters": list(subscription.filters),
        "creationTime": wire_time(subscription.created_at),
        "expirationTime": wire_time(subscription.expires_at),
        "expiresIn": remaining_seconds(subscription.expires_at, now),
        "status": str(subscription.status),
        "deliveryMode": _delivery_mode(subscription),
    }
    if subscription.disabled_filters:
        resource["disabledFilters"] = [
            {"filter": disabled.filter, "reason": disabled.reason, "message": disabled.message}
            for disabled in subscription.disabled_filters
        ]
    if subscription.blacklisting is not None:
        resource["blacklistedData"] = {
            "blacklistedAt": wire_time(subscription.blacklisting.at),
            "reason": subscription.blacklisting.reason,
        }
    return resource


def reminder_body(subscription: Subscription, public_url: str, now: datetime) -> dict[str, Any]:
    """What a reminder says: the resource without its address (wire contract, 3.8; our choice)."""
    resource = subscription_resource(subscription, public_url, now)
    names = ("id", "uri", "eventFilters", "creationTime", "expirationTime", "expiresIn", "status")
    return {name: resource[name] for name in names} | {"deliveryMode": {"transportType": str(subscription.transport)}}


def _delivery_mode(subscription: Subscription) -> dict[str, Any]:
    mode: dict[str, Any] = {"transportType": str(subscription.transport)}
    if subscription.webhook is not None:
        mode |= {"encryption": False, "address": subscription.webhook.address}
    return mode


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
