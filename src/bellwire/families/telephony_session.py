"""Call sessions: of one extension, and of the whole account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Direction, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, QueryParameter, Relations, Role, Template
from bellwire.families.parameters import DIRECTION
from bellwire.families.phone_numbers import with_plus
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId
from bellwire.model.permission import Permission, UserPermission

STATUS_CODES = (
    "Setup",
    "Proceeding",
    "Answered",
    "Disconnected",
    "Gone",
    "Parked",
    "Hold",
    "VoiceMail",
    "FaxReceive",
    "VoiceMailScreening",
)


class Origin(Body):
    type: Literal[
        "Call",
        "RingOut",
        "RingMe",
        "Conference",
        "GreetingsRecording",
        "VerificationCall",
        "Zoom",
        "CallOut",
        "TestCall",
    ] = ABSENT


class CallEnd(Body):
    """Who is at one end of the call."""

    phone_number: str = Field(ABSENT, description="E.164, or an extension's short number.")
    name: str = ABSENT
    extension_id: str = ABSENT
    device_id: str = ABSENT


class Recording(Body):
    id: str = ABSENT
    active: bool = ABSENT


class Peer(Body):
    """The session that this one was replaced by, or came from."""

    session_id: str = ABSENT
    telephony_session_id: str = ABSENT
    party_id: str = ABSENT


class MobilePickup(Body):
    cc_mailboxes: list[str] = ABSENT
    to: str = ABSENT
    sid: str = ABSENT
    srv_lvl: str = ABSENT
    srv_lvl_ext: str = ABSENT


class CallStatus(Body):
    code: Literal[
        "Setup",
        "Proceeding",
        "Answered",
        "Disconnected",
        "Gone",
        "Parked",
        "Hold",
        "VoiceMail",
        "FaxReceive",
        "Tds",
        "VoiceMailScreening",
    ]
    reason: Literal[
        "Pickup",
        "Supervising",
        "TakeOver",
        "Timeout",
        "BlindTransfer",
        "RccTransfer",
        "AttendedTransfer",
        "CallerInputRedirect",
        "CallFlip",
        "ParkLocation",
        "DtmfTransfer",
        "AgentAnswered",
        "AgentDropped",
        "Rejected",
        "Cancelled",
        "InternalError",
        "NoAnswer",
        "TargetBusy",
        "InvalidNumber",
        "InternationalDisabled",
        "DestinationBlocked",
        "NotEnoughFunds",
        "NoSuchUser",
        "CallPark",
        "CallRedirected",
        "CallReplied",
        "CallSwitch",
        "CallFinished",
        "CallDropped",
        "Voicemail",
    ] = ABSENT
    description: str = ABSENT
    park_data: str = ABSENT
    peer_id: Peer = ABSENT
    mobile_pickup_data: MobilePickup = ABSENT
    rcc: bool = ABSENT


class Park(Body):
    id: str = ABSENT


class SipData(Body):
    to_tag: str = ABSENT
    from_tag: str = ABSENT
    call_id: str = ABSENT


class CallInfoLine(Body):
    type: Literal["QueueName", "CallerIdName"] = ABSENT
    value: str = ABSENT


class UiCallInfo(Body):
    """What a phone shows of the caller."""

    primary: CallInfoLine = ABSENT
    additional: CallInfoLine = ABSENT


class Party(Body):
    """One participant of the session."""

    account_id: str = ABSENT
    extension_id: str = ABSENT
    id: Id
    direction: Direction
    to: CallEnd = ABSENT
    from_: CallEnd = Field(ABSENT, alias="from")
    recordings: list[Recording] = ABSENT
    status: CallStatus
    park: Park = ABSENT
    queue_call: bool = ABSENT
    missed_call: bool = ABSENT
    stand_alone: bool = ABSENT
    muted: bool = ABSENT
    conference_role: Literal["Host", "Participant"] = ABSENT
    sip_data: SipData = Field(ABSENT, description="Only sent where the filter asks for sipData.")
    ui_call_info: UiCallInfo = ABSENT


class TelephonySessionBody(Body):
    """A call session with its parties."""

    sequence: int = Field(description="Grows with each event of the session.")
    session_id: str = ABSENT
    telephony_session_id: Id
    server_id: str = ABSENT
    event_time: Timestamp
    origin: Origin = ABSENT
    parties: list[Party]
    account_id: str = ABSENT
    extension_id: str = ABSENT


_NO_PARTY: Rows = ({"direction": (), "missedCall": (), "phoneNumber": (), "statusCode": (), "withRecordings": ()},)
_TRUE = ("true",)
_FALSE = ("false",)


def _row(party: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    caller = party.get("from")
    called = party.get("to")
    numbers = [with_plus(end["phoneNumber"]) for end in (caller, called) if end is not None and end.get("phoneNumber")]
    return {
        "direction": (party["direction"],),
        "missedCall": _TRUE if party.get("missedCall") else _FALSE,
        "phoneNumber": tuple(numbers),
        "statusCode": (party["status"]["code"],),
        "withRecordings": _TRUE if party.get("recordings") else _FALSE,
    }


def _rows(body: Mapping[str, Any]) -> Rows:
    """A row for each party, so that several predicates mean one party that fits them all."""
    return tuple([_row(party) for party in body["parties"]]) or _NO_PARTY


def _session(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("telephonySessionId", ""))


def _derived(values: PathValues, _account: AccountId, _relations: Relations) -> Sequence[str]:
    return (f"/restapi/v1.0/account/{values['accountId']}/telephony/sessions",)


def _project(body: Mapping[str, Any], projections: frozenset[str]) -> Mapping[str, Any] | None:
    """Leave out `sipData` of the parties where it was not asked for."""
    parties = body["parties"]
    if "sipData" in projections or not any("sipData" in party for party in parties):
        return None
    bare = [{name: value for name, value in party.items() if name != "sipData"} for party in parties]
    return {**body, "parties": bare}


_PARAMETERS = (
    QueryParameter(
        name="direction",
        role=Role.PREDICATE,
        description="Only sessions with a party of this direction.",
        enum=DIRECTION.enum,
    ),
    QueryParameter(
        name="missedCall",
        role=Role.PREDICATE,
        description="Whether a party missed the call.",
        type="boolean",
    ),
    QueryParameter(
        name="phoneNumber",
        role=Role.PREDICATE,
        description="Only sessions from or to this number.",
        is_phone_number=True,
        example="+16505550100",
    ),
    QueryParameter(
        name="sipData",
        role=Role.PROJECTION,
        description="The parties' SIP data are part of the body.",
        type="boolean",
    ),
    QueryParameter(
        name="statusCode",
        role=Role.PREDICATE,
        description="Only sessions with a party in this state.",
        enum=STATUS_CODES,
    ),
    QueryParameter(
        name="withRecordings",
        role=Role.PREDICATE,
        description="Whether a party has recordings.",
        type="boolean",
    ),
)

FAMILY = EventFamily(
    name="telephony_session",
    title="Telephony session",
    description="A call session changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/telephony/sessions",
            permission=Permission.CALL_CONTROL,
            parameters=_PARAMETERS,
            others_permission=UserPermission.READ_COMPANY_TELEPHONY,
            others_error="CMN-408",
        ),
        Template(
            path="/restapi/v1.0/account/{accountId}/telephony/sessions",
            permission=Permission.CALL_CONTROL,
            parameters=_PARAMETERS,
            others_permission=UserPermission.READ_COMPANY_TELEPHONY,
            others_error="CMN-408",
        ),
    ),
    body=TelephonySessionBody,
    rows=_rows,
    ordering_key=_session,
    derived_topics=_derived,
    project=_project,
    sample={
        "sequence": 3,
        "sessionId": "600001",
        "telephonySessionId": "s-6f0d1c5ae2b74f0a9d11",
        "eventTime": "2026-03-02T11:00:02.500Z",
        "accountId": "100001",
        "extensionId": "200001",
        "origin": {"type": "Call"},
        "parties": [
            {
                "accountId": "100001",
                "extensionId": "200001",
                "id": "p-6f0d1c5ae2b74f0a9d11-2",
                "direction": "Inbound",
                "from": {"phoneNumber": "+12025550188", "name": "Ben Carter"},
                "to": {"phoneNumber": "+12025550143", "name": "Ada Brook", "extensionId": "200001"},
                "status": {"code": "Answered"},
                "missedCall": False,
                "standAlone": False,
                "muted": False,
                "sipData": {"callId": "c-1", "toTag": "t-1", "fromTag": "f-1"},
            }
        ],
    },
)
