"""`records.db`: one connection that writes, a few that read, each transaction a plain function on a thread.

A transaction is a synchronous function of a connection, so there is no `await` inside one, and a request that is
cancelled half-way can't keep the file locked: its caller stops waiting, the transaction runs to its end. What has to
follow a commit in memory is given as `then`, which runs on the event loop in the order of the commits, whether the
caller still waits or not.

SQLite's rules (engine.md, "Files"): the writer alone writes and checkpoints, readers have `wal_autocheckpoint=0`, and
the writer is closed last, since the last connection to close makes a checkpoint.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import NullPool, QueuePool

from bellwire.errors import Conflict, Misconfigured, Problem, Unavailable
from bellwire.storage.records.schema import bring_up_to_date

T = TypeVar("T")

FILE_NAME = "records.db"
BUSY_TIMEOUT_MS = 5_000
"""For other programs that look into the file; Bellwire itself has one writer."""
MAX_WAITING_WRITES = 10_000
READERS = 2
WRITER_CACHE_KIB = 32 << 10
"""SQLite's own 2 MiB are too few for an index that half a million recipients go into in any order."""


class Records:
    """The records database of one data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Connection | None = None
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="records-writer")
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="records-reader")
        self._read_engine = _engine(path, "reader")
        self._write_engine = _engine(path, "writer")
        self._waiting_writes = 0

    @property
    def waiting_writes(self) -> int:
        """Changes that are not done yet."""
        return self._waiting_writes

    async def open(self) -> None:
        """Open the file, made if it is missing, and bring its tables to this release's.

        Raises:
            Misconfigured: the file belongs to a newer release, or is not a records database.
        """
        try:
            await self._loop().run_in_executor(self._write_thread, self._open_writer)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let what was begun come to its end, then close; the instance is of no more use."""
        await self._loop().run_in_executor(None, self._close)

    async def read(self, transaction: Callable[[Connection], T]) -> T:
        """Run a function that only reads, on a snapshot of the last commit.

        Raises:
            Unavailable: the database can't be read now.
        """
        return await self._loop().run_in_executor(self._read_threads, self._run_read, transaction)

    async def write(self, transaction: Callable[[Connection], T], *, then: Callable[[T], None] | None = None) -> T:
        """Run a function as one transaction; durable when this returns. It is rolled back if the function raises.

        Args:
            transaction: reads and writes through the connection, on the writer's thread.
            then: what follows the commit in memory; called with the result, on the event loop, in the order of the
                commits, also when the caller was cancelled meanwhile.

        Raises:
            Conflict: a constraint of the tables forbids it; nothing was changed.
            Unavailable: the database can't be written now, or too many writes wait.
        """
        if self._waiting_writes >= MAX_WAITING_WRITES:
            raise Unavailable("too many changes wait for the records database")
        loop = self._loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._waiting_writes -= 1
            if error is None and then is not None:
                try:
                    then(result)  # type: ignore[arg-type]  # None only where T is None
                except BaseException as bug:  # noqa: BLE001 - handed to the caller below
                    error = bug
            if outcome.cancelled():
                return
            if error is None:
                outcome.set_result(result)  # type: ignore[arg-type]  # as above
            else:
                outcome.set_exception(error)

        def work() -> None:
            try:
                result = self._run_write(transaction)
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                loop.call_soon_threadsafe(settle, None, error)
            else:
                loop.call_soon_threadsafe(settle, result, None)

        self._write_thread.submit(work)
        self._waiting_writes += 1
        return await outcome

    @staticmethod
    def _loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _open_writer(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._writer = self._write_engine.connect()
            bring_up_to_date(self._writer)
        except DatabaseError as error:
            raise Misconfigured((Problem("data", f"{self._path} can't be opened: {error.orig}"),)) from error

    def _run_write(self, transaction: Callable[[Connection], T]) -> T:
        assert self._writer is not None, "the records database is not open"
        try:
            with self._writer.begin():
                return transaction(self._writer)
        except DatabaseError as error:
            raise _translated(error) from error

    def _run_read(self, transaction: Callable[[Connection], T]) -> T:
        try:
            with self._read_engine.connect() as connection:
                return transaction(connection)
        except DatabaseError as error:
            raise _translated(error) from error

    def _close(self) -> None:
        self._read_threads.shutdown()
        self._read_engine.dispose()
        self._write_thread.submit(self._close_writer).result()
        self._write_thread.shutdown()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._write_engine.dispose()


def _engine(path: Path, role: str) -> Engine:
    """An engine whose transactions are SQLite's own: the driver's habit of beginning them late is switched off."""
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool if role == "writer" else QueuePool,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,
        **({} if role == "writer" else {"pool_size": READERS, "max_overflow": 0}),
    )
    begin = "BEGIN IMMEDIATE" if role == "writer" else "BEGIN"

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        if role == "writer":
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
        else:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _translated(error: DatabaseError) -> Conflict | Unavailable:
    """What a driver's error means to our callers. The driver's own words name tables and are kept for the log."""
    if isinstance(error, IntegrityError):
        return Conflict("CMN-101", "The change conflicts with another record, or with one that was removed meanwhile")
    return Unavailable(f"the records database failed: {error.orig}")
