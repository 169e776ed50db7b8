"""Opening SQLite files so that nothing of them changes, not even what SQLite lays beside them.

A file that was closed in order has no WAL beside it: it is opened as immutable. One that a crash left with a WAL has to
be read through it, without the shared memory that SQLite would make or rebuild, and without the checkpoint that it
would make when the last connection closes. Both need that nobody else has the directory: the caller holds its lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bellwire.storage.embedded.database import single
from bellwire.storage.verification.findings import Findings

MOST_ERRORS = 10


@contextmanager
def untouched(path: Path) -> Iterator[apsw.Connection]:
    """A connection that only reads.

    Raises:
        apsw.Error: the file is not there, or no database.
    """
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON").fetchall()
    else:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
    try:
        yield connection
    finally:
        connection.close()


def is_whole(connection: apsw.Connection, findings: Findings) -> bool:
    """SQLite's own check of the file's structure."""
    try:
        single(connection, "SELECT count(*) FROM sqlite_schema")
        found = [text for (text,) in connection.execute(f"PRAGMA integrity_check({MOST_ERRORS})")]
    except apsw.Error as problem:
        findings.problem(f"SQLite can't read it: {problem}")
        return False
    if found == ["ok"]:
        return True
    findings.problems("SQLite finds it damaged", found)
    return False
