"""Voicemails that are left for an extension."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bellwire.families.body import ABSENT, NumberOrText
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.message_parts import Recipient, Sender, StoredMessage
from bellwire.families.ordering import by_id
from bellwire.model.permission import Permission, UserPermission


class VoicemailBody(StoredMessage):
    """A voicemail that was left."""

    id: NumberOrText
    to: list[Recipient] = ABSENT
    from_: Sender = Field(ABSENT, alias="from")
    type: Literal["VoiceMail", "Voicemail"] = Field(description="VoiceMail is the usual spelling.")
    vm_transcription_status: Literal[
        "NotAvailable", "InProgress", "TimedOut", "Completed", "CompletedPartially", "Failed", "Unknown"
    ] = ABSENT


FAMILY = EventFamily(
    name="voicemail",
    title="Voicemail",
    description="A new voicemail is left for the extension.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/voicemail",
            permission=Permission.READ_MESSAGES,
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="SUB-405",
        ),
    ),
    body=VoicemailBody,
    ordering_key=by_id,
    sample={
        "id": "3000000000003",
        "to": [{"phoneNumber": "+12025550143", "name": "Ada Brook", "target": True}],
        "from": {"phoneNumber": "+12025550188", "name": "Ben Carter"},
        "type": "VoiceMail",
        "creationTime": "2026-03-02T09:25:00.000Z",
        "lastModifiedTime": "2026-03-02T09:25:09.000Z",
        "readStatus": "Unread",
        "priority": "Normal",
        "attachments": [
            {"id": "3000000000003", "type": "AudioRecording", "contentType": "audio/mpeg", "vmDuration": 17}
        ],
        "direction": "Inbound",
        "availability": "Alive",
        "subject": "Voice message",
        "messageStatus": "Received",
        "vmTranscriptionStatus": "InProgress",
    },
)
