"""What survives a crash, and the ports through which a simulated process sees it: slow, now and then failing, and dead
when the process is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from bellwire.errors import Unavailable
from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, Partition, Position, SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi
from bellwire.ports.backlog import BacklogTotals, Lease, NotificationId, Recovery
from bellwire.ports.event_log import Appended, Duplicate
from bellwire.ports.retention import AttemptHour, LogExtent
from bellwire.storage.memory import MemoryEngine
from tests.simulation.audit import Audit

T = TypeVar("T")


class Disk:
    """One for all lives of a story. `failing`: the part of the calls that fail."""

    def __init__(self, audit: Audit, random: Random) -> None:
        self.engine = MemoryEngine(is_automatic=False)
        self.records: dict[SubscriptionId, Subscription] = {}
        self.audit = audit
        self.random = random
        self.failing = 0.0
        self.notes: list[tuple[int, Position]] = []
        """When which position was the log's last."""
        self.passed: Counter[str] = Counter()
        """How often each point was passed, over all lives."""
        self.kill_at: str | None = None
        self.on_kill: Callable[[], None] | None = None
        self._alive = 0
        self._flushing: set[str] = set()
        self._saving: dict[SubscriptionId, Subscription] = {}

    def begin(self) -> int:
        """Another process opens the disk; only its own calls are served from now on."""
        self._alive += 1
        self.failing = 0.0
        self._flushing.clear()
        return self._alive

    def crash(self) -> None:
        self._alive += 1
        self.kill_at = None
        self.engine.crash()
        head = self.engine.event_log.head(EMBEDDED_PARTITION)
        for record in self._saving.values():
            self.audit.expected.took_over(record, head)
        self._saving.clear()
        self._look()

    async def point(self, process: int, name: str) -> None:
        """A place where a process may wait, fail or be killed."""
        self.check(process)
        self.passed[name] += 1
        if name == self.kill_at:
            self.kill_at = None
            assert self.on_kill is not None
            self.on_kill()
            await asyncio.get_running_loop().create_future()
        if self.random.random() < 0.3:
            await asyncio.sleep(0.03 * self.random.random() ** 3)
            self.check(process)

    def check(self, process: int) -> None:
        if process != self._alive:
            raise asyncio.CancelledError

    def may_fail(self) -> None:
        if self.failing and self.random.random() < self.failing:
            raise Unavailable("the disk is full")

    async def write(self, process: int, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """`name`: log or backlog. A write becomes durable after a while, with all that waits then."""
        await self.point(process, f"{name}.before")
        self.may_fail()
        if name not in self._flushing:
            self._flushing.add(name)
            seconds = 0.001 + 0.02 * self.random.random() ** 3
            asyncio.get_running_loop().call_later(seconds, self._flush, process, name)
        result = await work()
        await self.point(process, f"{name}.after")
        return result

    def _flush(self, process: int, name: str) -> None:
        if process == self._alive:
            self._flushing.discard(name)
            self.engine.flush(log=name == "log", backlog=name == "backlog")
            self._look()

    def _look(self) -> None:
        self.audit.logged(self.engine.event_log.events)
        self.audit.recorded(self.engine.backlog.attempts)

    # Records

    async def save(self, process: int, record: Subscription) -> None:
        await self.point(process, "records.before")
        self.may_fail()
        self.records[record.id] = record
        self.audit.expected.stored(record)
        self._saving[record.id] = record
        await self.point(process, "records.after")
        del self._saving[record.id]
        self.audit.expected.took_over(record, self.engine.event_log.head(EMBEDDED_PARTITION))

    async def remove(self, process: int, subscription: SubscriptionId) -> None:
        await self.point(process, "removal.before")
        self.may_fail()
        self.records.pop(subscription, None)
        await self.point(process, "removal.after")


class SimulatedLog:
    """`EventLog` of one process."""

    def __init__(self, disk: Disk, process: int) -> None:
        self._disk = disk
        self._process = process
        self._log = disk.engine.event_log

    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        return await self._disk.write(self._process, "log", lambda: self._log.append(partition, events))

    async def read(self, partition: Partition, after: Position, max_bytes: int) -> list[LoggedEvent]:
        await self._disk.point(self._process, "route.before")
        found = await self._log.read(partition, after, self._disk.random.choice((1, 300, 3000, max_bytes)))
        await self._disk.point(self._process, "route.after")
        return found

    async def get(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, Event]:
        await self._disk.point(self._process, "events.before")
        self._disk.may_fail()
        found = await self._log.get(partition, positions)
        await self._disk.point(self._process, "events.after")
        return found

    def head(self, partition: Partition) -> Position:
        return self._log.head(partition)

    async def trim(self, partition: Partition, before: Position, max_events: int) -> int:
        return await self._disk.write(self._process, "log", lambda: self._log.trim(partition, before, max_events))

    async def raise_head(self, position: Position) -> None:
        await self._log.raise_head(position)


class SimulatedBacklog:
    """`Backlog` of one process."""

    def __init__(self, disk: Disk, process: int) -> None:
        self._disk = disk
        self._process = process
        self._backlog = disk.engine.backlog

    async def claim(self, partition: Partition) -> Lease:
        return await self._write(lambda: self._backlog.claim(partition))

    async def load(self, lease: Lease) -> Recovery:
        return await self._backlog.load(lease)

    async def commit(
        self,
        lease: Lease,
        watermark: Position,
        attempts: Sequence[Attempt],
        puts: Sequence[BacklogRow],
        dones: Sequence[NotificationId],
    ) -> None:
        await self._write(lambda: self._backlog.commit(lease, watermark, attempts, puts, dones))

    async def pending(self, subscription: SubscriptionId, after: tuple[Position, str], limit: int) -> list[BacklogRow]:
        await self._disk.point(self._process, "page.before")
        self._disk.may_fail()
        found = await self._backlog.pending(subscription, after, limit)
        await self._disk.point(self._process, "page.after")
        return found

    async def keep(self, partition: Partition, events: Sequence[LoggedEvent]) -> None:
        await self._write(lambda: self._backlog.keep(partition, events))

    async def purge(self, subscription: SubscriptionId) -> int:
        await self._disk.point(self._process, "purge")
        return await self._write(lambda: self._backlog.purge(subscription))

    async def attempts_of(self, subscription: SubscriptionId, limit: int) -> list[Attempt]:
        return await self._backlog.attempts_of(subscription, limit)

    async def _write(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self._disk.write(self._process, "backlog", work)


class SimulatedStore:
    """`SubscriptionStore` of one process."""

    def __init__(self, disk: Disk, process: int) -> None:
        self._disk = disk
        self._process = process

    async def pages(self) -> AsyncIterator[list[Subscription]]:
        yield [replace(record) for record in self._disk.records.values()]

    async def save(self, subscription: Subscription) -> None:
        await self._disk.save(self._process, subscription)

    async def remove(self, subscription: SubscriptionId, *, expired_at: datetime | None = None) -> None:
        await self._disk.remove(self._process, subscription)

    async def expired_at(self, subscription: SubscriptionId, api: SubscriptionApi) -> datetime | None:
        return None

    async def forget_tombstones(self, before: datetime) -> int:
        return 0


class SimulatedRetention:
    """`RetentionStore` of one process."""

    def __init__(self, disk: Disk, process: int) -> None:
        self._disk = disk
        self._process = process
        self._log = disk.engine.event_log
        self._backlog = disk.engine.backlog

    async def note_time(self, now_ms: int) -> int | None:
        await self._disk.point(self._process, "retention")
        before = self._disk.notes[-1][0] if self._disk.notes else None
        self._disk.notes.append((now_ms, self._log.head(EMBEDDED_PARTITION)))
        return before

    async def logged_before(self, moment_ms: int) -> Position:
        return max((head for at, head in self._disk.notes if at <= moment_ms), default=LOG_START)

    async def log_extent(self) -> LogExtent:
        events = self._log.events
        first = events[0].position if events else Position(self._log.head(EMBEDDED_PARTITION) + 1)
        return LogExtent(first, sum(len(logged.event.body) for logged in events))

    async def backlog_totals(self) -> dict[SubscriptionId, BacklogTotals]:
        totals: dict[SubscriptionId, BacklogTotals] = {}
        for subscription, position, topic in sorted(self._backlog.rows):
            before = totals.get(subscription, BacklogTotals(0, 0, position))
            size = self._backlog.rows[subscription, position, topic].size_bytes
            totals[subscription] = BacklogTotals(before.rows + 1, before.size_bytes + size, before.oldest)
        await self._disk.point(self._process, "totals.after")
        return totals

    async def needed(self, first: Position, last: Position) -> Sequence[int]:
        found = sorted({position for _, position, _ in self._backlog.rows if first <= position <= last})
        await self._disk.point(self._process, "needed.after")
        return found

    async def attempt_hours(self) -> list[AttemptHour]:
        return []

    async def drop_attempts_before(self, before_ms: int) -> int:
        return 0
