"""Query parameters that several families take."""

from __future__ import annotations

from bellwire.families.declaration import QueryParameter, Role

DIRECTION = QueryParameter(
    name="direction",
    role=Role.PREDICATE,
    description="Only messages in this direction.",
    enum=("Inbound", "Outbound"),
)

FROM = QueryParameter(
    name="from",
    role=Role.PREDICATE,
    description="Only those sent from this number.",
    is_phone_number=True,
    example="+16505550100",
)

TO = QueryParameter(
    name="to",
    role=Role.PREDICATE,
    description="Only those sent to this number.",
    is_phone_number=True,
    example="+16505550100",
)

DETAILED_TELEPHONY_STATE = QueryParameter(
    name="detailedTelephonyState",
    role=Role.PROJECTION,
    description="Active calls, with at most seven of them listed, are part of the body.",
    type="boolean",
)

HOST_USER_ID = QueryParameter(
    name="hostUserId",
    role=Role.PREDICATE,
    description="Only webinars that this user hosts.",
)

WEBINAR_ID = QueryParameter(
    name="webinarId",
    role=Role.PREDICATE,
    description="Only sessions of this webinar.",
)
