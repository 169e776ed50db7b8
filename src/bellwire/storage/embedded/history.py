"""The `History` and `ReplayStore` ports on the embedded engine. All reads have a thread of their own, so that a long
look back holds neither a commit nor a drain up."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.ids import AccountId, Partition, Position, ReplayId, SubscriptionId
from bellwire.model.replay import Replay
from bellwire.ports.clock import Clock
from bellwire.ports.history import (
    AttemptPage,
    AttemptQuery,
    BacklogSize,
    EventHead,
    EventOutcomes,
    EventPage,
    EventQuery,
    Stretch,
)
from bellwire.storage.embedded.attempt_history import read_attempts, read_outcomes
from bellwire.storage.embedded.database import rows
from bellwire.storage.embedded.delivery_file import DeliveryFile, read_pending, read_replays
from bellwire.storage.embedded.event_history import read_heads_at, read_heads_down, read_stretch
from bellwire.storage.embedded.event_log import require_embedded
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.storage.embedded.log_writer import LogWriter
from bellwire.storage.embedded.reader_thread import ReaderThread
from bellwire.storage.embedded.writer_thread import WriterThread


class EmbeddedHistory:
    def __init__(
        self, *, reader: ReaderThread, writer: WriterThread, log_writer: LogWriter, limits: EngineLimits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._log_writer = log_writer
        self._limits = limits

    async def events(self, partition: Partition, query: EventQuery, before: Position | None, limit: int) -> EventPage:
        require_embedded(partition)
        most = self._limits.history_rows
        return await self._reader.read(lambda files: read_heads_down(files.log, query, before, limit, most))

    async def stretch(
        self, partition: Partition, query: EventQuery, span: tuple[Position, Position], *, limit: int, max_bytes: int
    ) -> Stretch:
        require_embedded(partition)
        most = self._limits.history_rows
        return await self._reader.read(
            lambda files: read_stretch(files.log, query, span, limit=limit, max_bytes=max_bytes, most_rows=most)
        )

    async def heads(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, EventHead]:
        require_embedded(partition)
        return await self._reader.read(lambda files: read_heads_at(files.log, files.delivery, positions))

    async def find_chosen(
        self, partition: Partition, accounts: Sequence[AccountId], uuid: str
    ) -> dict[AccountId, Position]:
        """In the writer's thread, which alone knows the uuids that are not on disk yet: some 10 µs each."""
        require_embedded(partition)
        found = await self._writer.submit(lambda: self._log_writer.find([(account, uuid) for account in accounts]))
        return {AccountId(account): Position(position) for (account, _), position in found.items()}

    async def attempts(self, query: AttemptQuery, before: int | None, limit: int) -> AttemptPage:
        most = self._limits.history_rows
        return await self._reader.read(lambda files: read_attempts(files.delivery, query, before, limit, most))

    async def outcomes(self, position: Position) -> EventOutcomes:
        most = self._limits.outcome_rows
        return await self._reader.read(lambda files: read_outcomes(files.delivery, position, most))

    async def backlog_size(self, subscription: SubscriptionId) -> BacklogSize:
        most = self._limits.counted_rows
        return await self._reader.read(lambda files: _read_size(files.delivery, subscription, most))

    async def backlog_rows(
        self, subscription: SubscriptionId, after: tuple[Position, str], limit: int
    ) -> list[BacklogRow]:
        return await self._reader.read(lambda files: read_pending(files.delivery, subscription, after, limit))

    async def backlogged(
        self, position: Position, subscriptions: Sequence[SubscriptionId]
    ) -> set[tuple[SubscriptionId, str]]:
        return await self._reader.read(lambda files: _read_backlogged(files.delivery, position, subscriptions))


class EmbeddedReplayStore:
    def __init__(self, *, delivery: DeliveryFile, reader: ReaderThread, writer: WriterThread, clock: Clock) -> None:
        self._delivery = delivery
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def all(self) -> list[Replay]:
        return await self._reader.read(lambda files: read_replays(files.delivery))

    async def save(self, replay: Replay, attempts: Sequence[Attempt] = ()) -> None:
        now_ms = self._clock.now_ms()
        await self._writer.submit(lambda: self._delivery.save_replay(replay, attempts, now_ms=now_ms))

    async def forget(self, replays: Sequence[ReplayId]) -> None:
        if replays:
            await self._writer.submit(lambda: self._delivery.forget_replays(replays))


def _read_size(db: apsw.Connection, subscription: SubscriptionId, most: int) -> BacklogSize:
    [(count, size, oldest)] = rows(
        db,
        "SELECT count(*), sum(bytes), min(seq) FROM "
        "(SELECT bytes, seq FROM backlog WHERE subscription = ? ORDER BY seq, topic LIMIT ?)",
        (subscription, most + 1),
    )
    return BacklogSize(count, size or 0, None if oldest is None else Position(oldest), count <= most)


def _read_backlogged(
    db: apsw.Connection, position: Position, subscriptions: Sequence[SubscriptionId]
) -> set[tuple[SubscriptionId, str]]:
    found: set[tuple[SubscriptionId, str]] = set()
    for subscription in subscriptions:
        topics = rows(db, "SELECT topic FROM backlog WHERE subscription = ? AND seq = ?", (subscription, position))
        found.update((subscription, topic) for (topic,) in topics)
    return found
