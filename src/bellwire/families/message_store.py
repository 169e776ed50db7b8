"""Changes of an extension's message store, counted by message type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bellwire.families.body import ABSENT, Body, Direction, NumberOrText, Timestamp
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.ordering import by_extension
from bellwire.families.parameters import DIRECTION
from bellwire.model.event import Rows
from bellwire.model.permission import Permission, UserPermission


class MessageChanges(Body):
    """How many messages of one type are new, and how many changed."""

    type: Literal["Fax", "SMS", "VoiceMail", "Pager", "Voicemail"]
    new_count: int = ABSENT
    updated_count: int = ABSENT
    new_message_ids: list[NumberOrText] = ABSENT
    direction: Direction = ABSENT


class MessageStoreBody(Body):
    """What changed in the message store."""

    extension_id: str = ABSENT
    last_updated: Timestamp
    changes: list[MessageChanges]
    owner_id: str = ABSENT
    account_id: str = ABSENT
    direction: Direction = ABSENT


def _rows(body: Mapping[str, Any]) -> Rows:
    """A row for each change. The published body has no field for `direction`: read where a producer adds one, else left
    out, so that the filter's value can't be contradicted."""
    changes = body["changes"]
    if not changes:
        return ({"type": ()},)
    of_all = body.get("direction")
    rows: list[Mapping[str, tuple[str, ...]]] = []
    for change in changes:
        direction = change.get("direction") or of_all
        message_type = (change["type"].lower(),)
        rows.append({"type": message_type, "direction": (direction,)} if direction else {"type": message_type})
    return tuple(rows)


FAMILY = EventFamily(
    name="message_store",
    title="Message store",
    description="Any message of the extension is created or changed.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store",
            permission=Permission.READ_MESSAGES,
            parameters=(
                QueryParameter(
                    name="type",
                    role=Role.PREDICATE,
                    description="Only messages of this type.",
                    enum=("SMS", "Fax", "VoiceMail", "Pager"),
                    ignore_case=True,
                ),
                DIRECTION,
            ),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=MessageStoreBody,
    rows=_rows,
    ordering_key=by_extension,
    sample={
        "accountId": "100001",
        "extensionId": "200001",
        "lastUpdated": "2026-03-02T09:15:04.300Z",
        "changes": [{"type": "SMS", "newCount": 1, "updatedCount": 0, "newMessageIds": ["3000000000001"]}],
    },
)
