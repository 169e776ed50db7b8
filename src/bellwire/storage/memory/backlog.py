"""The `Backlog` port in memory: a whole implementation, for tests and for simulated crashes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bellwire.errors import Fenced
from bellwire.model.attempt import Attempt, AttemptOutcome, BacklogRow
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.ports.backlog import BacklogTotals, Lease, NotificationId, Recovery
from bellwire.storage.memory.event_log import require_only
from bellwire.storage.memory.pending_writes import PendingWrites


class MemoryBacklog:
    """`kept` is shared with the event log, which looks there for events that it no longer has; `attempts` with the
    replays, which record theirs."""

    def __init__(self, writes: PendingWrites, kept: dict[Position, Event], attempts: list[Attempt]) -> None:
        self._writes = writes
        self._kept = kept
        self._epoch = 0
        self._watermark = LOG_START
        self.attempts = attempts
        self.rows: dict[NotificationId, BacklogRow] = {}

    async def claim(self, partition: Partition) -> Lease:
        require_only(partition)

        def write() -> Lease:
            self._epoch += 1
            return Lease(partition, self._epoch)

        return await self._writes.durable(write)

    async def load(self, lease: Lease) -> Recovery:
        self._check(lease)
        settled = {
            (attempt.subscription, attempt.position, attempt.topic)
            for attempt in self.attempts
            if attempt.position > self._watermark
            and attempt.outcome is not AttemptOutcome.FAILED
            and attempt.replay is None
        }
        settled.update(name for name in self.rows if name[1] > self._watermark)
        totals: dict[SubscriptionId, BacklogTotals] = {}
        for row in self.rows.values():
            before = totals.get(row.subscription, BacklogTotals(0, 0, row.position))
            totals[row.subscription] = BacklogTotals(
                before.rows + 1, before.size_bytes + row.size_bytes, min(before.oldest, row.position)
            )
        return Recovery(self._watermark, frozenset(settled), totals)

    async def commit(
        self,
        lease: Lease,
        watermark: Position,
        attempts: Sequence[Attempt],
        puts: Sequence[BacklogRow],
        dones: Sequence[NotificationId],
    ) -> None:
        def write() -> None:
            self._check(lease)
            self._watermark = max(self._watermark, watermark)
            self.attempts += attempts
            for row in puts:
                self.rows.setdefault((row.subscription, row.position, row.topic), row)
            for name in dones:
                self.rows.pop(name, None)

        await self._writes.durable(write)

    async def pending(self, subscription: SubscriptionId, after: tuple[Position, str], limit: int) -> list[BacklogRow]:
        names = sorted(name for name in self.rows if name[0] == subscription and name[1:] > after)
        return [self.rows[name] for name in names[:limit]]

    async def keep(self, partition: Partition, events: Sequence[LoggedEvent]) -> None:
        require_only(partition)

        def write() -> None:
            for logged in events:
                self._kept.setdefault(logged.position, msgspec.structs.replace(logged.event, facts=None))

        await self._writes.durable(write)

    async def purge(self, subscription: SubscriptionId) -> int:
        def write() -> int:
            names = [name for name in self.rows if name[0] == subscription]
            for name in names:
                del self.rows[name]
            return len(names)

        return await self._writes.durable(write)

    async def attempts_of(self, subscription: SubscriptionId, limit: int) -> list[Attempt]:
        found = [attempt for attempt in reversed(self.attempts) if attempt.subscription == subscription]
        return found[: max(limit, 0)]

    def _check(self, lease: Lease) -> None:
        if lease.epoch != self._epoch:
            raise Fenced(f"partition {lease.partition} was claimed by another: epoch {lease.epoch} is over")
