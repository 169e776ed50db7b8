"""Faxes that arrive for an extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Count, Id
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.message_parts import Conversation, Recipient, Sender, StoredMessage
from bellwire.families.ordering import by_id
from bellwire.model.event import Rows
from bellwire.model.permission import Permission, UserPermission


class FaxBody(StoredMessage):
    """A fax that arrived."""

    id: Id
    to: list[Recipient] = ABSENT
    from_: Sender = Field(alias="from")
    type: Literal["Fax"]
    conversation: Conversation = ABSENT
    fax_resolution: Literal["High", "Low"] = ABSENT
    fax_page_count: Count = ABSENT


def _rows(body: Mapping[str, Any]) -> Rows:
    return ({"direction": (body["direction"],)},)


FAMILY = EventFamily(
    name="fax",
    title="Inbound fax",
    description="A fax arrives for the extension.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/fax",
            permission=Permission.READ_MESSAGES,
            parameters=(
                QueryParameter(
                    name="direction",
                    role=Role.PREDICATE,
                    description="The direction of the fax.",
                    enum=("Inbound",),
                    fixed="Inbound",
                    required=True,
                ),
            ),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=FaxBody,
    rows=_rows,
    ordering_key=by_id,
    sample={
        "id": "3000000000002",
        "to": [{"phoneNumber": "+12025550143", "name": "Ada Brook", "target": True}],
        "from": {"phoneNumber": "+12025550170"},
        "type": "Fax",
        "creationTime": "2026-03-02T09:20:00.000Z",
        "lastModifiedTime": "2026-03-02T09:20:31.500Z",
        "readStatus": "Unread",
        "priority": "Normal",
        "attachments": [{"id": "3000000000002", "type": "RenderedDocument", "contentType": "application/pdf"}],
        "direction": "Inbound",
        "availability": "Alive",
        "messageStatus": "Received",
        "faxResolution": "High",
        "faxPageCount": 2,
    },
)
