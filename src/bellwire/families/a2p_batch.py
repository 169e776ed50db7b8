"""High Volume SMS batches: one batch by its id, or all of an account's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Cost, Count, Id, PhoneNumber, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, Relations, Template
from bellwire.families.ordering import by_id
from bellwire.families.parameters import FROM
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId
from bellwire.model.permission import Permission, UserPermission


class A2pBatchBody(Body):
    """A batch, with how far it is; without the rejected entries that creating it answers."""

    id: Id
    from_: PhoneNumber = Field(alias="from")
    batch_size: Count = Field(description="Messages accepted.")
    processed_count: Count
    last_modified_time: Timestamp = ABSENT
    creation_time: Timestamp = ABSENT
    status: Literal["Processing", "Completed", "Sent"]
    cost: Cost = Field(ABSENT, description="Of all messages; known once the batch is completed.")


def _rows(body: Mapping[str, Any]) -> Rows:
    return ({"from": (body["from"],)},)


def _derived(values: PathValues, _account: AccountId, _relations: Relations) -> Sequence[str]:
    return (f"/restapi/v1.0/account/{values['accountId']}/a2p-sms/batches",)


FAMILY = EventFamily(
    name="a2p_batch",
    title="High Volume SMS batch",
    description="Status or processed count of a message batch changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/a2p-sms/batches/{batchId}",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="CMN-408",
        ),
        Template(
            path="/restapi/v1.0/account/{accountId}/a2p-sms/batches",
            permission=Permission.READ_ACCOUNTS,
            parameters=(FROM,),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="CMN-408",
        ),
    ),
    body=A2pBatchBody,
    rows=_rows,
    ordering_key=by_id,
    derived_topics=_derived,
    sample={
        "id": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
        "from": "+12025550143",
        "batchSize": 100,
        "processedCount": 40,
        "creationTime": "2026-03-02T10:10:00.000000Z",
        "lastModifiedTime": "2026-03-02T10:10:02.400000Z",
        "status": "Processing",
    },
)
