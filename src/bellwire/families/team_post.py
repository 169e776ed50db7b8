"""Posts in the chats of Team Messaging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, EitherBody, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission


class Mention(Body):
    id: str
    type: Literal["Person", "Team", "File", "Link", "Event", "Task", "Note", "Card"]
    name: str = ABSENT


class PostFields(Body):
    """Fields of any post. Those that are not set may be left out, or be null."""

    id: Id
    type: Literal["TextMessage", "PersonJoined", "PersonsAdded", "PersonsRemoved", "Card"] | None = ABSENT
    text: str | None = ABSENT
    added_person_ids: list[str] | None = ABSENT
    removed_person_ids: list[str] | None = ABSENT
    mentions: list[Mention] | None = ABSENT
    attachments: list[dict[str, Any]] | None = Field(ABSENT, description="Files and cards, in many shapes.")
    title: str | None = ABSENT
    icon_uri: str | None = ABSENT
    icon_emoji: str | None = ABSENT
    activity: str | None = ABSENT


class WrittenPost(PostFields):
    """A post that is new or changed."""

    event_type: Literal["PostAdded", "PostChanged"]
    group_id: Id = Field(description="The chat.")
    creator_id: Id
    creation_time: Timestamp
    last_modified_time: Timestamp


class RemovedPost(PostFields):
    """A post that is gone; little more than its id is sure to be there."""

    event_type: Literal["PostRemoved"]
    group_id: str = ABSENT
    creator_id: str = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT


class TeamPostBody(EitherBody):
    """A post."""

    root: Annotated[WrittenPost | RemovedPost, Field(discriminator="event_type")]


def _chat(_values: PathValues, body: Mapping[str, Any]) -> str:
    """A removal may name no chat: then the post itself."""
    return str(body.get("groupId") or body.get("id", ""))


FAMILY = EventFamily(
    name="team_post",
    title="Team Messaging post",
    description="A post is added, edited or removed in a chat the user belongs to.",
    templates=(
        Template(
            path="/team-messaging/v1/posts",
            permission=Permission.TEAM_MESSAGING,
            aliases=("/restapi/v1.0/glip/posts",),
        ),
    ),
    body=TeamPostBody,
    ordering_key=_chat,
    sample={
        "id": "500000001",
        "groupId": "510000001",
        "type": "TextMessage",
        "text": "Lunch at noon?",
        "creatorId": "200001",
        "addedPersonIds": None,
        "creationTime": "2026-03-02T11:30:00.000Z",
        "lastModifiedTime": "2026-03-02T11:30:00.000Z",
        "attachments": None,
        "mentions": None,
        "eventType": "PostAdded",
    },
)
