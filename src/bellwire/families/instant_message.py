"""Text messages that arrive for an extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Id
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.message_parts import Conversation, Owner, Recipient, Sender, StoredMessage
from bellwire.families.ordering import by_id
from bellwire.model.event import Rows
from bellwire.model.permission import Permission, UserPermission


class InstantMessageBody(StoredMessage):
    """An SMS (or pager message) that arrived."""

    id: Id
    to: list[Recipient]
    from_: Sender = Field(alias="from")
    type: Literal["SMS", "Pager"]
    conversation: Conversation = ABSENT
    event_type: str = ABSENT
    owner: Owner = ABSENT


def _rows(body: Mapping[str, Any]) -> Rows:
    return ({"type": (body["type"],)},)


FAMILY = EventFamily(
    name="instant_message",
    title="Instant message",
    description="A text message arrives for the extension.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store/instant",
            permission=Permission.READ_MESSAGES,
            parameters=(
                QueryParameter(
                    name="type",
                    role=Role.PREDICATE,
                    description="The kind of message.",
                    enum=("SMS",),
                    fixed="SMS",
                    required=True,
                ),
            ),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=InstantMessageBody,
    rows=_rows,
    ordering_key=by_id,
    sample={
        "id": "3000000000001",
        "to": [{"phoneNumber": "+12025550143", "name": "Ada Brook", "target": True}],
        "from": {"phoneNumber": "+12025550188", "location": "Washington, DC"},
        "type": "SMS",
        "creationTime": "2026-03-02T09:15:04.120Z",
        "lastModifiedTime": "2026-03-02T09:15:04.120Z",
        "readStatus": "Unread",
        "priority": "Normal",
        "attachments": [{"id": "3000000000001", "type": "Text", "contentType": "text/plain"}],
        "direction": "Inbound",
        "availability": "Alive",
        "subject": "Can we meet at ten?",
        "messageStatus": "Received",
        "conversationId": "7000000000000000001",
        "conversation": {"id": "7000000000000000001"},
    },
)
