"""Members of a call queue who start or stop to take its calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from bellwire.families.body import Body, EitherBody, Id
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission, UserPermission


class MemberChange(Body):
    """One member of one queue."""

    extension_id: Id
    call_queue_id: Id
    accept_calls: bool


class Member(Body):
    id: Id


class MemberRecord(Body):
    member: Member
    accept_current_queue_calls: bool


class MemberChanges(Body):
    """Several members of the queue that the path names, as an older sample has it."""

    records: Annotated[list[MemberRecord], Field(min_length=1)]


def _shape(body: Any) -> str:
    return "several" if isinstance(body, dict) and "records" in body and "extensionId" not in body else "one"


class CallQueuePresenceBody(EitherBody):
    """One member, or several in `records`."""

    root: Annotated[
        Annotated[MemberChange, Tag("one")] | Annotated[MemberChanges, Tag("several")],
        Discriminator(_shape),
    ]


def _queue(values: PathValues, body: Mapping[str, Any]) -> str:
    """The queue rather than the member: a body of several members has no one member to be ordered by."""
    return values.get("groupId") or str(body.get("callQueueId", ""))


FAMILY = EventFamily(
    name="call_queue_presence",
    title="Call queue presence",
    description="A queue member starts or stops taking calls of the queue.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/call-queues/{groupId}/presence",
            permission=Permission.READ_PRESENCE,
            others_permission=UserPermission.READ_PRESENCE_STATUS,
            others_error="SUB-403",
        ),
    ),
    body=CallQueuePresenceBody,
    ordering_key=_queue,
    sample={"extensionId": "200001", "callQueueId": "300001", "acceptCalls": True},
)
