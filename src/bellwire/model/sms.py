"""High Volume SMS: what is handed to a carrier and what comes back from one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

MessageId = NewType("MessageId", str)
"""Decimal digits, unique over all accounts of an installation."""

BatchId = NewType("BatchId", str)
"""A UUID in its 36-character spelling."""


class MessageStatus(StrEnum):
    """Where an outbound message is; an inbound one is `DELIVERED` at once (wire contract, 6.2)."""

    QUEUED = "Queued"
    SENT = "Sent"
    DELIVERED = "Delivered"
    SENDING_FAILED = "SendingFailed"
    DELIVERY_FAILED = "DeliveryFailed"


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """One message for a carrier to send."""

    message: MessageId
    sender: str
    """The account's number, E.164."""
    recipient: str
    """E.164."""
    text: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """The carrier took it. A text of several parts can have an id for each; a receipt names one of them."""

    carrier_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier won't ever send it."""

    error_code: str
    """Of the closed set of the wire contract, 6.4, such as `SMS-UP-410`."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """Surely not sent: the carrier is throttling, or the link was down before anything was written."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class SubmitUnknown:
    """It was written, and the link ended before an answer: it may have been sent; sending again could send it twice."""


SubmitOutcome = Submitted | Refused | NotNow | SubmitUnknown


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """A carrier's report on a message that it took."""

    carrier_id: str
    status: MessageStatus
    """`DELIVERED` or `DELIVERY_FAILED`; `SENT` where the carrier only says that it is on its way."""
    error_code: str | None = None
    """Of the closed set of the wire contract, 6.4, where it failed."""


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text from a recipient to one of our numbers."""

    sender: str
    """E.164."""
    recipient: str
    """Our number, E.164."""
    text: str
    received_at: datetime
    carrier_key: str | None = None
    """The same for a text that the carrier hands over again, where it lets one know; stored once."""


class MessageDirection(StrEnum):
    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class BatchStatus(StrEnum):
    """`COMPLETED`: each message was taken by the carrier, or failed to be sent."""

    PROCESSING = "Processing"
    COMPLETED = "Completed"


class ConsentStatus(StrEnum):
    OPT_OUT = "OptOut"
    OPT_IN = "OptIn"


class ConsentSource(StrEnum):
    """Who said it. The first version of the API calls `API` "Account" (wire contract, 6.6)."""

    RECIPIENT = "Recipient"
    API = "Api"
    UPSTREAM = "Upstream"
    CARRIER = "Carrier"


class ConsentCoverage(StrEnum):
    """What a consent holds for. Only `PHONE_NUMBER`, one pair of numbers, is written today."""

    PHONE_NUMBER = "PhoneNumber"
    ACCOUNT = "Account"
    CAMPAIGN_TYPE = "CampaignType"
