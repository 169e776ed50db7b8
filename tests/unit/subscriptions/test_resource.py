"""A subscription as its owner sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bellwire.model.subscription import (
    Blacklisting,
    DisabledFilter,
    SubscriptionApi,
    SubscriptionStatus,
    TransportType,
)
from bellwire.subscriptions.resource import reminder_body, subscription_resource, wire_time
from tests.doubles.subscriptions import NOW, a_subscription

URL = "https://events.example.com"


def test_the_resource_has_the_fields_of_the_contract_and_no_secret() -> None:
    subscription = a_subscription()
    assert subscription_resource(subscription, URL, NOW + timedelta(milliseconds=500)) == {
        "uri": f"{URL}/restapi/v1.0/subscription/{subscription.id}",
        "id": subscription.id,
        "eventFilters": ["/one"],
        "creationTime": "2026-11-23T09:00:00.000Z",
        "expirationTime": "2026-11-30T09:00:00.000Z",
        "expiresIn": 604_799,
        "status": "Active",
        "deliveryMode": {
            "transportType": "WebHook",
            "encryption": False,
            "address": "https://receiver.example.com/hook",
        },
    }


def test_disabled_filters_and_blacklisting_are_there_when_there_are_any() -> None:
    subscription = replace(
        a_subscription(),
        status=SubscriptionStatus.BLACKLISTED,
        blacklisting=Blacklisting(at=NOW, reason="Webhook responses with code: [404]"),
        disabled_filters=(DisabledFilter(filter="/two", reason="SUB-412", message="Not allowed"),),
    )
    resource = subscription_resource(subscription, URL, NOW)
    assert resource["status"] == "Blacklisted"
    assert resource["blacklistedData"] == {
        "blacklistedAt": "2026-11-23T09:00:00.000Z",
        "reason": "Webhook responses with code: [404]",
    }
    assert resource["disabledFilters"] == [{"filter": "/two", "reason": "SUB-412", "message": "Not allowed"}]


def test_a_webinar_subscription_lives_under_its_own_path_and_a_socket_has_no_address() -> None:
    webinar = subscription_resource(a_subscription(api=SubscriptionApi.WEBINAR), URL, NOW)
    assert webinar["uri"].startswith(f"{URL}/webinar/notifications/v1/subscriptions/")
    socket = subscription_resource(a_subscription(transport=TransportType.WEB_SOCKET, webhook=None), URL, NOW)
    assert socket["deliveryMode"] == {"transportType": "WebSocket"}


def test_a_reminder_says_what_is_left_and_not_where_notifications_go() -> None:
    body = reminder_body(a_subscription(), URL, NOW)
    assert list(body) == [
        "id",
        "uri",
        "eventFilters",
        "creationTime",
        "expirationTime",
        "expiresIn",
        "status",
        "deliveryMode",
    ]
    assert body["expiresIn"] == 604_800
    assert body["deliveryMode"] == {"transportType": "WebHook"}


def test_times_have_milliseconds_and_a_z() -> None:
    assert wire_time(datetime(2026, 1, 2, 3, 4, 5, 67_890, tzinfo=UTC)) == "2026-01-02T03:04:05.067Z"
