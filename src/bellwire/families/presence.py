"""Presence of extensions, told to four kinds of listeners.

A change is published on the extension's own topic, and told to the account, to the extensions that monitor the line,
and to those that have the extension among their favorites: there the path names the listener, the body the extension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Direction, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, QueryParameter, Relations, Role, Template
from bellwire.families.ordering import by_extension
from bellwire.families.parameters import DETAILED_TELEPHONY_STATE
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.permission import Permission, UserPermission

TelephonyStatus = Literal["NoCall", "CallConnected", "Ringing", "OnHold", "ParkedCall"]
Availability = Literal["Offline", "Busy", "Available"]
DndStatus = Literal[
    "TakeAllCalls", "DoNotAcceptDepartmentCalls", "TakeDepartmentCallsOnly", "DoNotAcceptAnyCalls", "Unknown"
]


class PresenceSipData(Body):
    call_id: str = ABSENT
    to_tag: str = ABSENT
    from_tag: str = ABSENT
    remote_uri: str = ABSENT
    local_uri: str = ABSENT
    rc_session_id: str = ABSENT


class QueueInfoLine(Body):
    type: Literal[
        "PhoneNumberLabel", "PhoneNumber", "QueueExtension", "QueueName", "CallerIdName", "CallerIdNumber", "None"
    ] = ABSENT
    value: str = ABSENT


class QueueInfo(Body):
    """What a phone shows of a call that came through a queue."""

    primary: QueueInfoLine = ABSENT
    additional: QueueInfoLine = ABSENT


class Appearance(Body):
    """The shared line that carries the call."""

    phone_number: str = ABSENT
    appearance_number: int = ABSENT


class Appearances(Appearance):
    line_status: Literal["Seized", "Released"] = ABSENT


class ActiveCall(Body):
    id: str = ABSENT
    direction: Direction = ABSENT
    queue_call: bool = ABSENT
    from_: str = Field(ABSENT, alias="from")
    from_name: str = ABSENT
    to: str = ABSENT
    to_name: str = ABSENT
    start_time: Timestamp = ABSENT
    telephony_status: TelephonyStatus = ABSENT
    sip_data: PresenceSipData = Field(ABSENT, description="Only sent where the filter asks for sipData.")
    session_id: str = ABSENT
    telephony_session_id: str = ABSENT
    on_behalf_of: str = ABSENT
    party_id: str = ABSENT
    termination_type: Literal["final", "intermediate"] = ABSENT
    call_info: QueueInfo = ABSENT
    appearance_info: Appearance = ABSENT


class PresenceBody(Body):
    """An extension's presence. Publish all that is known: filters that did not ask for active calls get none."""

    extension_id: Id
    sequence: int = Field(description="Grows with each event.")
    telephony_status: TelephonyStatus = ABSENT
    aggregated_telephony_status: TelephonyStatus = ABSENT
    cx_telephony_status: Literal["NoCall", "CallConnected"] = ABSENT
    presence_status: Availability = Field(ABSENT, description="What others see.")
    user_status: Availability = Field(ABSENT, description="What the user set.")
    meeting_status: Literal["Connected", "Disconnected"] = ABSENT
    dnd_status: DndStatus = ABSENT
    dnd_status_personal: Literal["TakeAllCalls", "DoNotAcceptAnyCalls", "Unknown"] = ABSENT
    allow_see_my_presence: bool = ABSENT
    accept_call_queue_calls: bool = ABSENT
    ring_on_monitored_call: bool = ABSENT
    pick_up_calls_on_hold: bool = ABSENT
    active_calls: Annotated[list[ActiveCall], Field(max_length=7)] = ABSENT
    total_active_calls: int = Field(ABSENT, description="May be more than are listed.")
    appearances: Appearances = ABSENT
    owner_id: str = ABSENT


_DETAILS = frozenset({"activeCalls", "totalActiveCalls", "appearances"})
"""What only the detailed forms have."""


def _project(body: Mapping[str, Any], projections: frozenset[str]) -> Mapping[str, Any] | None:
    """Plain: without active calls. `detailedTelephonyState`: with them, but for `sipData`. `sipData`: all."""
    if "sipData" in projections:
        return None
    if "detailedTelephonyState" not in projections:
        if _DETAILS.isdisjoint(body):
            return None
        return {name: value for name, value in body.items() if name not in _DETAILS}
    calls = body.get("activeCalls")
    if not calls or not any("sipData" in call for call in calls):
        return None
    bare = [{name: value for name, value in call.items() if name != "sipData"} for call in calls]
    return {**body, "activeCalls": bare}


def _derived(values: PathValues, _account: AccountId, relations: Relations) -> Sequence[str]:
    account = f"/restapi/v1.0/account/{values['accountId']}"
    extension = ExtensionId(values["extensionId"])
    topics = [f"{account}/presence"]
    topics += [f"{account}/extension/{id_}/presence/line/presence" for id_ in relations.watchers_of_line(extension)]
    topics += [f"{account}/extension/{id_}/favorite/presence" for id_ in relations.admirers_of(extension)]
    return topics


_SIP_DATA = QueryParameter(
    name="sipData",
    role=Role.PROJECTION,
    description="The active calls' SIP data are part of the body.",
    type="boolean",
    implies=("detailedTelephonyState",),
)

_OF_EXTENSION = Template(
    path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence",
    permission=Permission.READ_PRESENCE,
    parameters=(DETAILED_TELEPHONY_STATE, _SIP_DATA),
    others_permission=UserPermission.READ_PRESENCE_STATUS,
    others_error="SUB-403",
)

FAMILY = EventFamily(
    name="presence",
    title="Presence",
    description="Presence of an extension changes: its own, one that it monitors, or one of its favorites.",
    templates=(
        _OF_EXTENSION,
        Template(
            path="/restapi/v1.0/account/{accountId}/presence",
            # The documentation asks for this one here, and for ReadPresence on the others.
            permission=Permission.READ_ACCOUNTS,
            parameters=(DETAILED_TELEPHONY_STATE,),
            others_permission=UserPermission.READ_PRESENCE_STATUS,
            others_error="SUB-403",
        ),
        replace(_OF_EXTENSION, path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence/line/presence"),
        replace(_OF_EXTENSION, path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/favorite/presence"),
    ),
    body=PresenceBody,
    ordering_key=by_extension,
    derived_topics=_derived,
    project=_project,
    sample={
        "extensionId": "200001",
        "sequence": 41,
        "telephonyStatus": "CallConnected",
        "presenceStatus": "Busy",
        "userStatus": "Available",
        "meetingStatus": "Disconnected",
        "dndStatus": "TakeAllCalls",
        "allowSeeMyPresence": True,
        "ringOnMonitoredCall": False,
        "pickUpCallsOnHold": False,
        "activeCalls": [
            {
                "id": "c-6f0d1c5ae2b74f0a9d11",
                "direction": "Inbound",
                "from": "+12025550188",
                "to": "+12025550143",
                "telephonyStatus": "CallConnected",
                "startTime": "2026-03-02T11:00:02.500Z",
                "telephonySessionId": "s-6f0d1c5ae2b74f0a9d11",
                "partyId": "p-6f0d1c5ae2b74f0a9d11-2",
                "sipData": {"toTag": "t-1", "fromTag": "f-1", "remoteUri": "sip:12025550188@sip.example.com"},
            }
        ],
        "totalActiveCalls": 1,
    },
)
