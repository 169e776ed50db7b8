"""Opens the embedded engine on a data directory, and closes it.

lock         one process for one directory
log.db       events                               ┐
dedupe.db    hashes of chosen uuids               ├ written by one thread
delivery.db  watermark, backlog, attempts, kept   ┘
ballast      room for when there is none
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from bellwire.errors import Misconfigured, Problem
from bellwire.ports.clock import Clock
from bellwire.storage.embedded.backlog import EmbeddedBacklog
from bellwire.storage.embedded.database import require_library
from bellwire.storage.embedded.dedupe_file import DedupeFile
from bellwire.storage.embedded.delivery_file import DeliveryFile
from bellwire.storage.embedded.directory_lock import DirectoryLock
from bellwire.storage.embedded.disk_space import DiskSpace, FreeBytes, free_bytes_of
from bellwire.storage.embedded.event_log import EmbeddedEventLog
from bellwire.storage.embedded.group_sizes import GroupSizes
from bellwire.storage.embedded.history import EmbeddedHistory, EmbeddedReplayStore
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.storage.embedded.log_file import LogFile
from bellwire.storage.embedded.log_writer import LogWriter
from bellwire.storage.embedded.reader_thread import ReaderThread
from bellwire.storage.embedded.retention import EmbeddedRetention
from bellwire.storage.embedded.writer_thread import WriterThread


@dataclass(slots=True)
class _Files:
    log: LogFile
    dedupe: DedupeFile
    delivery: DeliveryFile

    def close(self) -> None:
        """Checkpoint, so that what is left are three plain files."""
        self.log.close()
        self.dedupe.close()
        self.delivery.close()

    def abandon(self) -> None:
        self.log.abandon()
        self.dedupe.abandon()
        self.delivery.abandon()


class EngineFiles:
    """The embedded engine: its ports over one data directory. Made by `open_engine_files`."""

    def __init__(
        self,
        *,
        lock: DirectoryLock,
        files: _Files,
        writer: WriterThread,
        readers: tuple[ReaderThread, ReaderThread],
        event_log: EmbeddedEventLog,
        backlog: EmbeddedBacklog,
        history: EmbeddedHistory,
        replays: EmbeddedReplayStore,
        retention: EmbeddedRetention,
    ) -> None:
        self._lock = lock
        self._files = files
        self._writer = writer
        self._readers = readers
        self.event_log = event_log
        self.backlog = backlog
        self.history = history
        self.replays = replays
        self.retention = retention
        self._is_closed = False

    @property
    def group_sizes(self) -> GroupSizes:
        """How many events the commits of the log had."""
        return self._writer.group_sizes

    @property
    def waiting_calls(self) -> int:
        return self._writer.waiting

    async def close(self) -> None:
        """Refuse new work, finish what is queued, checkpoint, release the directory. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self.event_log.close()
        self.backlog.close()
        is_sound = await self._writer.stop()
        for reader in self._readers:
            await asyncio.to_thread(reader.close)
        try:
            await asyncio.to_thread(self._files.close if is_sound else self._files.abandon)
        finally:
            self._lock.release()


async def open_engine_files(
    data_dir: Path,
    *,
    clock: Clock,
    on_fatal: Callable[[BaseException], None],
    limits: EngineLimits | None = None,
    free_bytes: FreeBytes = free_bytes_of,
) -> EngineFiles:
    """Lock the directory, open or make the files, bring the dedupe file up to the log, start the threads.

    Args:
        on_fatal: called on the event loop when the disk failed; nothing is written after that, and every call is
            answered `Unavailable`. The process should end.
        free_bytes: how much can still be written to a directory's file system.

    Raises:
        Misconfigured: another process has the directory, its disk is full, a file is damaged or of another format, or
            SQLite is too old.
    """
    limits = limits or EngineLimits()
    require_library()
    lock = await asyncio.to_thread(DirectoryLock, data_dir)
    space = DiskSpace(data_dir, clock, limits, free_bytes)
    try:
        await asyncio.to_thread(space.require_room)  # first: opening files may need the ballast's
        files = await asyncio.to_thread(_open_files, data_dir, limits)
        reader = ReaderThread(files.log.path, files.delivery.path, "bellwire-reader")
        history = ReaderThread(files.log.path, files.delivery.path, "bellwire-history")
    except BaseException:
        lock.release()
        raise

    async def after_trim() -> None:
        await backlog.release_kept()

    event_log = EmbeddedEventLog(log=files.log, reader=reader, space=space, limits=limits, after_trim=after_trim)
    log_writer = LogWriter(files.log, files.dedupe, limits.chunk_rows)
    writer = WriterThread(
        loop=asyncio.get_running_loop(),
        log_writer=log_writer,
        upkeep=(files.dedupe.step, files.delivery.attempts.index_step, files.delivery.attempts.drop_step),
        space=space,
        limits=limits,
        settled=event_log.settle,
        on_fatal=on_fatal,
    )
    backlog = EmbeddedBacklog(
        delivery=files.delivery, writer=writer, reader=reader, history=history, clock=clock, limits=limits
    )
    event_log.attach(writer)
    writer.start()
    retention = EmbeddedRetention(log=files.log, event_log=event_log, backlog=backlog, writer=writer, history=history)
    return EngineFiles(
        lock=lock,
        files=files,
        writer=writer,
        readers=(reader, history),
        event_log=event_log,
        backlog=backlog,
        retention=retention,
        history=EmbeddedHistory(reader=history, writer=writer, log_writer=log_writer, limits=limits),
        replays=EmbeddedReplayStore(delivery=files.delivery, reader=history, writer=writer, clock=clock),
    )


def _open_files(data_dir: Path, limits: EngineLimits) -> _Files:
    """Positions go on above the head, and above the watermark, should the log be older than the deliveries."""
    try:
        log = LogFile(data_dir)
        dedupe = DedupeFile(data_dir, limits.dedupe_memory_entries)
        delivery = DeliveryFile(data_dir)
        log.raise_head(delivery.watermark())
        dedupe.catch_up(log)
    except apsw.Error as problem:
        raise Misconfigured((Problem("data_dir", f"{data_dir} can't be opened: {problem}"),)) from problem
    return _Files(log, dedupe, delivery)
