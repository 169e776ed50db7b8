"""A torn log keeps what was synced, by SQLite's own reading of it, and SQLite opens what is left."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from torture.torn_tail import committed_bytes, tear, torn


def a_killed_database(directory: Path, *, in_transaction: bool) -> Path:
    """A copy, log and all, of a database that was in use; perhaps in the middle of a transaction that had spilled."""
    used, left = directory / "used", directory / "left"
    used.mkdir()
    left.mkdir()
    with closing(sqlite3.connect(used / "log.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA cache_size = 5")
        db.execute("CREATE TABLE event (n, body)")
        for n in range(50):
            db.execute("INSERT INTO event VALUES (?, ?)", (n, "x" * 3000))
        if in_transaction:
            db.execute("BEGIN")
            db.executemany("INSERT INTO event VALUES (?, ?)", [(n, "y" * 3000) for n in range(50, 100)])
        for name in ("log.db", "log.db-wal"):
            shutil.copyfile(used / name, left / name)
    return left


def rows(directory: Path) -> list[int]:
    with closing(sqlite3.connect(directory / "log.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [n for (n,) in db.execute("SELECT n FROM event ORDER BY n")]


def test_what_was_not_committed_is_not_taken_for_synced(tmp_path: Path) -> None:
    log = (a_killed_database(tmp_path, in_transaction=True) / "log.db-wal").read_bytes()
    assert 0 < committed_bytes(log) < len(log)


def test_all_of_a_log_that_ends_with_a_commit_is_synced(tmp_path: Path) -> None:
    log = (a_killed_database(tmp_path, in_transaction=False) / "log.db-wal").read_bytes()
    assert committed_bytes(log) == len(log)
    assert committed_bytes(b"") == 0


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_end_looks_like_every_commit_is_there(tmp_path: Path, seed: int) -> None:
    left = a_killed_database(tmp_path, in_transaction=bool(seed % 2))
    assert tear(left, Random(seed)) == 1
    assert rows(left) == list(range(50))


def test_ends_differ_by_seed(tmp_path: Path) -> None:
    log = (a_killed_database(tmp_path, in_transaction=True) / "log.db-wal").read_bytes()
    ends = {torn(log, Random(seed)) for seed in range(20)}
    assert len(ends) > 10
    assert all(end.startswith(log[: committed_bytes(log)]) for end in ends)


def test_the_test_can_fail(tmp_path: Path) -> None:
    """A tear before the last commit loses what it held."""
    left = a_killed_database(tmp_path, in_transaction=False)
    log = (left / "log.db-wal").read_bytes()
    (left / "log.db-wal").write_bytes(log[:-100])
    assert rows(left) != list(range(50))
