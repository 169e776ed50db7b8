"""Chosen uuids stay known through runs, merges, crashes in between and retention."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import apsw
import pytest

from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Position
from bellwire.storage.embedded.dedupe_file import DEDUPE_FILE, RUNS_PER_MERGE, DedupeFile, State, hash_of
from bellwire.storage.embedded.log_file import LogFile
from bellwire.storage.embedded.log_writer import Append, LogWriter
from tests.conformance.event_log import ACME, an_event


class Pair:
    """A log and its dedupe file, written as the writer does."""

    def __init__(self, directory: Path, memory_entries: int = 50) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.memory_entries = memory_entries
        self.open()

    def open(self) -> None:
        self.log = LogFile(self.directory)
        self.dedupe = DedupeFile(self.directory, self.memory_entries)
        self.dedupe.catch_up(self.log)

    def append(self, *uuids: str, chosen: bool = True) -> None:
        head = self.log.head
        events = [
            LoggedEvent(Position(head + place), an_event(uuid, chosen=chosen))
            for place, uuid in enumerate(uuids, start=1)
        ]
        self.log.write(events, 0, 0)
        if chosen:
            self.dedupe.remember([(hash_of(ACME, event.event.uuid), event.position) for event in events], self.log.head)
        else:
            self.dedupe.remember([], self.log.head)

    def positions(self, uuid: str) -> list[int]:
        number = hash_of(ACME, uuid)
        return self.dedupe.lookup([number]).get(number, [])

    def settle(self) -> int:
        """Run steps until none is due; returns how many it took."""
        steps = 0
        while self.dedupe.step():
            steps += 1
        return steps

    def crash(self) -> None:
        """Lose what only memory had."""
        self.log.abandon()
        self.dedupe.abandon()
        self.open()

    def states(self) -> list[tuple[int, int]]:
        connection = apsw.Connection(str(self.directory / DEDUPE_FILE), flags=apsw.SQLITE_OPEN_READONLY)
        found = [
            (int(str(level)), int(str(state))) for level, state in connection.execute("SELECT level, state FROM run")
        ]
        connection.close()
        return found


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path / "data")


def test_memory_alone_answers_before_anything_is_written(pair: Pair) -> None:
    pair.append("a", "b")
    assert pair.positions("b") == [2]
    assert pair.positions("c") == []
    assert pair.states() == []


def test_runs_are_merged_and_their_sources_deleted(pair: Pair) -> None:
    count = 50 * RUNS_PER_MERGE * RUNS_PER_MERGE
    for start in range(0, count, 50):
        pair.append(*(f"u{n}" for n in range(start, start + 50)))
        pair.settle()
    assert pair.states() == [(2, State.LIVE)]
    assert all(pair.positions(f"u{n}") == [n + 1] for n in range(count))
    assert pair.positions("other") == []


def test_everything_is_known_at_every_step_and_after_a_crash_there(tmp_path: Path) -> None:
    chance = random.Random(7)
    pair = Pair(tmp_path / "data", memory_entries=20)
    known: list[str] = []
    for _ in range(100):
        fresh = [f"{len(known) + n}" for n in range(chance.randrange(1, 15))]
        pair.append(*fresh)
        known += fresh
        for _ in range(chance.randrange(4)):
            pair.dedupe.step()
        if chance.random() < 0.1:
            pair.crash()
        sample = [*chance.sample(range(len(known)), min(10, len(known))), len(known) - 1]
        for n in sample:
            assert n + 1 in pair.positions(known[n])
    assert all(place + 1 in pair.positions(uuid) for place, uuid in enumerate(known))


def test_memory_is_bounded_even_when_no_step_is_ever_granted(pair: Pair) -> None:
    for start in range(0, 2000, 10):
        pair.append(*(f"u{n}" for n in range(start, start + 10)))
        pair.dedupe.make_room()
        assert len(pair.dedupe._active) < 2 * 50
    assert all(pair.positions(f"u{n}") == [n + 1] for n in range(2000))


def test_a_log_without_chosen_uuids_is_written_down_as_known(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.storage.embedded.dedupe_file.QUIET_POSITIONS", 100)
    pair.append(*(f"u{n}" for n in range(150)), chosen=False)
    assert pair.settle() > 0
    assert pair.dedupe._indexed_to == 150
    assert pair.states() == []


def test_runs_older_than_the_log_are_forgotten(pair: Pair) -> None:
    for start in (0, 50):
        pair.append(*(f"u{n}" for n in range(start, start + 50)))
        pair.settle()
    pair.dedupe.forget_before(51)
    pair.settle()
    assert pair.positions("u3") == []
    assert pair.positions("u70") == [71]
    assert pair.states() == [(0, State.LIVE)]


def test_a_file_that_knows_more_than_the_log_is_made_again(pair: Pair) -> None:
    pair.append(*(f"old{n}" for n in range(60)))
    pair.settle()
    pair.log.close()
    pair.dedupe.close()
    (pair.directory / "log.db").unlink()
    pair.open()
    pair.append("new0", "new1")
    assert pair.positions("old5") == []
    assert pair.positions("new1") == [2]
    pair.crash()
    assert pair.positions("new1") == [2]


def test_a_step_that_fails_for_space_loses_nothing(pair: Pair) -> None:
    pair.append(*(f"u{n}" for n in range(3000)))
    db = pair.dedupe._db
    pages = db.execute("PRAGMA page_count").fetchone()
    assert pages is not None
    db.execute(f"PRAGMA max_page_count={pages[0]}")
    with pytest.raises(apsw.FullError):
        pair.settle()
    assert pair.positions("u2999") == [3000]

    db.execute("PRAGMA max_page_count=1000000")
    pair.settle()

    assert all(pair.positions(f"u{n}") == [n + 1] for n in range(3000))
    assert pair.states() == [(0, State.LIVE)]


def test_two_uuids_of_equal_hash_are_told_apart_by_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 64-bit collisions can't be had, so every uuid hashes alike here.
    monkeypatch.setattr("bellwire.storage.embedded.log_writer.hash_of", lambda account, uuid: 42)
    pair = Pair(tmp_path / "data")
    writer = LogWriter(pair.log, pair.dedupe, 256)
    loop = asyncio.new_event_loop()

    def append(*uuids: str) -> list[int]:
        events = [an_event(uuid, chosen=True) for uuid in uuids]
        _, [answers], _ = writer.write([Append(events, 0, loop.create_future())])
        return [answer.position for answer in answers]

    assert append("a", "b", "a") == [1, 2, 1]
    assert append("b") == [2]
    assert append("c") == [3]
    loop.close()
