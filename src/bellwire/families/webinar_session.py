"""Webinar sessions: created or modified."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Count, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import HOST_USER_ID, WEBINAR_ID
from bellwire.families.webinar_parts import (
    Change,
    Description,
    Host,
    RcwId,
    SessionStatus,
    Title,
    webinar_rows,
)
from bellwire.model.permission import Permission
from bellwire.model.subscription import SubscriptionApi


class ConfiguredWebinar(Body):
    """The webinar that the session is of."""

    id: RcwId = ABSENT
    title: Annotated[str, Field(min_length=1, max_length=512)]
    description: Description = ABSENT
    host: Host = ABSENT


class WebinarSessionBody(Body):
    """A session as it is planned. No source gives the notification's body: this is the REST resource's."""

    id: RcwId
    event_type: Change = ABSENT
    creation_time: Timestamp
    last_modified_time: Timestamp
    webinar: ConfiguredWebinar
    scheduled_start_time: Timestamp
    scheduled_duration: Annotated[int, Field(ge=30, le=43200, description="Seconds.")]
    time_zone: Annotated[str, Field(min_length=3, max_length=64)]
    localized_time_zone_description: str = ABSENT
    panel_join_time_offset: Count = ABSENT
    title: Title = ABSENT
    description: Description = ABSENT
    status: SessionStatus = ABSENT
    host_join_uri: Annotated[str, Field(min_length=5, max_length=256)] = ABSENT
    locale_code: Annotated[str, Field(min_length=2, max_length=8)] = ABSENT


FAMILY = EventFamily(
    name="webinar_session",
    title="Webinar session",
    description="A webinar session is created or modified.",
    templates=(
        Template(
            path="/webinar/configuration/v1/company/sessions",
            permission=Permission.READ_WEBINARS,
            parameters=(HOST_USER_ID, WEBINAR_ID),
        ),
    ),
    body=WebinarSessionBody,
    rows=webinar_rows,
    ordering_key=by_id,
    api=SubscriptionApi.WEBINAR,
    sample={
        "id": "71001",
        "eventType": "Create",
        "creationTime": "2026-03-02T12:00:00.000Z",
        "lastModifiedTime": "2026-03-02T12:00:00.000Z",
        "webinar": {
            "id": "70001",
            "title": "Open house",
            "host": {"linkedUser": {"userId": "200001", "accountId": "100001", "domain": "pbx"}},
        },
        "scheduledStartTime": "2026-04-01T15:00:00.000Z",
        "scheduledDuration": 3600,
        "timeZone": "America/New_York",
        "status": "Scheduled",
        "localeCode": "en-US",
    },
)
