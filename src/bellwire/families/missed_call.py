"""Calls to an extension that end unanswered (legacy; `telephony/sessions?missedCall=true` is the present way)."""

from __future__ import annotations

from pydantic import Field

from bellwire.families.body import ABSENT
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.families.ringing import CallAlert, PushWrapper
from bellwire.model.permission import Permission, UserPermission


class MissedCallBody(CallAlert):
    """A call that was missed."""

    pn_apns: PushWrapper = Field(ABSENT, alias="pn_apns")


FAMILY = EventFamily(
    name="missed_call",
    title="Missed call",
    description="A call to the extension ends unanswered.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/missed-calls",
            permission=Permission.READ_PRESENCE,
            others_permission=UserPermission.READ_COMPANY_TELEPHONY,
            others_error="SUB-527",
        ),
    ),
    body=MissedCallBody,
    ordering_key=by_extension,
    is_flat=True,
    sample={
        "extensionId": "200001",
        "action": "StopRing",
        "sessionId": "600002",
        "from": "+12025550188",
        "fromName": "Ben Carter",
        "to": "101",
        "toName": "Ada Brook",
    },
)
