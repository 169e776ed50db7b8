"""Batches of text messages sent from an extension's numbers (second version of the API, unpublished)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Cost, Count, Id, PhoneNumber, Timestamp
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import FROM
from bellwire.model.event import Rows
from bellwire.model.permission import UserPermission


class SenderNumber(Body):
    phone_number: PhoneNumber


class SmsBatchBody(Body):
    """A batch, with how far it is."""

    id: Id
    from_: SenderNumber = Field(alias="from")
    batch_size: Count
    processed_count: Count
    last_modified_time: Timestamp = ABSENT
    creation_time: Timestamp = ABSENT
    status: Literal["Processing", "Completed", "Sent"]
    cost: Cost = ABSENT


def _rows(body: Mapping[str, Any]) -> Rows:
    return ({"from": (body["from"]["phoneNumber"],)},)


FAMILY = EventFamily(
    name="sms_batch",
    title="SMS batch",
    description="Status of an SMS batch sent from a number of the extension changes.",
    templates=(
        Template(
            path="/restapi/v2/accounts/{accountId}/extensions/{extensionId}/sms/batches",
            permission=None,
            parameters=(FROM,),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=SmsBatchBody,
    rows=_rows,
    ordering_key=by_id,
    sample={
        "id": "5a1f3c90-1c1d-4e0b-9a77-0d5c5f6f0b01",
        "from": {"phoneNumber": "+12025550143"},
        "batchSize": 20,
        "processedCount": 20,
        "creationTime": "2026-03-02T10:00:00.000Z",
        "lastModifiedTime": "2026-03-02T10:00:04.250Z",
        "status": "Completed",
        "cost": 0.14,
    },
)
