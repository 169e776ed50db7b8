"""The `EventLog` port on the embedded engine: the event loop's side. The disk's side is `log_writer`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bellwire.errors import Overloaded
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, Partition, Position
from bellwire.ports.event_log import Appended, Duplicate
from bellwire.storage.embedded.delivery_file import read_kept
from bellwire.storage.embedded.disk_space import DiskSpace
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.storage.embedded.log_file import LogFile, read_after, read_at
from bellwire.storage.embedded.log_writer import Answers, Append, Trim, Trimmed
from bellwire.storage.embedded.reader_thread import ReaderThread, ReadFiles
from bellwire.storage.embedded.tail import EVENT_OVERHEAD_BYTES, Tail
from bellwire.storage.embedded.writer_thread import WriterThread, disk_is_low, refuse, resolve, stopping

OVERLOAD_RETRY_SECONDS = 1


def require_embedded(partition: Partition) -> None:
    """The embedded engine has one partition; a caller with another is wired wrongly."""
    if partition != EMBEDDED_PARTITION:
        raise ValueError(f"the embedded engine has partition {EMBEDDED_PARTITION}, not {partition}")


class EmbeddedEventLog:
    """Appends wait for the group that they are committed in; fresh events are read from memory.

    Nothing is readable, and `head` does not move, before its group is durable.
    """

    def __init__(
        self,
        *,
        log: LogFile,
        reader: ReaderThread,
        space: DiskSpace,
        limits: EngineLimits,
        after_trim: Callable[[], Awaitable[None]],
    ) -> None:
        self._log = log
        self._reader = reader
        self._space = space
        self._limits = limits
        self._after_trim = after_trim
        self._head = Position(log.head)
        self._tail = Tail(self._head, limits.tail_events, limits.tail_bytes)
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._readers: list[asyncio.Future[None]] = []
        self._writer: WriterThread | None = None

    def attach(self, writer: WriterThread) -> None:
        """The thread that appends go to, which in turn calls `settle`: to be given before the first call."""
        self._writer = writer

    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        require_embedded(partition)
        writer = self._open_writer()
        if not events:
            return []
        if self._space.is_low:
            raise disk_is_low()
        size = sum([len(event.body) for event in events]) + EVENT_OVERHEAD_BYTES * len(events)
        if self._waiting_events and (
            self._waiting_events + len(events) > self._limits.waiting_events
            or self._waiting_bytes + size > self._limits.waiting_bytes
        ):
            raise Overloaded(
                f"{self._waiting_events} events wait for the disk already", retry_after_seconds=OVERLOAD_RETRY_SECONDS
            )
        self._waiting_events += len(events)
        self._waiting_bytes += size
        future: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        writer.append(Append(events, size, future))
        return await future

    @property
    def waiting_events(self) -> int:
        """Events whose commit is not done."""
        return self._waiting_events

    def settle(
        self, group: Sequence[Append], logged: Sequence[LoggedEvent], answers: Sequence[Answers] | Exception
    ) -> None:
        """Take a group back from the writer: its events are durable now, or it was refused."""
        for append in group:
            self._waiting_events -= len(append.events)
            self._waiting_bytes -= append.size_bytes
        if isinstance(answers, Exception):
            for append in group:
                refuse(append.future, answers)
            return
        if logged:
            self._tail.extend(logged)
            self._head = logged[-1].position
            self._wake_readers()
        for append, answer in zip(group, answers, strict=True):
            resolve(append.future, answer)

    async def read(self, partition: Partition, after: Position, max_bytes: int) -> list[LoggedEvent]:
        require_embedded(partition)
        while True:
            self._open_writer()
            head = self._head
            if after < head:
                found = await self._read_now(after, head, max_bytes)
                if found:
                    return found
                after = head  # all of it was trimmed, or never used
            if after >= self._head:
                await self._arrival()

    async def get(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, Event]:
        require_embedded(partition)
        found: dict[Position, Event] = {}
        missing: list[Position] = []
        for position in positions:
            event = self._tail.get(position) if position > self._tail.start else None
            if event is not None:
                found[position] = event
            elif position <= self._head:
                missing.append(position)
        if missing:
            found |= await self._reader.read(lambda files: _from_disk(files, missing))
        return found

    def head(self, partition: Partition) -> Position:
        require_embedded(partition)
        return self._head

    async def trim(self, partition: Partition, before: Position, max_events: int) -> int:
        require_embedded(partition)
        writer = self._open_writer()
        if max_events <= 0:
            return 0
        future: asyncio.Future[Trimmed] = asyncio.get_running_loop().create_future()
        writer.trim(Trim(before, max_events, future))
        trimmed = await future
        self._tail.forget_before(trimmed.first)
        await self._after_trim()
        return trimmed.events

    async def raise_head(self, position: Position) -> None:
        """Make sure that no later event gets this position or a lower one.

        For start-up: filters in force name positions (`from_position`), and a log that was lost or restored from an
        older copy must not give those positions again.
        """
        log = self._log
        await self._open_writer().submit(lambda: log.raise_head(position))
        self._head = max(self._head, position)

    def close(self) -> None:
        """Refuse all later calls, and readers that wait."""
        self._writer = None
        self._wake_readers()

    async def _read_now(self, after: Position, head: Position, max_bytes: int) -> list[LoggedEvent]:
        most = self._limits.read_events
        if after >= self._tail.start:
            return self._tail.after(after, max_bytes, most)
        return await self._reader.read(lambda files: read_after(files.log, after, head, max_bytes, most))

    async def _arrival(self) -> None:
        arrived = asyncio.get_running_loop().create_future()
        self._readers.append(arrived)
        try:
            await arrived
        finally:
            if arrived in self._readers:
                self._readers.remove(arrived)

    def _wake_readers(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            resolve(reader, None)

    def _open_writer(self) -> WriterThread:
        if self._writer is None:
            raise stopping()
        return self._writer


def _from_disk(files: ReadFiles, positions: Sequence[Position]) -> dict[Position, Event]:
    # The log first: an event is kept before it is trimmed, so it is in one of the two whenever it is looked for.
    found = read_at(files.log, positions)
    missing = [position for position in positions if position not in found]
    return found | read_kept(files.delivery, missing) if missing else found
