"""Text messages of an extension's numbers (second version of the API, unpublished)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Direction, Id, PhoneNumber, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import DIRECTION, FROM, TO
from bellwire.model.event import Rows
from bellwire.model.permission import UserPermission


class SenderNumber(Body):
    phone_number: PhoneNumber


class RecipientNumber(Body):
    phone_number: PhoneNumber
    message_status: Literal["Queued", "Delivered", "Sent", "SendingFailed", "DeliveryFailed"] = ABSENT


class Content(Body):
    id: str = ABSENT
    content_type: str = ABSENT
    content_uri: str = ABSENT


class SmsMessageBody(Body):
    """A message, with its status for each recipient."""

    id: Id
    batch_id: Id = ABSENT
    from_: SenderNumber = Field(alias="from")
    to: list[RecipientNumber] = Field(min_length=1)
    text: str = ABSENT
    direction: Direction
    attachments: list[Content] = ABSENT
    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT
    segment_count: int = ABSENT
    cost: float = ABSENT


def _rows(body: Mapping[str, Any]) -> Rows:
    return (
        {
            "direction": (body["direction"],),
            "from": (body["from"]["phoneNumber"],),
            "to": tuple([recipient["phoneNumber"] for recipient in body["to"]]),
        },
    )


FAMILY = EventFamily(
    name="sms_message",
    title="SMS message",
    description="A text message arrives at a number of the extension, or one sent from it changes its status.",
    templates=(
        Template(
            path="/restapi/v2/accounts/{accountId}/extensions/{extensionId}/sms/messages",
            permission=None,
            parameters=(replace(DIRECTION, required=True), FROM, TO),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=SmsMessageBody,
    rows=_rows,
    ordering_key=by_id,
    sample={
        "id": "4000000001",
        "from": {"phoneNumber": "+12025550188"},
        "to": [{"phoneNumber": "+12025550143", "messageStatus": "Delivered"}],
        "text": "Please call me back.",
        "direction": "Inbound",
        "creationTime": "2026-03-02T10:05:00.000Z",
        "lastModifiedTime": "2026-03-02T10:05:00.000Z",
        "segmentCount": 1,
        "cost": 0.007,
    },
)
