"""High Volume SMS as it is stored: batches, their messages, consents. Money is in millionths of its currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.sms import (
    BatchId,
    BatchStatus,
    ConsentCoverage,
    ConsentSource,
    ConsentStatus,
    MessageDirection,
    MessageId,
    MessageStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One accepted request to send."""

    id: BatchId
    account_id: AccountId
    sender: str
    """The account's number, E.164."""
    size: int
    """Messages accepted."""
    processed: int
    """Messages that the carrier took, or that failed to be sent."""
    status: BatchStatus
    cost_micros: int
    """Of all messages so far; said to clients once the batch is completed."""
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, sent or received."""

    id: MessageId
    account_id: AccountId
    batch_id: BatchId | None
    """None: received, or an automatic reply."""
    sender: str
    recipient: str
    text: str | None
    """None where it was not asked for."""
    direction: MessageDirection
    status: MessageStatus
    segments: int | None
    """None: not sent yet, or never."""
    cost_micros: int | None
    """None: not sent yet, or never."""
    error_code: str | None
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Whether a recipient wants texts from one of the account's numbers. A pair that never said anything has none."""

    account_id: AccountId
    sender: str
    """The account's number, E.164."""
    recipient: str
    status: ConsentStatus
    source: ConsentSource
    coverage: ConsentCoverage
    campaign_type: str | None
    notes: str | None
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """One change of a consent, asked for or remembered."""

    account_id: AccountId
    sender: str
    recipient: str
    status: ConsentStatus
    source: ConsentSource
    actor: ExtensionId | None
    """The user whose token asked for it; None: the recipient or a carrier."""
    method: str
    """How, in a few words: `keyword STOP`, `opt-outs/bulk-assign`, `consents v2`."""
    created_at: datetime
