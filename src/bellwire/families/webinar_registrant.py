"""Registrants of webinar sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Email, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.families.parameters import HOST_USER_ID, WEBINAR_ID
from bellwire.families.webinar_parts import Change, RcwId, Webinar, webinar_rows
from bellwire.model.permission import Permission
from bellwire.model.subscription import SubscriptionApi

_Name = Annotated[str, Field(max_length=64)]
_Uri = Annotated[str, Field(min_length=5, max_length=256)]


class SessionRef(Body):
    id: Id


class ChosenAnswer(Body):
    question_id: str
    answer_ids: Annotated[list[str], Field(min_length=1)]


class WrittenAnswer(Body):
    question_id: str
    answer_text: str


class WebinarRegistrantBody(Body):
    """A registrant of one session. No source gives the notification's body: this is the REST resource's."""

    id: RcwId
    event_type: Change = ABSENT
    creation_time: Timestamp
    last_modified_time: Timestamp
    session: SessionRef
    webinar: Webinar
    first_name: _Name
    last_name: _Name
    email: Email
    join_uri: _Uri = ABSENT
    cancellation_uri: _Uri = ABSENT
    registered_post_webinar: bool = ABSENT
    visitor_id: str = ABSENT
    external_id: str = ABSENT
    registration_time: Timestamp = ABSENT
    ip_address: str = ABSENT
    source: str = ABSENT
    participant_id: str = Field(ABSENT, description="There once the registrant has joined.")
    questionnaire: list[ChosenAnswer | WrittenAnswer] = ABSENT


def _session(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("session", {}).get("id", ""))


FAMILY = EventFamily(
    name="webinar_registrant",
    title="Webinar registrant",
    description="A registrant of a webinar session is created or modified.",
    templates=(
        Template(
            path="/webinar/registration/v1/company/sessions/registrants",
            permission=Permission.READ_WEBINARS,
            parameters=(HOST_USER_ID, WEBINAR_ID),
        ),
    ),
    body=WebinarRegistrantBody,
    rows=webinar_rows,
    ordering_key=_session,
    api=SubscriptionApi.WEBINAR,
    sample={
        "id": "72001",
        "eventType": "Create",
        "creationTime": "2026-03-05T08:00:00.000Z",
        "lastModifiedTime": "2026-03-05T08:00:00.000Z",
        "session": {"id": "71001"},
        "webinar": {
            "id": "70001",
            "title": "Open house",
            "host": {"linkedUser": {"userId": "200001", "accountId": "100001", "domain": "pbx"}},
        },
        "firstName": "Cleo",
        "lastName": "Dale",
        "email": "cleo.dale@example.com",
        "registrationTime": "2026-03-05T08:00:00.000Z",
        "questionnaire": [{"questionId": "1", "answerText": "From a friend"}],
    },
)
