"""The `Backlog` port on the embedded engine: commits go to the writer thread, reads to readers of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.ports.backlog import Lease, NotificationId, Recovery
from bellwire.ports.clock import Clock
from bellwire.ports.history import AttemptQuery
from bellwire.storage.embedded.attempt_history import read_attempts
from bellwire.storage.embedded.delivery_file import DeliveryFile, read_kept_window, read_pending, read_recovery
from bellwire.storage.embedded.event_log import require_embedded
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.storage.embedded.reader_thread import ReaderThread
from bellwire.storage.embedded.writer_thread import WriterThread, stopping

SWEEP_WINDOW = 16_384
"""Kept events that one sweep looks at."""


class EmbeddedBacklog:
    """History has a reader apart from the engine's, so that a long look back does not hold a drain up."""

    def __init__(
        self,
        *,
        delivery: DeliveryFile,
        writer: WriterThread,
        reader: ReaderThread,
        history: ReaderThread,
        clock: Clock,
        limits: EngineLimits,
    ) -> None:
        self._delivery = delivery
        self._writer: WriterThread | None = writer
        self._reader = reader
        self._history = history
        self._clock = clock
        self._limits = limits
        self._swept_at: float | None = None
        self._swept_until = LOG_START
        self._is_sweeping = False

    async def claim(self, partition: Partition) -> Lease:
        require_embedded(partition)
        return await self._open_writer().submit(lambda: self._delivery.claim(partition))

    async def load(self, lease: Lease) -> Recovery:
        return await self._reader.read(lambda files: read_recovery(files.delivery, lease))

    async def commit(
        self,
        lease: Lease,
        watermark: Position,
        attempts: Sequence[Attempt],
        puts: Sequence[BacklogRow],
        dones: Sequence[NotificationId],
    ) -> None:
        now_ms = self._clock.now_ms()
        await self._open_writer().submit(
            lambda: self._delivery.commit(lease, watermark, attempts, puts, dones, now_ms=now_ms)
        )

    async def pending(self, subscription: SubscriptionId, after: tuple[Position, str], limit: int) -> list[BacklogRow]:
        return await self._reader.read(lambda files: read_pending(files.delivery, subscription, after, limit))

    async def keep(self, partition: Partition, events: Sequence[LoggedEvent]) -> None:
        require_embedded(partition)
        if events:
            await self._open_writer().submit(lambda: self._delivery.keep(events))

    async def purge(self, subscription: SubscriptionId) -> int:
        purged = 0

        def step() -> bool:
            nonlocal purged
            rows = self._delivery.purge_step(subscription, self._limits.chunk_rows)
            purged += rows
            return rows == self._limits.chunk_rows

        await self._open_writer().chore(step)
        return purged

    async def attempts_of(self, subscription: SubscriptionId, limit: int) -> list[Attempt]:
        query = AttemptQuery(subscriptions=frozenset((subscription,)))
        most = self._limits.history_rows
        page = await self._history.read(lambda files: read_attempts(files.delivery, query, None, limit, most))
        return [recorded.attempt for recorded in page.records]

    async def drop_attempts_before(self, before_ms: int) -> int:
        """Delete the attempts of whole hours that ended by then, as far as recovery does not need them.

        Returns:
            how many hours go.
        """
        writer = self._open_writer()
        doomed = await writer.submit(lambda: self._delivery.doom_attempts_before(before_ms))
        await writer.chore(self._delivery.attempts.drop_step)
        return doomed

    async def release_kept(self) -> None:
        """Delete some kept events that the backlog no longer needs; does nothing if it did something lately."""
        now = self._clock.monotonic()
        lately = self._swept_at is not None and now - self._swept_at < self._limits.kept_sweep_seconds
        if lately or self._is_sweeping or not self._delivery.kept_until:
            return
        self._swept_at = now
        self._is_sweeping = True
        writer = self._open_writer()
        try:
            await writer.submit(self._delivery.begin_sweep)
            after = self._swept_until
            window, unneeded = await self._history.read(
                lambda files: read_kept_window(files.delivery, after, SWEEP_WINDOW)
            )
            for start in range(0, len(unneeded), self._limits.chunk_rows):
                await writer.submit(partial(self._delivery.release, unneeded[start : start + self._limits.chunk_rows]))
            await writer.submit(self._delivery.end_sweep)
            self._swept_until = Position(window[-1]) if window else LOG_START
        finally:
            self._is_sweeping = False

    def close(self) -> None:
        """Refuse all later calls that write."""
        self._writer = None

    def _open_writer(self) -> WriterThread:
        if self._writer is None:
            raise stopping()
        return self._writer
