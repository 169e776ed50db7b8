"""High Volume SMS messages: sent in batches, or received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Cost, Count, Direction, Id, PhoneNumber, Timestamp
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import DIRECTION, FROM, TO
from bellwire.model.event import Rows
from bellwire.model.permission import Permission, UserPermission


class A2pMessageBody(Body):
    """A message as it now is."""

    id: Id
    batch_id: Id = Field(ABSENT, description="Absent for inbound messages.")
    from_: PhoneNumber = Field(alias="from")
    to: list[PhoneNumber] = Field(min_length=1)
    text: Annotated[str, Field(max_length=1000)] = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT
    message_status: Literal["Queued", "Delivered", "Sent", "SendingFailed", "DeliveryFailed"]
    segment_count: Count = ABSENT
    cost: Cost = ABSENT
    direction: Direction
    error_code: str = Field(ABSENT, description="Why it failed, such as SMS-CAR-413.")


def _rows(body: Mapping[str, Any]) -> Rows:
    batch = body.get("batchId")
    return (
        {
            "direction": (body["direction"],),
            "batchId": (batch,) if batch else (),
            "from": (body["from"],),
            "to": tuple(body["to"]),
        },
    )


FAMILY = EventFamily(
    name="a2p_message",
    title="High Volume SMS message",
    description="A message of any batch is created or changes status, or an inbound message arrives.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/a2p-sms/messages",
            permission=Permission.READ_ACCOUNTS,
            parameters=(
                DIRECTION,
                QueryParameter(name="batchId", role=Role.PREDICATE, description="Only messages of this batch."),
                FROM,
                TO,
            ),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="CMN-408",
        ),
    ),
    body=A2pMessageBody,
    rows=_rows,
    # The message, not its batch: by batch, a hundred thousand messages would wait for each other at one endpoint.
    ordering_key=by_id,
    sample={
        "id": "70001",
        "batchId": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
        "from": "+12025550143",
        "to": ["+12025550188"],
        "text": "Your parcel is on its way.",
        "creationTime": "2026-03-02T10:10:00.100000Z",
        "lastModifiedTime": "2026-03-02T10:10:01.900000Z",
        "messageStatus": "Delivered",
        "segmentCount": 1,
        "cost": 0.007,
        "direction": "Outbound",
    },
)
