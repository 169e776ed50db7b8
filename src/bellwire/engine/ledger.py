"""What the next commit of the delivery engine will record.

The one place where notifications become settled: an outcome or a backlog row enters the batch, and in the same step the
watermark may pass it. The batch and the watermark that belongs to it are taken together, so the watermark never
passes what is not in this commit or an earlier one (engine.md, Deliver and settle, 7 and 8).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bellwire.delivery.notification import Notification
from bellwire.delivery.settling import Settling
from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.ids import Position, SubscriptionId
from bellwire.ports.backlog import NotificationId


@dataclass(slots=True)
class Batch:
    """One commit's content."""

    watermark: Position
    attempts: list[Attempt] = field(default_factory=list)
    puts: list[BacklogRow] = field(default_factory=list)
    dones: list[NotificationId] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.attempts) + len(self.puts) + len(self.dones)


class CommitLedger:
    """Implements `delivery.lane.Ledger`; the engine's shell takes its batches and commits them."""

    def __init__(self, settling: Settling) -> None:
        self.settling = settling
        self._attempts: list[Attempt] = []
        self._puts: list[BacklogRow] = []
        self._dones: list[NotificationId] = []

    def __len__(self) -> int:
        return len(self._attempts) + len(self._puts) + len(self._dones)

    def put(self, subscription: SubscriptionId, notification: Notification) -> None:
        self._puts.append(notification.row(subscription))
        self.settling.settle(notification.position)

    def finish(self, subscription: SubscriptionId, notification: Notification) -> None:
        if notification.has_row:
            self._dones.append((subscription, notification.position, notification.topic))
        else:
            self.settling.settle(notification.position)

    def record(self, attempt: Attempt) -> None:
        """An attempt's record goes into the same commit as what it means for its notification."""
        self._attempts.append(attempt)

    def take(self) -> Batch:
        """All that gathered, with the watermark that holds once it is committed."""
        # Invariant: no loss. Both in one step: nothing below the watermark is without its outcome or its row.
        batch = Batch(self.settling.watermark(), self._attempts, self._puts, self._dones)
        self._attempts, self._puts, self._dones = [], [], []
        return batch

    def give_back(self, batch: Batch) -> None:
        """The batch could not be committed: it is part of the next one."""
        self._attempts[:0] = batch.attempts
        self._puts[:0] = batch.puts
        self._dones[:0] = batch.dones
