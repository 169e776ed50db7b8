"""Parts of message bodies: what instant messages, faxes and voicemails have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Direction, NumberOrText, Timestamp

MessageStatus = Literal["Queued", "Sent", "Delivered", "DeliveryFailed", "SendingFailed", "Received"]


class NumberParts(Body):
    """A phone number, taken apart."""

    country_code: str = ABSENT
    national_destination_code: str = ABSENT
    subscriber_number: str = ABSENT


class Sender(Body):
    phone_number: str = ABSENT
    extension_number: str = ABSENT
    location: str = ABSENT
    name: str = ABSENT
    phone_number_info: NumberParts = ABSENT


class Recipient(Body):
    phone_number: str = ABSENT
    extension_number: str = ABSENT
    target: bool = Field(ABSENT, description="Whether this recipient is the extension that the event is about.")
    location: str = ABSENT
    name: str = ABSENT


class Attachment(Body):
    id: NumberOrText = ABSENT
    uri: str = ABSENT
    type: Literal[
        "AudioRecording", "AudioTranscription", "Text", "SourceDocument", "RenderedDocument", "MmsAttachment"
    ] = ABSENT
    content_type: str = ABSENT
    vm_duration: int = Field(ABSENT, description="Seconds; voicemails only.")
    file_name: str = ABSENT
    size: int = Field(ABSENT, description="Bytes.")
    height: int = ABSENT
    width: int = ABSENT


class Conversation(Body):
    id: str = ABSENT
    uri: str = ABSENT


class Owner(Body):
    extension_id: str = ABSENT
    extension_type: str = ABSENT
    name: str = ABSENT


class StoredMessage(Body):
    """Fields of any message of an extension's message store."""

    creation_time: Timestamp = ABSENT
    last_modified_time: Timestamp = ABSENT
    read_status: Literal["Read", "Unread"] = ABSENT
    priority: Literal["Normal", "High"] = ABSENT
    attachments: list[Attachment] = ABSENT
    direction: Direction
    availability: Literal["Alive", "Deleted", "Purged"] = ABSENT
    subject: str = ABSENT
    message_status: MessageStatus = ABSENT
    conversation_id: str = ABSENT
    owner_id: str = ABSENT
