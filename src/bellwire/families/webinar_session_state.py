"""Webinar sessions: started, ended."""

from __future__ import annotations

from typing import Literal

from bellwire.families.body import ABSENT, Body, Count, Id, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import HOST_USER_ID, WEBINAR_ID
from bellwire.families.webinar_parts import Description, SessionStatus, Title, Webinar, webinar_rows
from bellwire.model.permission import Permission
from bellwire.model.subscription import SubscriptionApi


class WebinarSessionStateBody(Body):
    """A session as it runs. No source gives the notification's body: this is the history resource's."""

    id: Id
    webinar: Webinar
    previous_status: SessionStatus = ABSENT
    status: SessionStatus
    runtime_status: Literal["Idle", "Practice", "GoingLive", "Live", "Break", "Debrief"] = ABSENT
    title: Title = ABSENT
    description: Description = ABSENT
    start_time: Timestamp = ABSENT
    end_time: Timestamp = ABSENT
    duration: int = ABSENT
    scheduled_start_time: Timestamp = ABSENT
    scheduled_duration: int = ABSENT
    time_zone: str = ABSENT
    locale_code: str = ABSENT
    panel_join_time_offset: Count = ABSENT
    broadcasting_start_time: Timestamp = ABSENT
    broadcasting_end_time: Timestamp = ABSENT
    participant_count: int = ABSENT
    attendee_count: int = ABSENT
    unique_participant_count: int = ABSENT
    unique_attendee_count: int = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT


FAMILY = EventFamily(
    name="webinar_session_state",
    title="Webinar session state",
    description="A webinar session changes state, as when it starts and ends.",
    templates=(
        Template(
            path="/webinar/runtime/v1/company/sessions/state",
            permission=Permission.READ_WEBINARS,
            parameters=(HOST_USER_ID, WEBINAR_ID),
        ),
    ),
    body=WebinarSessionStateBody,
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
        "previousStatus": "Scheduled",
        "status": "Active",
        "runtimeStatus": "Live",
        "startTime": "2026-04-01T15:00:03.000Z",
        "scheduledStartTime": "2026-04-01T15:00:00.000Z",
        "scheduledDuration": 3600,
    },
)
