"""Chats of Team Messaging: groups in the words of the first version, chats in those of the present one."""

from __future__ import annotations

from typing import Literal

from bellwire.families.body import ABSENT, Body, Id, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.model.permission import Permission


class TeamChatBody(Body):
    """A chat as it now is."""

    id: Id
    name: str | None = ABSENT
    description: str | None = ABSENT
    type: Literal["PrivateChat", "Group", "Team", "PersonalChat"] = ABSENT
    status: Literal["Active", "Archived"] | None = ABSENT
    members: list[str] = ABSENT
    is_public: bool | None = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT
    event_type: Literal["GroupRenamed", "GroupJoined", "GroupLeft", "GroupChanged"]


FAMILY = EventFamily(
    name="team_chat",
    title="Team Messaging chat",
    description="A chat is created, renamed, changed, joined or left by the user.",
    templates=(
        Template(
            path="/team-messaging/v1/groups",
            permission=Permission.TEAM_MESSAGING,
            aliases=("/team-messaging/v1/chats", "/restapi/v1.0/glip/groups"),
        ),
    ),
    body=TeamChatBody,
    ordering_key=by_id,
    sample={
        "id": "510000001",
        "name": "Front desk",
        "description": None,
        "type": "Team",
        "status": "Active",
        "members": ["200001", "200002"],
        "isPublic": False,
        "creationTime": "2026-03-02T11:00:00.000Z",
        "lastModifiedTime": "2026-03-02T11:29:00.000Z",
        "eventType": "GroupJoined",
    },
)
