"""Opening the engine's SQLite files, and the few SQL shapes that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import apsw
import structlog

from bellwire.errors import Misconfigured, Problem

OLDEST_LIBRARY = (3, 51, 3)
"""Older ones can corrupt a file in WAL mode that two connections write or checkpoint (the WAL-reset bug)."""

PAGE_BYTES = 8192
"""One short run on a shared machine, 500-byte bodies, groups of 512: 230 k to 350 k rows a second (by rows in a
statement), with 4096 180 k to 210 k, with 16384 270 k to 340 k and the longest commits. Not repeated."""

BUSY_MILLISECONDS = 5_000
CACHED_STATEMENTS = 300
CACHE_KIB = 8 * 1024

log = structlog.get_logger(__name__)


def require_library(version: str | None = None) -> None:
    """Refuse to run on a SQLite that is too old.

    Args:
        version: as `apsw.sqlite_lib_version()` gives it, which is asked when it is None.
    """
    found = version if version is not None else apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < OLDEST_LIBRARY:
        needed = ".".join(str(part) for part in OLDEST_LIBRARY)
        raise Misconfigured((Problem("apsw", f"SQLite {found} is too old; install an apsw with {needed} or newer"),))


Upgrade = str | Callable[[apsw.Connection], None]
"""SQL, or what issues it where the tables to change have to be found first."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What tables a file has, by version: `schema` made those of version 1, and each upgrade makes the next version.

    A file's version is its `user_version`. A new file goes the same way as an old one, so that both end alike. What was
    once released is never edited: a change of a table is one more upgrade.
    """

    schema: str
    upgrades: tuple[Upgrade, ...] = ()

    @property
    def version(self) -> int:
        """The version that this Bellwire reads and writes."""
        return 1 + len(self.upgrades)

    def steps_after(self, version: int) -> tuple[Upgrade, ...]:
        """What brings a file of that version (0: a new one) to `version`."""
        return (self.schema, *self.upgrades)[version:]


def open_database(path: Path, form: FileFormat, *, cache_kib: int = CACHE_KIB) -> apsw.Connection:
    """Open for writing; make the tables if the file is new, bring them up to date if it is older, in one transaction.

    Raises:
        Misconfigured: the file is damaged, or was written by a later Bellwire, and is left as it is.
    """
    try:
        connection = apsw.Connection(str(path), statementcachesize=CACHED_STATEMENTS)
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        connection.execute(f"PRAGMA cache_size=-{cache_kib}; PRAGMA temp_store=MEMORY;")
        with transaction(connection):
            found = single(connection, "PRAGMA user_version")
            if not 0 <= found <= form.version:
                raise Misconfigured((Problem("data_dir", later_format(path, found, form)),))
            for step in form.steps_after(found):
                if isinstance(step, str):
                    connection.execute(step)
                else:
                    step(connection)
            if found != form.version:
                connection.execute(f"PRAGMA user_version={form.version}")
    except apsw.Error as problem:
        raise Misconfigured((Problem("data_dir", f"{path} can't be opened: {problem}"),)) from problem
    return connection


def later_format(path: Path, found: int, form: FileFormat) -> str:
    """What is said of a file that a later release wrote."""
    return (
        f"{path} has format {found}, and this Bellwire knows formats up to {form.version}: "
        "install the release that wrote it, or a later one, or restore a backup"
    )


def open_reader(path: Path) -> apsw.Connection:
    """Open an existing file for reading only; never checkpoints, so it never holds the writer up."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=CACHED_STATEMENTS)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    connection.wal_autocheckpoint(0)
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}; PRAGMA temp_store=MEMORY;")
    return connection


def checkpoint_and_close(connection: apsw.Connection) -> None:
    """Leave one plain file behind. Where the disk is too full for that, what was committed stays in the WAL beside it,
    and the next start finds it there."""
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.FullError:
        log.warning("storage.not_checkpointed", file=connection.filename, reason="the disk is full")
    connection.close()


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """All or nothing; durable when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Several reads of one state of the file."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def single(connection: apsw.Connection, sql: str, bindings: apsw.Bindings = ()) -> int:
    """The one integer that the query gives; 0 for NULL or no row."""
    found = rows(connection, sql, bindings)
    return int(found[0][0] or 0) if found else 0


def rows(connection: apsw.Connection, sql: str, bindings: apsw.Bindings = ()) -> list[tuple[Any, ...]]:
    """All rows that the query gives. Our own tables vouch for the types in them, so they are taken as they come."""
    return connection.execute(sql, bindings).fetchall()


@cache
def rows_of_parameters(columns: int, rows: int) -> str:
    """`(?,?),(?,?)…`: one statement for many rows, since each step of a statement costs a fight for the GIL."""
    return ",".join([f"({','.join('?' * columns)})"] * rows)
