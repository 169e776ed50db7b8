"""`bellwire check` on a data directory that is whole, and on copies of it that were damaged in one place each."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_fields

from bellwire.model.event import Event
from bellwire.storage.embedded.directory_lock import DirectoryLock
from bellwire.storage.verification import verify_directory
from tests.command_line import run
from tests.conformance.event_log import PARTITION, some_events
from tests.integration.storage.embedded_engine import SMALL, EmbeddedEngine
from tests.upgrade.stored_data import stored_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six events, all settled; six notifications wait for one of two subscriptions."""
    return stored_data("first", tmp_path / "data", port=1).directory


def damage(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(sql)


def state_of(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in directory.iterdir()
    }


def json_events(count: int) -> list[Event]:
    """With chosen uuids, and bodies as they are published."""
    return [replace_fields(event, body=b"{}") for event in some_events(count, chosen=True, prefix="mine")]


def problems_of(data: Path) -> list[str]:
    return [f"{finding.file}: {finding.text}" for finding in verify_directory(data).problems]


def test_a_sound_directory_is_said_to_be_so_in_plain_lines(data: Path) -> None:
    finished = run("check", "--data", str(data))

    assert (finished.exit_code, finished.err) == (0, "")
    assert "ok       log.db: 6 events at positions 1 to 6, head 6\n" in finished.out
    assert (
        "delivery.db: watermark 6, 0 events to be routed again; 6 notifications of 1 subscriptions wait" in finished.out
    )
    assert "1 accounts, 14 extensions, 2 subscriptions" in finished.out
    assert finished.out.endswith(f"{data} is sound\n")


def test_findings_as_json_say_grade_file_and_text(data: Path) -> None:
    damage(data / "delivery.db", "UPDATE watermark SET position = 9")

    finished = run("check", "--data", str(data), "--json")

    content = json.loads(finished.out)
    assert finished.exit_code == 1
    assert content["sound"] is False
    [problem] = [finding for finding in content["findings"] if finding["grade"] == "problem"]
    assert problem["file"] == "delivery.db"
    assert "the watermark 9 is past the log's head 6" in problem["text"]


def test_checking_changes_nothing(data: Path) -> None:
    before = state_of(data)

    run("check", "--data", str(data))

    assert state_of(data) == before


async def test_what_a_crash_left_is_read_through_its_wal_and_not_changed(data: Path, tmp_path: Path) -> None:
    engine = await EmbeddedEngine(data).open()
    await engine.event_log.append(PARTITION, json_events(10))
    shutil.copytree(data, tmp_path / "crashed", ignore=shutil.ignore_patterns("*-shm"))
    await engine.close()
    before = state_of(tmp_path / "crashed")

    finished = run("check", "--data", str(tmp_path / "crashed"))

    assert "log.db-wal" in before
    assert finished.exit_code == 0, finished.out
    assert "16 events at positions 1 to 16, head 16" in finished.out
    assert "10 events to be routed again" in finished.out
    assert state_of(tmp_path / "crashed") == before


def test_a_directory_in_use_is_refused_with_who_uses_it(data: Path) -> None:
    lock = DirectoryLock(data)

    finished = run("check", "--data", str(data))

    lock.release()
    assert finished.exit_code == 2
    assert "is in use by another Bellwire process (pid " in finished.err
    assert "stop it first, or check a backup of it" in finished.err


def test_another_directory_is_refused_and_a_missing_one_is_not_made(tmp_path: Path) -> None:
    empty, missing = run("check", "--data", str(tmp_path)), run("check", "--data", str(tmp_path / "none"))

    assert (empty.exit_code, missing.exit_code) == (2, 2)
    assert f"{tmp_path} is no data directory of Bellwire" in empty.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("file", "sql", "said"),
    [
        (
            "log.db",
            "DELETE FROM event WHERE seq = 3",
            "delivery.db: waiting notifications whose event is gone: position 3",
        ),
        (
            "log.db",
            "DELETE FROM event; UPDATE meta SET value = 4",
            "delivery.db: the watermark 6 is past the log's head 4",
        ),
        ("log.db", "UPDATE event SET body = X'7B' WHERE seq = 2", "log.db: events that can't be read: position 2"),
        (
            "log.db",
            "UPDATE event SET uuid = 'past-1' WHERE seq = 2",
            "log.db: a chosen uuid is logged more than once: past-1 of account 400100 at positions 1 and 2",
        ),
        ("log.db", "DELETE FROM meta", "log.db: it has lost its head"),
        ("log.db", "PRAGMA user_version=9", "has format 9, and this Bellwire knows formats up to"),
        ("log.db", "DROP TABLE event", "log.db: it is not as Bellwire writes it: no such table: event"),
        (
            "delivery.db",
            "INSERT INTO backlog SELECT subscription, 99, topic, key, filter_version, filter_index, bytes FROM backlog "
            "LIMIT 1",
            "delivery.db: the backlog names position 99, past the log's head 6",
        ),
        (
            "delivery.db",
            "UPDATE backlog SET filter_version = 7 WHERE seq = 1",
            "delivery.db: waiting notifications name filters that are not recorded: version 7 of subscription",
        ),
        (
            "delivery.db",
            "UPDATE backlog SET filter_index = 3 WHERE seq = 1",
            "delivery.db: waiting notifications name filters that are not recorded: filter 3 of version 1",
        ),
        (
            "delivery.db",
            "INSERT INTO kept VALUES (1, X'C1')",
            "delivery.db: kept events that can't be read: position 1",
        ),
        (
            "delivery.db",
            "INSERT INTO attempt_hour (hour, first_id, indexed_to, is_dropped) VALUES (7, 1, 1, 0)",
            "delivery.db: hours of attempts without their tables: 7",
        ),
        ("dedupe.db", "UPDATE meta SET value = 70", "dedupe.db: it knows positions up to 70, past the log's head 6"),
        ("dedupe.db", "INSERT INTO run VALUES (3, 0, 1, 6)", "dedupe.db: runs without their table: 3"),
        ("records.db", "UPDATE alembic_version SET version_num = '9999'", "records.db: a later release wrote it"),
        ("records.db", "DROP TABLE alembic_version", "records.db: it is no records database of Bellwire"),
        ("records.db", "DELETE FROM account", "records.db: rows that refer to others that are gone"),
        (
            "records.db",
            "DELETE FROM filter_version WHERE version = 2",
            "has no version in force: its last, 1, ended at",
        ),
        ("records.db", "UPDATE filter_version SET from_position = 70 WHERE version = 2", "and the next from 70"),
        (
            "records.db",
            "UPDATE filter_version SET from_position = 70 WHERE until_position IS NULL AND version = 1",
            "has version 1 from position 70, past the log's head 6",
        ),
        ("records.db", "DELETE FROM filter_version WHERE version > 0", "has none"),
        ("records.db", "UPDATE subscription SET address = NULL", "records.db: webhook subscriptions without address"),
        (
            "records.db",
            "UPDATE subscription SET signing_secret_sealed = X'01020304' WHERE signing_secret_sealed IS NOT NULL",
            "installation.key: sealed with another key: signing_secret_sealed of subscription",
        ),
    ],
)
def test_damage_is_found_and_named(data: Path, file: str, sql: str, said: str) -> None:
    damage(data / file, sql)

    found = problems_of(data)

    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("file", ["log.db", "delivery.db", "records.db"])
def test_a_missing_file_is_a_problem(data: Path, file: str) -> None:
    (data / file).unlink()

    assert f"{file}: it is missing" in problems_of(data)


def test_a_missing_key_is_a_problem_and_so_is_a_wrong_one(data: Path) -> None:
    key = data / "installation.key"
    key.write_text("ab" * 32 + "\n")
    wrong = problems_of(data)
    key.unlink()
    missing = problems_of(data)

    assert any("the key is not the one it was sealed with" in problem for problem in wrong)
    assert any("installation.key can't be read (No such file or directory)" in problem for problem in missing)


def test_a_dedupe_file_that_is_missing_is_made_anew_and_no_problem(data: Path) -> None:
    (data / "dedupe.db").unlink()

    verification = verify_directory(data)

    assert verification.is_sound
    assert any("makes it anew from the log" in finding.text for finding in verification.findings)


@pytest.mark.parametrize("file", ["log.db", "delivery.db", "dedupe.db", "records.db"])
def test_overwritten_pages_are_found_in_every_file(data: Path, file: str) -> None:
    path = data / file
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 512):
        content[start : start + 100] = b"\xff" * 100
    path.write_bytes(content)

    assert any(problem.startswith(f"{file}: ") for problem in problems_of(data))


def test_a_file_that_is_no_database_is_a_problem(data: Path) -> None:
    (data / "delivery.db").write_bytes(b"not a database, but long enough to be looked at" * 200)

    assert any(problem.startswith("delivery.db: SQLite can't") for problem in problems_of(data))


async def test_uuids_that_the_dedupe_file_has_forgotten_are_found(data: Path) -> None:
    engine = await EmbeddedEngine(data, limits=replace(SMALL, dedupe_memory_entries=50)).open()
    await engine.event_log.append(PARTITION, json_events(200))
    await engine.close()
    with closing(sqlite3.connect(data / "dedupe.db")) as connection:
        [(run_number, last)] = connection.execute("SELECT id, last_seq FROM run WHERE state = 1 LIMIT 1").fetchall()
    sound = problems_of(data)

    damage(data / "dedupe.db", f"DELETE FROM run_{run_number} WHERE seq = {last}")

    assert sound == []
    [problem] = problems_of(data)
    assert problem.startswith("dedupe.db: uuids that it has forgotten, and would take again: mine")
    assert f"(position {last})" in problem


def test_notifications_of_a_subscription_that_is_no_more_are_a_note(data: Path) -> None:
    damage(
        data / "records.db",
        "PRAGMA foreign_keys=ON; DELETE FROM subscription WHERE id IN "
        "(SELECT subscription_id FROM filter_version GROUP BY 1 HAVING count(*) = 1)",
    )

    verification = verify_directory(data)

    assert verification.is_sound, verification.problems
    assert any("6 notifications wait for subscriptions that have ended" in f.text for f in verification.findings)
