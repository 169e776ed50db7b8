"""Throwing away what a data directory holds, but for what makes it itself: its key, its id and its notes.

For `bellwire dev` alone, while nothing has the directory open. The demo credentials are one of the notes, so they stay
good: the next start makes their records again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bellwire.storage.embedded.dedupe_file import DEDUPE_FILE
from bellwire.storage.embedded.delivery_file import DELIVERY_FILE
from bellwire.storage.embedded.log_file import LOG_FILE
from bellwire.storage.embedded.parts_file import PARTS_FILE
from bellwire.storage.records import tables
from bellwire.storage.records.database import FILE_NAME as RECORDS_FILE

KEPT_TABLES = frozenset({tables.installation.name, tables.memo.name})


def empty_directory(data_dir: Path) -> None:
    """The records first, in one transaction: a crash in between leaves a directory that can be opened."""
    with closing(sqlite3.connect(data_dir / RECORDS_FILE, isolation_level=None)) as records:
        records.execute("BEGIN IMMEDIATE")
        for table in reversed(tables.METADATA.sorted_tables):
            if table.name not in KEPT_TABLES:
                records.execute(f"DELETE FROM {table.name}")  # noqa: S608 - our name
        records.execute("COMMIT")
    for name in (LOG_FILE, DEDUPE_FILE, DELIVERY_FILE, PARTS_FILE):
        for path in (data_dir / name, data_dir / f"{name}-wal", data_dir / f"{name}-shm"):
            path.unlink(missing_ok=True)
