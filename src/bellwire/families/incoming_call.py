"""Calls that start to ring at an extension (legacy; unpublished path that public client programs subscribe to)."""

from __future__ import annotations

from bellwire.families.body import ABSENT
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.families.ringing import CallAlert, PushInfo
from bellwire.model.permission import Permission, UserPermission


class IncomingCallBody(CallAlert):
    """A call that rings."""

    aps: PushInfo = ABSENT


FAMILY = EventFamily(
    name="incoming_call",
    title="Incoming call",
    description="A call starts to ring at the extension.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/incoming-call-pickup",
            permission=Permission.READ_PRESENCE,
            others_permission=UserPermission.READ_COMPANY_TELEPHONY,
            others_error="CMN-408",
        ),
    ),
    body=IncomingCallBody,
    ordering_key=by_extension,
    is_flat=True,
    sample={
        "extensionId": "200001",
        "action": "StartRing",
        "sessionId": "600003",
        "from": "+12025550188",
        "fromName": "Ben Carter",
        "to": "101",
        "toName": "Ada Brook",
        "pn_ttl": 30,
    },
)
