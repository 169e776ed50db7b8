"""Copies of a data directory that is being written: each is sound by itself, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import msgspec
import pytest
from msgspec.structs import replace

from bellwire.errors import Misconfigured
from bellwire.model.attempt import BacklogRow
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Position, SubscriptionId
from bellwire.storage.backup import _File, back_up
from bellwire.storage.verification import verify_directory
from tests.conformance.event_log import PARTITION, an_event, read_all
from tests.integration.storage.embedded_engine import EmbeddedEngine
from tests.upgrade.stored_data import StoredData, stored_data


@pytest.fixture
def stored(tmp_path: Path) -> StoredData:
    return stored_data("first", tmp_path / "data", port=1)


@contextlib.asynccontextmanager
async def busy(engine: EmbeddedEngine, subscription: SubscriptionId) -> AsyncIterator[list[str]]:
    """An engine that publishes, spills, settles and trims as quickly as it can; gives the uuids that are acknowledged.

    Every tenth event stays in the backlog, and is kept when the log is trimmed right behind the watermark.
    """
    acknowledged: list[str] = []
    lease = await engine.backlog.claim(PARTITION)
    await engine.backlog.keep(PARTITION, await read_all(engine.event_log))

    async def publish_and_settle() -> None:
        number = 0
        while True:
            events = [replace(an_event(f"busy-{number + n}", chosen=True), body=b'{"n":1}') for n in range(20)]
            number += 20
            answers = await engine.event_log.append(PARTITION, events)
            acknowledged.extend(event.uuid for event in events)
            waiting = [LoggedEvent(answer.position, event) for answer, event in zip(answers, events, strict=True)][::10]
            rows = [
                BacklogRow(
                    subscription=subscription,
                    position=logged.position,
                    topic="/t",
                    key="k",
                    filter_version=1,
                    filter_index=0,
                    size_bytes=1,
                )
                for logged in waiting
            ]
            head = engine.event_log.head(PARTITION)
            await engine.backlog.commit(lease, head, [], rows, [])
            await engine.backlog.keep(PARTITION, waiting)
            await engine.event_log.trim(PARTITION, Position(head - 10), 1000)

    task = asyncio.create_task(publish_and_settle())
    try:
        yield acknowledged
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_every_copy_of_a_busy_directory_is_sound(stored: StoredData, tmp_path: Path) -> None:
    engine = await EmbeddedEngine(stored.directory).open()
    copies = []
    async with busy(engine, SubscriptionId(stored.facts["failing"])) as acknowledged:
        for number in range(15):
            before = len(acknowledged)
            copy = tmp_path / f"copy-{number}"
            await asyncio.to_thread(back_up, stored.directory, copy)
            copies.append((before, copy))
            await asyncio.sleep(0.02)
    await engine.close()

    assert len(acknowledged) > 200
    for before, copy in copies:
        verification = verify_directory(copy)
        assert verification.is_sound, (copy.name, verification.problems)
        opened = await EmbeddedEngine(copy).open()
        assert opened.event_log.head(PARTITION) >= 6 + before
        await opened.close()


async def test_a_copy_has_all_that_was_acknowledged_before_and_goes_on_from_there(
    stored: StoredData, tmp_path: Path
) -> None:
    engine = await EmbeddedEngine(stored.directory).open()
    await engine.event_log.append(PARTITION, [an_event(f"kept-{n}", chosen=True) for n in range(100)])

    made = await asyncio.to_thread(back_up, stored.directory, tmp_path / "copy")
    await engine.event_log.append(PARTITION, [an_event("later")])
    await engine.close()

    assert (made.head, made.events) == (106, 106)
    copy = await EmbeddedEngine(tmp_path / "copy").open()
    found = await read_all(copy.event_log)
    [again, fresh] = await copy.event_log.append(PARTITION, [an_event("kept-7", chosen=True), an_event("new")])
    await copy.close()
    assert [logged.event.uuid for logged in found][6:] == [f"kept-{n}" for n in range(100)]
    assert (again.position, fresh.position) == (14, 107)


async def test_the_source_is_not_changed_and_the_copy_is_its_owners_alone(stored: StoredData, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in stored.directory.iterdir()}

    await asyncio.to_thread(back_up, stored.directory, tmp_path / "copy")

    after = {path.name: path.read_bytes() for path in stored.directory.iterdir() if path.name in before}
    assert after == before
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "copy").iterdir()} == dict.fromkeys(
        before, 0o600
    )


@pytest.mark.parametrize("missing", ["log.db", "delivery.db", "records.db", "installation.key"])
def test_what_is_no_data_directory_is_refused(stored: StoredData, tmp_path: Path, missing: str) -> None:
    (stored.directory / missing).unlink()

    with pytest.raises(Misconfigured, match=f"it has no {missing}"):
        back_up(stored.directory, tmp_path / "copy")

    assert not list(tmp_path.glob("copy*"))


def test_an_existing_target_and_one_that_is_being_made_are_refused(stored: StoredData, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(Misconfigured, match="exists; name a directory that does not"):
        back_up(stored.directory, tmp_path / "copy")

    (tmp_path / "other.unfinished").mkdir()
    with pytest.raises(Misconfigured, match="of a backup that broke off, or of one under way"):
        back_up(stored.directory, tmp_path / "other")


def test_a_copy_that_fails_leaves_nothing_behind(stored: StoredData, tmp_path: Path) -> None:
    (stored.directory / "delivery.db").write_bytes(b"no database at all, as it happens" * 300)

    with pytest.raises(Misconfigured, match="could not be copied"):
        back_up(stored.directory, tmp_path / "copy")

    assert not list(tmp_path.glob("copy*"))


def test_a_directory_that_was_lost_and_copied_back_is_opened_as_any(stored: StoredData, tmp_path: Path) -> None:
    back_up(stored.directory, tmp_path / "copy")
    shutil.rmtree(stored.directory)
    shutil.copytree(tmp_path / "copy", stored.directory)

    assert verify_directory(stored.directory).is_sound


def meanwhile(monkeypatch: pytest.MonkeyPatch, file: str, happens: Callable[[], None]) -> list[str]:
    """Have something happen right before a file is pinned for the first time: moments apart, which no test could
    meet by chance. Gives the files as they are pinned."""
    pinned: list[str] = []
    pin = _File.pin

    def pin_after(self: _File) -> None:
        if self.path.name == file and file not in pinned:
            happens()
        pinned.append(self.path.name)
        pin(self)

    monkeypatch.setattr(_File, "pin", pin_after)
    return pinned


def change(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def test_events_that_retention_takes_before_the_log_is_pinned_are_not_missing(
    stored: StoredData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, log = stored.directory / "delivery.db", stored.directory / "log.db"

    def trim() -> None:
        kept = msgspec.msgpack.encode(an_event("past-1")).hex()
        change(delivery, f"INSERT INTO kept SELECT DISTINCT seq, X'{kept}' FROM backlog")
        change(log, "UPDATE meta SET value = 6 WHERE name = 'head'; DELETE FROM event")

    pinned = meanwhile(monkeypatch, "log.db", trim)

    back_up(stored.directory, tmp_path / "copy")

    assert pinned.count("log.db") == 2
    assert verify_directory(tmp_path / "copy").is_sound


def test_deliveries_and_records_are_of_one_moment(
    stored: StoredData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle_the_backlog_and_forget_the_version_that_it_named() -> None:
        change(stored.directory / "delivery.db", "DELETE FROM backlog")
        change(stored.directory / "records.db", "UPDATE filter_version SET version = 2 WHERE until_position IS NULL")

    pinned = meanwhile(monkeypatch, "records.db", settle_the_backlog_and_forget_the_version_that_it_named)

    back_up(stored.directory, tmp_path / "copy")

    assert pinned.count("records.db") == 2
    assert verify_directory(tmp_path / "copy").is_sound


def test_a_directory_that_never_rests_is_given_up_with_a_reason(
    stored: StoredData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = _File.pin

    def pin_and_commit(self: _File) -> None:
        pin(self)
        change(stored.directory / "delivery.db", "UPDATE watermark SET floor = floor + 1")

    monkeypatch.setattr(_File, "pin", pin_and_commit)
    monkeypatch.setattr("bellwire.storage.backup.TRIES", 3)

    with pytest.raises(Misconfigured, match="changes too quickly to be copied"):
        back_up(stored.directory, tmp_path / "copy")

    assert not list(tmp_path.glob("copy*"))
