"""Watermark, backlog and attempts: what the delivery engine remembers across a crash, in one atomic commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Partition, Position, SubscriptionId

NotificationId = tuple[SubscriptionId, Position, str]
"""Subscription, position, topic."""


class Lease(msgspec.Struct, frozen=True):
    """The right to settle a partition. Each claim raises the epoch; commits with an older one are refused."""

    partition: Partition
    epoch: int


class BacklogTotals(msgspec.Struct, frozen=True):
    """How much waits for one subscription. `oldest` is its lowest position."""

    rows: int
    size_bytes: int
    oldest: Position


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a router finds when it starts. `settled` are the notifications above the watermark that need no routing:
    recorded as delivered or given up, or with a row in the backlog."""

    watermark: Position
    settled: frozenset[NotificationId]
    totals: Mapping[SubscriptionId, BacklogTotals]


class Backlog(Protocol):
    async def claim(self, partition: Partition) -> Lease:
        """Take the partition over from whoever had it."""
        ...

    async def load(self, lease: Lease) -> Recovery: ...

    async def commit(
        self,
        lease: Lease,
        watermark: Position,
        attempts: Sequence[Attempt],
        puts: Sequence[BacklogRow],
        dones: Sequence[NotificationId],
    ) -> None:
        """Record attempts, add rows, remove rows and move the watermark, all or nothing; durable on return.

        A put of a row that is there and a done of one that is not change nothing. A row both put and done in one
        commit ends up absent.

        Raises:
            Fenced: the partition was claimed by another.
        """
        ...

    async def pending(self, subscription: SubscriptionId, after: tuple[Position, str], limit: int) -> list[BacklogRow]:
        """The subscription's rows after (position, topic), in that order. `(LOG_START, "")` is before all."""
        ...

    async def keep(self, partition: Partition, events: Sequence[LoggedEvent]) -> None:
        """Copy events that the backlog still needs, before the log is trimmed."""
        ...

    async def purge(self, subscription: SubscriptionId) -> int:
        """Drop all rows of a subscription that is no more; returns how many."""
        ...

    async def attempts_of(self, subscription: SubscriptionId, limit: int) -> list[Attempt]:
        """The subscription's latest attempts, newest first."""
        ...
