"""Families with little to say for themselves: their shapes, rows and ordering keys, in tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily

TIME = "2026-03-02T09:00:00Z"
POST = {"id": "5", "groupId": "51", "creatorId": "7", "creationTime": TIME, "lastModifiedTime": TIME}
WEBHOOK = {"id": "w-1", "status": "Active"}
NUMBER = {"id": "9", "phoneNumber": "+12025550160"}


def named(name: str) -> EventFamily:
    family = REGISTRY.by_name(name)
    assert family is not None
    return family


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("instant_message", {"id": "1", "to": [], "from": {}, "type": "Pager", "direction": "Inbound"}),
        ("voicemail", {"id": 1, "type": "Voicemail", "direction": "Inbound"}),
        ("presence_line", {"extension": {"id": "8"}, "sequence": 1}),
        ("call_queue_presence", {"extensionId": "7", "callQueueId": "3", "acceptCalls": False}),
        ("call_queue_presence", {"records": [{"member": {"id": "7"}, "acceptCurrentQueueCalls": True}]}),
        ("company_directory", {"id": "7", "eventType": "Delete"}),
        ("company_directory", {"contacts": [{"id": "7", "eventType": "Create"}]}),
        ("extension_list", {"extensions": [{"extensionId": "7", "eventType": "Delete"}]}),
        ("extension_list", {"extensionId": "7", "eventType": "Update", "hints": ["Limits"]}),
        ("extension_info", {"extensionId": "7", "eventType": "Update", "hints": ["CallQueueMembersChange"]}),
        ("team_post", {**POST, "eventType": "PostChanged", "text": None}),
        ("team_post", {"id": "5", "eventType": "PostRemoved"}),
        ("team_webhook", {**WEBHOOK, "eventType": "WebhookDeleted"}),
        ("team_webhook", {"eventType": "WebhookUpdated", "before": {"status": "Active"}, "after": WEBHOOK}),
        ("contact_center_number", {"eventType": "Updated", "phoneNumberInfo": {**NUMBER, "usageType": "DirectNumber"}}),
        ("missed_call", {"extensionId": "7", "action": "StopRing", "sessionId": "6", "pn_apns": {"aps": {}}}),
    ],
)
def test_shape_is_taken(name: str, body: dict[str, Any]) -> None:
    named(name).body.model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("instant_message", {"id": "1", "to": [], "from": {}, "type": "Fax", "direction": "Inbound"}),
        ("fax", {"id": "1", "type": "Fax", "direction": "Inbound"}),
        ("presence_line", {"extension": [], "sequence": 1}),
        ("call_queue_presence", {"records": []}),
        ("company_directory", {"contacts": []}),
        ("extension_list", {"extensions": []}),
        ("extension_list", {"extensionId": "7", "eventType": "Delete", "hints": ["Limits"]}),
        ("extension_info", {"extensionId": "7", "eventType": "Delete", "hints": []}),
        ("extension_info", {"extensionId": "7", "eventType": "Create"}),
        ("team_post", {"id": "5", "eventType": "PostAdded"}),
        ("team_post", {**POST, "eventType": "PostMoved"}),
        ("team_webhook", {"id": "w-1", "eventType": "WebhookCreated"}),
        ("team_webhook", {"eventType": "WebhookUpdated", "after": WEBHOOK}),
        ("insights", {**named("insights").sample, "domain": "fax"}),
        ("presence", {"extensionId": "7", "sequence": 1, "activeCalls": [{}] * 8}),
        ("presence", {"extensionId": "7", "sequence": "1"}),
        ("dnd_status", {"extensionId": "7", "dndStatus": "Sometimes"}),
    ],
)
def test_shape_is_refused(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        named(name).body.model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("name", "values", "body", "key"),
    [
        ("call_queue_presence", {"groupId": "3"}, {"records": []}, "3"),
        ("presence_line", {"extensionId": "7"}, {"extension": [{"id": "8"}]}, "7"),
        ("company_directory", {"accountId": "1"}, {"contacts": []}, "1"),
        ("extension_list", {"accountId": "1"}, {"extensionId": "7"}, "7"),
        ("extension_list", {"accountId": "1"}, {"extensions": []}, "1"),
        ("emergency_address", {"deviceId": "8"}, {"deviceId": "8"}, "8"),
        ("contact_center_number", {"accountId": "1"}, {"phoneNumberInfo": NUMBER}, "9"),
        ("team_post", {}, {**POST, "eventType": "PostAdded"}, "51"),
        ("team_post", {}, {"id": "5", "eventType": "PostRemoved"}, "5"),
        ("team_webhook", {}, {**WEBHOOK, "eventType": "WebhookDeleted"}, "w-1"),
        ("team_webhook", {}, {"eventType": "WebhookUpdated", "before": {}, "after": WEBHOOK}, "w-1"),
        ("team_chat", {}, {"id": "51"}, "51"),
        ("webinar_registrant", {}, {"id": "72", "session": {"id": "71"}}, "71"),
        ("webinar_session_state", {}, {"id": "71"}, "71"),
        ("voicemail", {"extensionId": "7"}, {"id": 3062991514017}, "3062991514017"),
        ("subscription_reminder", {"subscriptionId": "s-1"}, {"expiresIn": 5}, "s-1"),
        ("insights", {"domain": "pbx"}, {"sourceRecordId": "r-1"}, "r-1"),
        ("dnd_status", {"extensionId": "7"}, {"extensionId": "7"}, "7"),
        ("message_thread", {"accountId": "1"}, {"lastModifiedTime": TIME}, "1"),
    ],
)
def test_ordering_key(name: str, values: dict[str, str], body: dict[str, Any], key: str) -> None:
    assert named(name).ordering_key(values, body) == key


@pytest.mark.parametrize(
    ("name", "body", "row"),
    [
        ("instant_message", {"type": "SMS"}, {"type": ("SMS",)}),
        ("fax", {"direction": "Outbound"}, {"direction": ("Outbound",)}),
        ("sms_batch", {"from": {"phoneNumber": "+12"}}, {"from": ("+12",)}),
        (
            "sms_message",
            {"direction": "Inbound", "from": {"phoneNumber": "+12"}, "to": [{"phoneNumber": "+13"}]},
            {"direction": ("Inbound",), "from": ("+12",), "to": ("+13",)},
        ),
        ("contact_center_number", {"phoneNumberInfo": NUMBER}, {}),
        ("webinar_session", {"webinar": {"title": "x"}}, {"webinarId": (), "hostUserId": ()}),
        ("webinar_session", {"webinar": {"id": "60", "host": {}}}, {"webinarId": ("60",), "hostUserId": ()}),
        (
            "webinar_registrant",
            {"webinar": {"id": "60", "host": {"linkedUser": {"userId": "7", "accountId": "1", "domain": "pbx"}}}},
            {"webinarId": ("60",), "hostUserId": ("7",)},
        ),
        ("presence", {"extensionId": "7"}, {}),
    ],
)
def test_row(name: str, body: dict[str, Any], row: dict[str, tuple[str, ...]]) -> None:
    assert named(name).rows(body) == (row,)


def test_flat_families_are_the_two_legacy_call_events() -> None:
    assert {family.name for family in REGISTRY.families if family.is_flat} == {"missed_call", "incoming_call"}


def test_only_reminders_can_not_be_published() -> None:
    assert {family.name for family in REGISTRY.families if not family.publishable} == {"subscription_reminder"}


def test_each_way_of_not_being_allowed_has_the_protocols_code() -> None:
    codes = {
        family.name: (template.others_permission, template.others_error)
        for family in REGISTRY.families
        for template in family.templates[:1]
        if template.others_permission is not None
    }

    assert codes["instant_message"] == ("ReadCompanyMessages", "SUB-405")
    assert codes["presence"] == ("ReadPresenceStatus", "SUB-403")
    assert codes["missed_call"] == ("ReadCompanyTelephony", "SUB-527")
    assert codes["telephony_session"] == ("ReadCompanyTelephony", "CMN-408")
    assert codes["a2p_message"] == ("ReadCompanyMessages", "CMN-408")
    assert codes["insights"] == ("ReadCompanyCallRecording", "CMN-408")
    assert "team_post" not in codes
