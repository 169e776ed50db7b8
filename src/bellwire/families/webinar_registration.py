"""Registration settings of webinar sessions."""

from __future__ import annotations

from typing import Literal

from bellwire.families.body import ABSENT, Body, Count, Id, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import HOST_USER_ID, WEBINAR_ID
from bellwire.families.webinar_parts import Webinar, webinar_rows
from bellwire.model.permission import Permission
from bellwire.model.subscription import SubscriptionApi


class RegistrationSettings(Body):
    auto_close_limit: Count = ABSENT
    suppress_emails: bool = ABSENT
    registration_digest_enabled: bool = ABSENT
    prevent_multiple_device_joins: bool = ABSENT
    work_email_required: bool = ABSENT
    view_recording: bool = ABSENT
    on_demand_duration: Literal["OneMonth", "TwoMonths", "ThreeMonths", "SixMonths", "OneYear"] = ABSENT
    recording_exist: bool | None = ABSENT
    auto_open_post_webinar_registration: bool = ABSENT
    post_webinar_registration_closing_time: Timestamp | None = ABSENT


class WebinarRegistrationBody(Body):
    """Registration of one session. No source gives the notification's body: this is the REST resource's."""

    id: Id
    webinar: Webinar
    registration_status: Literal["Open", "Closed"]
    registration_page_uri: str = ABSENT
    branding_descriptor_uri: str = ABSENT
    registrant_count: int
    post_webinar_registrant_count: int = ABSENT
    has_real_registrants: bool
    icalendar_sequence: Count = ABSENT
    settings: RegistrationSettings = ABSENT


FAMILY = EventFamily(
    name="webinar_registration",
    title="Webinar registration",
    description="A registration setting of a webinar session changes.",
    templates=(
        Template(
            path="/webinar/registration/v1/company/sessions/state",
            permission=Permission.READ_WEBINARS,
            parameters=(HOST_USER_ID, WEBINAR_ID),
        ),
    ),
    body=WebinarRegistrationBody,
    rows=webinar_rows,
    ordering_key=by_id,
    api=SubscriptionApi.WEBINAR,
    sample={
        "id": "71001",
        "webinar": {
            "id": "70001",
            "title": "Open house",
            "host": {"linkedUser": {"userId": "200001", "accountId": "100001", "domain": "pbx"}},
        },
        "registrationStatus": "Open",
        "registrationPageUri": "https://webinar.example.com/register/71001",
        "registrantCount": 3,
        "hasRealRegistrants": True,
        "settings": {"autoCloseLimit": 500, "workEmailRequired": False},
    },
)
