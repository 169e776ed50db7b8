"""Messages on their way: from the queue to a carrier, and what carriers say of them; and texts that come in.

Whatever changes a message, its batch or a consent puts the events that say so into the outbox in the same transaction.

    Queued ──record──▶ Sent ──receipts──▶ Delivered | DeliveryFailed
       └────record──▶ SendingFailed | DeliveryFailed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bellwire.model.ids import AccountId
from bellwire.model.sms import (
    BatchId,
    ConsentStatus,
    DeliveryReceipt,
    InboundText,
    MessageId,
    MessageStatus,
    OutgoingText,
)
from bellwire.ports.sms_store import BatchKey


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch with messages that are queued. Automatic replies of one number are one batch without a key."""

    key: BatchKey | None
    account_id: AccountId
    sender: str
    queued: int


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that is to be sent."""

    id: MessageId
    account_id: AccountId
    batch_key: BatchKey | None
    batch_id: BatchId | None
    sender: str
    recipient: str
    text: str
    segments: int
    created_at: datetime
    opted_out: bool
    """The recipient wants no texts from this sender, as of this reading."""
    announced: bool = field(default=False, compare=False)
    """It was handed over before, so its event that says that it is queued is there."""

    @property
    def outgoing(self) -> OutgoingText:
        return OutgoingText(self.id, self.sender, self.recipient, self.text)


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of one queued message."""

    message: QueuedMessage
    status: MessageStatus
    """Anything but `QUEUED`."""
    cost_micros: int | None = None
    """None where nothing was sent, so nothing is to be paid."""
    error_code: str | None = None
    carrier_ids: tuple[str, ...] = ()
    """What receipts will name it by; empty where none will come."""


@dataclass(frozen=True, slots=True)
class Received:
    """A text that came in, judged."""

    account_id: AccountId
    text: InboundText
    segments: int
    cost_micros: int
    consent: ConsentStatus | None
    """What its keyword makes of the sender's consent; None: it is no keyword."""
    keyword: str = ""
    reply: str | None = None
    """A text to answer with; None: none."""
    reply_segments: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of texts that came in."""

    messages: list[MessageId]
    replies: list[Waiting]
    """Automatic replies that wait to be sent now."""


class SmsProgress(Protocol):
    async def waiting(self) -> list[Waiting]:
        """Batches with queued messages, oldest first; for the start."""
        ...

    async def queued(self, waiting: Waiting, *, after: MessageId | None, limit: int) -> list[QueuedMessage]:
        """Queued messages of a batch in ascending order of their ids."""
        ...

    async def queued_again(self, messages: Sequence[MessageId]) -> list[QueuedMessage]:
        """Those of these that are queued still, as they now are; they were handed over before."""
        ...

    async def hand_over(self, messages: Sequence[QueuedMessage], *, in_doubt: bool) -> None:
        """Announce that these are queued, those that are not yet: they are about to be given to the carrier.

        Args:
            in_doubt: the carrier can't be asked again; note durably that from now on they may have been sent.
        """
        ...

    async def take_back(self, messages: Sequence[MessageId]) -> None:
        """They were surely not sent: forget what `hand_over` noted."""
        ...

    async def handed_over(self, *, limit: int) -> list[QueuedMessage]:
        """At the start: queued messages that a crash left between `hand_over` and `record`."""
        ...

    async def record(self, processed: Sequence[Processed], at: datetime, *, announce: frozenset[BatchKey]) -> None:
        """Note what became of queued messages, count it in their batches, complete those that have no more; a receipt
        that was there before is applied right after. A message that is not queued any more is left as it is.

        Args:
            announce: batches whose progress is due to be announced; their completion always is.
        """
        ...

    async def receipts(self, receipts: Sequence[DeliveryReceipt], at: datetime) -> None:
        """Apply carriers' reports in order; one that names no message is kept for `record`. The first final report
        of a message counts. A message of several parts is delivered when each part is, and failed with the first.
        """
        ...

    async def on_their_way(self, *, after: MessageId | None, limit: int) -> list[OutgoingText]:
        """Messages that a carrier has taken and not reported on finally, in ascending order of their ids."""
        ...

    async def receive(self, received: Sequence[Received], at: datetime) -> Stored:
        """Store texts that came in, with what they change; one whose `carrier_key` was seen before is left out."""
        ...

    async def expire(self, *, before: datetime, at: datetime, limit: int) -> int:
        """Messages that a carrier took before that time and never reported on have failed with SMS-CAR-104. Returns how
        many."""
        ...

    async def forget_reports(self, *, before: datetime, limit: int) -> int:
        """Forget receipts that found no message, and keys of inbound texts, of before that time: at most so many of
        each. Returns how many."""
        ...
