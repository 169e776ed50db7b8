"""Incoming webhooks of Team Messaging (legacy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, EitherBody, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission


class WebhookInfo(Body):
    id: Id
    creator_id: str = ABSENT
    group_ids: list[str] = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT
    uri: str = ABSENT
    status: Literal["Active", "Suspended", "Deleted"]


class WebhookCreatedOrDeleted(WebhookInfo):
    event_type: Literal["WebhookCreated", "WebhookDeleted"]


class WebhookUpdated(Body):
    """`before` has what changed, `after` the webhook as it is now."""

    event_type: Literal["WebhookUpdated"]
    before: dict[str, Any]
    after: WebhookInfo


class TeamWebhookBody(EitherBody):
    """An incoming webhook."""

    root: Annotated[WebhookCreatedOrDeleted | WebhookUpdated, Field(discriminator="event_type")]


def _webhook(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("id") or (body.get("after") or {}).get("id", ""))


FAMILY = EventFamily(
    name="team_webhook",
    title="Team Messaging incoming webhook",
    description="An incoming webhook of a team is created, activated, suspended or deleted.",
    templates=(Template(path="/restapi/v1.0/glip/webhooks", permission=Permission.TEAM_MESSAGING),),
    body=TeamWebhookBody,
    ordering_key=_webhook,
    sample={
        "id": "9f2a4b56-2f3f-4b62-8d57-7d1a6a0e3c11",
        "creatorId": "200001",
        "groupIds": ["510000001"],
        "creationTime": "2026-03-02T11:40:00.000Z",
        "lastModifiedTime": "2026-03-02T11:40:00.000Z",
        "uri": "https://hooks.example.com/webhook/v2/9f2a4b56-2f3f-4b62-8d57-7d1a6a0e3c11",
        "status": "Active",
        "eventType": "WebhookCreated",
    },
)
