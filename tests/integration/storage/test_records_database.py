"""Transactions of `records.db`: whole or not at all, in order, and never left open by whoever asked for them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bellwire.errors import Conflict, Unavailable
from bellwire.storage.records import FILE_NAME, Records, database

PATIENCE_SECONDS = 10


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    records = Records(tmp_path / FILE_NAME)
    await records.open()
    yield records
    await records.close()


def add(name: str) -> Callable[[Connection], str]:
    def transaction(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO memo VALUES (?, ?)", (name, b""))
        return name

    return transaction


def names(connection: Connection) -> list[str]:
    return list(connection.exec_driver_sql("SELECT name FROM memo ORDER BY rowid").scalars())


async def test_a_write_is_seen_by_reads_after_it(records: Records) -> None:
    assert await records.write(add("a")) == "a"
    assert await records.read(names) == ["a"]


async def test_a_transaction_that_raises_leaves_nothing(records: Records) -> None:
    def half(connection: Connection) -> None:
        add("a")(connection)
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        await records.write(half)
    assert await records.read(names) == []
    await records.write(add("b"))
    assert await records.read(names) == ["b"]


async def test_a_broken_constraint_is_a_conflict(records: Records) -> None:
    await records.write(add("a"))
    with pytest.raises(Conflict) as refused:
        await records.write(add("a"))
    assert "memo" not in refused.value.message


async def test_readers_cannot_write(records: Records) -> None:
    with pytest.raises(Unavailable):
        await records.read(add("a"))
    assert await records.read(names) == []


async def test_a_read_sees_one_snapshot_while_a_write_commits(records: Records) -> None:
    first_look, committed = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = names(connection)
        first_look.set()
        assert committed.wait(PATIENCE_SECONDS)
        return before, names(connection)

    reading = asyncio.create_task(records.read(look_twice))
    assert await asyncio.to_thread(first_look.wait, PATIENCE_SECONDS)
    await records.write(add("a"))
    committed.set()
    assert await reading == ([], [])


async def test_a_cancelled_request_leaves_no_lock_and_its_transaction_is_whole(
    records: Records, tmp_path: Path
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    followed: list[str] = []

    def slow(connection: Connection) -> str:
        add("first half")(connection)
        inside.set()
        assert go_on.wait(PATIENCE_SECONDS)
        add("second half")(connection)
        return "done"

    request = asyncio.create_task(records.write(slow, then=followed.append))
    assert await asyncio.to_thread(inside.wait, PATIENCE_SECONDS)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    go_on.set()
    await records.write(add("next"))
    assert await records.read(names) == ["first half", "second half", "next"]
    assert followed == ["done"]
    with closing(sqlite3.connect(tmp_path / FILE_NAME, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


async def test_what_follows_a_commit_happens_in_the_order_of_commits(records: Records) -> None:
    followed: list[str] = []
    await asyncio.gather(*(records.write(add(str(number)), then=followed.append) for number in range(50)))
    assert followed == await records.read(names)


async def test_what_follows_does_not_happen_when_the_transaction_failed(records: Records) -> None:
    followed: list[str] = []
    await records.write(add("a"))
    with pytest.raises(Conflict):
        await records.write(add("a"), then=followed.append)
    assert followed == []


async def test_too_many_waiting_writes_are_refused(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_WAITING_WRITES", 2)
    go_on = threading.Event()
    waiting = [asyncio.create_task(records.write(lambda _: go_on.wait(PATIENCE_SECONDS))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="too many"):
        await records.write(add("a"))
    go_on.set()
    assert await asyncio.gather(*waiting) == [True, True]
    await records.write(add("b"))
    assert await records.read(names) == ["b"]


async def test_a_file_that_another_program_keeps_locked_is_unavailable(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await records.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=1"))
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await records.write(add("a"))
        other.execute("ROLLBACK")
    await records.write(add("b"))
    assert await records.read(names) == ["b"]


async def test_the_writer_commits_safely_and_only_the_writer_checkpoints(records: Records) -> None:
    def pragma(name: str) -> Callable[[Connection], object]:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert await records.write(pragma("journal_mode")) == "wal"
    assert await records.write(pragma("synchronous")) == 2
    assert await records.write(pragma("foreign_keys")) == 1
    assert await records.read(pragma("wal_autocheckpoint")) == 0
    assert await records.read(pragma("query_only")) == 1


async def test_closing_waits_for_what_was_begun(tmp_path: Path) -> None:
    records = Records(tmp_path / FILE_NAME)
    await records.open()
    writes = [asyncio.create_task(records.write(add(str(number)))) for number in range(20)]
    await asyncio.sleep(0)
    await records.close()
    assert len(await asyncio.gather(*writes)) == 20
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM memo").fetchone() == (20,)
    assert not (tmp_path / f"{FILE_NAME}-wal").exists()
