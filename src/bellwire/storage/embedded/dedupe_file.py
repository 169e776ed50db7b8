"""`dedupe.db`: which uuids were chosen before, as 64-bit hashes in sorted runs.

    remembered ──▶ active (memory) ──full──▶ frozen (memory) ──steps──▶ run, level 0 ──4 of a level──▶ run, level 1 …

A unique index over random uuids dirties one page for each event, in the log itself or beside it. Here a full page of
memory is written at once, in small steps between other work, and runs of one level are merged into one of the next
by SQLite alone (524,000 rows in 0.2 s, tried once). By calculation 64 million uuids are in some ten runs; tried were no
more than two million. A miss cost 0.23 µs for each run while ten runs of 65,536 fitted the cache.

The file is only ever a hint and never in step with the log: it states up to which position it knows the log
(`indexed_to`), and what lies above is read again from the log at open. A hash that is found names positions, and
the log says whether the uuid there is the same. Of two uuids of equal hash within one run the later is known; that
takes a collision of 64 bits, and costs an undetected repeat of the earlier.
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import apsw

from bellwire.storage.embedded.database import (
    FileFormat,
    checkpoint_and_close,
    open_database,
    rows,
    rows_of_parameters,
    single,
    transaction,
)
from bellwire.storage.embedded.log_file import LogFile

DEDUPE_FILE = "dedupe.db"

SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, level INTEGER NOT NULL, state INTEGER NOT NULL, last_seq INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('indexed_to', 0);
"""
DEDUPE_FORMAT = FileFormat(SCHEMA)

CACHE_KIB = 32 * 1024
"""Look-ups are at random: about two million uuids should fit. No gain was measured: the machine was too noisy."""
RUNS_PER_MERGE = 4
TOP_LEVEL = 6
"""Runs of this level are not merged any more: 32,768 * 4 ** 6 is 134 million."""
LOWEST_HASH = -(1 << 63)
WRITE_ROWS = 2_048
ROWS_PER_STATEMENT = 128
MERGE_ROWS = 8_192
DELETE_ROWS = 4_096
QUIET_POSITIONS = 500_000
"""So many positions without chosen uuids are written down as known, lest the next open reads them all."""


class State(IntEnum):
    BUILDING = 0
    LIVE = 1
    DOOMED = 2


@dataclass(slots=True)
class Run:
    """A table of hashes and positions. Runs of lower levels are newer; ids grow with time."""

    id: int
    level: int
    state: State
    last_seq: int

    @property
    def table(self) -> str:
        return f"run_{self.id}"


@dataclass(slots=True)
class _Freezing:
    """Memory on its way to the disk."""

    hashes: dict[int, int]
    head: int
    run: Run
    rest: Iterator[tuple[int, int]]


@dataclass(slots=True)
class _Merging:
    sources: list[Run]
    target: Run
    cursor: int = LOWEST_HASH


def hash_of(account: str, uuid: str) -> int:
    """64 bits, signed, the same in every process."""
    return int.from_bytes(blake2b(f"{account}\0{uuid}".encode(), digest_size=8).digest(), "little", signed=True)


class DedupeFile:
    """Used by the writer thread alone."""

    def __init__(self, directory: Path, memory_entries: int) -> None:
        self._db = open_database(directory / DEDUPE_FILE, DEDUPE_FORMAT, cache_kib=CACHE_KIB)
        self._memory_entries = memory_entries
        self._active: dict[int, int] = {}
        self._freezing: _Freezing | None = None
        self._merging: _Merging | None = None
        self._indexed_to = single(self._db, "SELECT value FROM meta WHERE name = 'indexed_to'")
        self._runs = self._read_runs()
        self._head = self._indexed_to
        self._lookup = ""
        self._runs_changed()

    def catch_up(self, log: LogFile) -> None:
        """Learn what the log has above `indexed_to`; all of it if the log is not the one this file was made from."""
        if self._indexed_to > log.head:
            with transaction(self._db):
                self._db.execute("UPDATE run SET state = ?", (State.DOOMED,))
                self._db.execute("UPDATE meta SET value = 0 WHERE name = 'indexed_to'")
            for run in self._runs:
                run.state = State.DOOMED
            self._indexed_to = 0
            self._runs_changed()
        self._head = self._indexed_to
        for page in log.chosen_after(self._indexed_to):
            self.remember([(hash_of(account, uuid), seq) for seq, account, uuid in page], page[-1][0])
            self.make_room()
        self._head = log.head

    def lookup(self, hashes: Sequence[int]) -> dict[int, list[int]]:
        """Positions remembered for these hashes; hashes that are unknown are left out."""
        found: dict[int, list[int]] = {}
        memories = [self._active] if self._freezing is None else [self._active, self._freezing.hashes]
        for memory in memories:
            for number in hashes:
                if number in memory:
                    found.setdefault(number, []).append(memory[number])
        if self._lookup and hashes:
            wanted = apsw.carray(array.array("q", sorted(hashes)))
            for number, seq in rows(self._db, self._lookup, (wanted,)):
                found.setdefault(number, []).append(seq)
        return found

    def remember(self, entries: Iterable[tuple[int, int]], head: int) -> None:
        """Add (hash, position) of durable events. `head`: the log's; all chosen uuids up to it are known now."""
        self._active.update(entries)
        self._head = head

    def make_room(self) -> None:
        """Write until memory is within its bound, for when the steps don't keep up with the appends."""
        while len(self._active) >= 2 * self._memory_entries:
            self.step()

    def forget_before(self, seq: int) -> None:
        """The log's oldest position: runs that know only older ones are of no more use."""
        expired = [
            run for run in self._runs if run.state is State.LIVE and run.last_seq < seq and not self._is_merging(run)
        ]
        if expired:
            with transaction(self._db):
                self._doom(expired)
            self._runs_changed()

    def step(self) -> bool:
        """Do one small piece of what is due: at most one short transaction. Returns False when nothing is.

        When it raises, nothing is lost: what was under way starts again with a later step.
        """
        try:
            if self._freezing is not None or self._begin_freezing():
                self._freeze_step()
            elif self._merging is not None or self._begin_merge():
                self._merge_step()
            else:
                return self._delete_step()
        except apsw.Error:
            self._start_over()
            raise
        return True

    def close(self) -> None:
        checkpoint_and_close(self._db)

    def abandon(self) -> None:
        """Close without writing anything more."""
        self._db.close()

    def _begin_freezing(self) -> bool:
        if len(self._active) < self._memory_entries and self._head - self._indexed_to < QUIET_POSITIONS:
            return False
        run = self._new_run(level=0, last_seq=self._head)
        self._freezing = _Freezing(self._active, self._head, run, iter(self._active.items()))
        self._active = {}
        return True

    def _freeze_step(self) -> None:
        freezing = self._freezing
        assert freezing is not None
        run = freezing.run
        with transaction(self._db):
            page = list(islice(freezing.rest, WRITE_ROWS))
            for start in range(0, len(page), ROWS_PER_STATEMENT):
                entries = page[start : start + ROWS_PER_STATEMENT]
                self._db.execute(
                    f"INSERT INTO {run.table} VALUES {rows_of_parameters(2, len(entries))}",  # noqa: S608 - our name
                    [value for entry in entries for value in entry],
                )
            is_done = len(page) < WRITE_ROWS
            if is_done:
                self._set_state(run, State.LIVE if freezing.hashes else State.DOOMED)
                self._db.execute("UPDATE meta SET value = ? WHERE name = 'indexed_to'", (freezing.head,))
        if is_done:
            self._indexed_to = freezing.head
            self._freezing = None
            self._runs_changed()

    def _begin_merge(self) -> bool:
        for level in range(TOP_LEVEL):
            sources = [run for run in self._runs if run.state is State.LIVE and run.level == level]
            if len(sources) >= RUNS_PER_MERGE:
                sources = sources[:RUNS_PER_MERGE]
                target = self._new_run(level=level + 1, last_seq=sources[-1].last_seq)
                self._merging = _Merging(sources, target)
                return True
        return False

    def _merge_step(self) -> None:
        merging = self._merging
        assert merging is not None
        target = merging.target
        arms = " UNION ALL ".join(
            f"SELECT hash, seq FROM {run.table} WHERE hash >= ?1"  # noqa: S608 - our name
            for run in merging.sources
        )
        # From the cursor on, itself included, in rising positions: of equal hashes the newest stays.
        with transaction(self._db):
            self._db.execute(
                f"INSERT OR REPLACE INTO {target.table} {arms} ORDER BY 1, 2 LIMIT ?2",
                (merging.cursor, MERGE_ROWS),
            )
            is_done = self._db.changes() < MERGE_ROWS
            merging.cursor = single(self._db, f"SELECT max(hash) FROM {target.table}")  # noqa: S608 - our name
            if is_done:
                self._set_state(target, State.LIVE)
                self._doom(merging.sources)
        if is_done:
            self._merging = None
            self._runs_changed()

    def _delete_step(self) -> bool:
        doomed = next((run for run in self._runs if run.state is State.DOOMED), None)
        if doomed is None:
            return False
        with transaction(self._db):
            self._db.execute(
                f"DELETE FROM {doomed.table} WHERE hash <= "  # noqa: S608 - our name
                f"(SELECT max(hash) FROM (SELECT hash FROM {doomed.table} ORDER BY hash LIMIT ?))",
                (DELETE_ROWS,),
            )
            is_empty = self._db.changes() < DELETE_ROWS
            if is_empty:
                self._db.execute(f"DROP TABLE {doomed.table}")
                self._db.execute("DELETE FROM run WHERE id = ?", (doomed.id,))
        if is_empty:
            self._runs.remove(doomed)
        return True

    def _new_run(self, *, level: int, last_seq: int) -> Run:
        # One above the highest there is: a doomed table keeps its name until it is gone.
        run = Run(1 + max((run.id for run in self._runs), default=0), level, State.BUILDING, last_seq)
        with transaction(self._db):
            self._db.execute(f"CREATE TABLE {run.table} (hash INTEGER PRIMARY KEY, seq INTEGER NOT NULL)")
            self._db.execute("INSERT INTO run VALUES (?, ?, ?, ?)", (run.id, level, run.state, last_seq))
        self._runs.append(run)
        return run

    def _set_state(self, run: Run, state: State) -> None:
        self._db.execute("UPDATE run SET state = ? WHERE id = ?", (state, run.id))
        run.state = state

    def _doom(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._set_state(run, State.DOOMED)

    def _is_merging(self, run: Run) -> bool:
        return self._merging is not None and run in self._merging.sources

    def _start_over(self) -> None:
        """Back to what the file says, after a transaction failed; frozen memory is active again."""
        if self._freezing is not None:
            self._active = self._freezing.hashes | self._active
        self._freezing = self._merging = None
        self._runs = self._read_runs()
        self._runs_changed()

    def _read_runs(self) -> list[Run]:
        found = rows(self._db, "SELECT id, level, state, last_seq FROM run ORDER BY id")
        # What was being built when the process ended has no use: its entries are in memory or in other runs.
        return [
            Run(number, level, State.DOOMED if state == State.BUILDING else State(state), last_seq)
            for number, level, state, last_seq in found
        ]

    def _runs_changed(self) -> None:
        self._lookup = " UNION ALL ".join(
            f"SELECT r.hash, r.seq FROM carray(?1) a CROSS JOIN {run.table} r ON r.hash = a.value"  # noqa: S608 - ours
            for run in self._runs
            if run.state is State.LIVE
        )
