"""`delivery.db`: watermark, backlog, attempts and kept events, changed together in one commit.

Attempts of a crashed run must be read again for outcomes above the watermark. So that this stays short, each commit
stores an attempt id (`floor`) below which no attempt has a position above the watermark; see `AttemptFloor`.

Everything runs in the writer thread but for the `read_…` functions, which have a connection of their own.
"""

from __future__ import annotations

import array
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bellwire.errors import Fenced
from bellwire.model.attempt import Attempt, BacklogRow
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import Partition, Position, ReplayId, SubscriptionId
from bellwire.model.replay import Replay
from bellwire.ports.backlog import BacklogTotals, Lease, NotificationId, Recovery
from bellwire.storage.embedded import attempt_tables
from bellwire.storage.embedded.attempt_tables import FAILED_CODE, AttemptTables, read_hours
from bellwire.storage.embedded.database import (
    FileFormat,
    checkpoint_and_close,
    open_database,
    rows,
    rows_of_parameters,
    single,
    snapshot,
    transaction,
)

DELIVERY_FILE = "delivery.db"

SCHEMA = (
    """
CREATE TABLE watermark (
    partition INTEGER PRIMARY KEY, position INTEGER NOT NULL, epoch INTEGER NOT NULL, floor INTEGER NOT NULL
);
CREATE TABLE backlog (
    subscription TEXT NOT NULL, seq INTEGER NOT NULL, topic TEXT NOT NULL, key TEXT NOT NULL,
    filter_version INTEGER NOT NULL, filter_index INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq, topic)
) WITHOUT ROWID;
CREATE TABLE kept (seq INTEGER PRIMARY KEY, event BLOB NOT NULL);
"""
    + attempt_tables.SCHEMA
)


def _add_replays(db: apsw.Connection) -> None:
    attempt_tables.add_replays_and_ranges(db)
    db.execute("CREATE TABLE replay (id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, job TEXT NOT NULL)")


_ADD_FURTHER = "ALTER TABLE backlog ADD COLUMN further INTEGER"
"""NULL in the rows that were there: whether the subscription got their event on an earlier topic is not known."""

DELIVERY_FORMAT = FileFormat(SCHEMA, (_add_replays, _ADD_FURTHER))

BACKLOG_COLUMNS = "subscription, seq, topic, key, filter_version, filter_index, bytes, further"
ROWS_PER_STATEMENT = 64

_encode_event = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(Event).decode
_encode_replay = msgspec.json.Encoder().encode
_decode_replay = msgspec.json.Decoder(Replay).decode


def lost_lease(lease: Lease) -> Fenced:
    return Fenced(f"partition {lease.partition} was claimed by another: epoch {lease.epoch} is over")


class AttemptFloor:
    """The lowest attempt id that recovery has to look at.

    It has, for each commit, the highest position of all attempts so far and the last attempt's id. Once the watermark
    has passed that position, the ids up to there are settled.
    """

    MOST_MARKS = 4_096

    def __init__(self, floor: int, highest: int, last_id: int) -> None:
        """`highest`: the highest position among attempts from `floor` to `last_id`."""
        self.floor = floor
        self._highest = highest
        self._marks: deque[tuple[int, int]] = deque()
        if last_id >= floor:
            self._marks.append((highest, last_id))

    def add(self, attempts: Iterable[Attempt], last_id: int) -> None:
        highest = max([attempt.position for attempt in attempts])
        self._highest = max(self._highest, highest)
        self._marks.append((self._highest, last_id))
        if len(self._marks) > self.MOST_MARKS:
            # A mark left out delays the floor until the next one is passed.
            self._marks = deque(mark for place, mark in enumerate(reversed(self._marks)) if place % 2 == 0)
            self._marks.reverse()

    def at(self, watermark: int) -> int:
        """The floor once the watermark is there."""
        floor = self.floor
        for highest, last_id in self._marks:
            if highest > watermark:
                break
            floor = last_id + 1
        return floor

    def advance(self, watermark: int) -> None:
        """The watermark is there: its commit is durable."""
        while self._marks and self._marks[0][0] <= watermark:
            self.floor = self._marks.popleft()[1] + 1


class DeliveryFile:
    def __init__(self, directory: Path) -> None:
        self.path = directory / DELIVERY_FILE
        self._db = open_database(self.path, DELIVERY_FORMAT)
        floor = single(self._db, "SELECT min(floor) FROM watermark")
        self.attempts = AttemptTables(self._db, floor)
        self._floor = AttemptFloor(floor, _highest_position(self._db, floor), self.attempts.next_id - 1)
        self.kept_until = single(self._db, "SELECT max(seq) FROM kept")
        """The highest position among kept events; 0 if there is none."""
        self._returned: set[int] | None = None

    def watermark(self) -> int:
        return single(self._db, "SELECT max(position) FROM watermark")

    def claim(self, partition: Partition) -> Lease:
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO watermark VALUES (?, 0, 1, 0) ON CONFLICT DO UPDATE SET epoch = epoch + 1", (partition,)
            )
            return Lease(partition, single(self._db, "SELECT epoch FROM watermark WHERE partition = ?", (partition,)))

    def commit(
        self,
        lease: Lease,
        watermark: Position,
        attempts: Sequence[Attempt],
        puts: Sequence[BacklogRow],
        dones: Sequence[NotificationId],
        *,
        now_ms: int,
    ) -> None:
        """As `Backlog.commit`. The watermark never goes back."""
        try:
            with transaction(self._db):
                next_id = self.attempts.insert(attempts, now_ms)
                self._db.execute(
                    "UPDATE watermark SET position = max(position, ?) WHERE partition = ? AND epoch = ?",
                    (watermark, lease.partition, lease.epoch),
                )
                if not self._db.changes():
                    raise lost_lease(lease)
                # The floor of the attempts before this commit: those of this one can only wait for a later one.
                self._db.execute(
                    "UPDATE watermark SET floor = ? WHERE partition = ?",
                    (self._floor.at(watermark), lease.partition),
                )
                for start in range(0, len(puts), ROWS_PER_STATEMENT):
                    self._put(puts[start : start + ROWS_PER_STATEMENT])
                for start in range(0, len(dones), ROWS_PER_STATEMENT):
                    self._remove(dones[start : start + ROWS_PER_STATEMENT])
        except BaseException:
            self.attempts.forget_uncommitted()
            raise
        self._floor.advance(watermark)
        if attempts:
            self.attempts.next_id = next_id
            self._floor.add(attempts, next_id - 1)
        if self._returned is not None:
            self._returned.update(row.position for row in puts if row.position <= self.kept_until)

    def save_replay(self, replay: Replay, attempts: Sequence[Attempt], *, now_ms: int) -> None:
        """As `ReplayStore.save`."""
        try:
            with transaction(self._db):
                next_id = self.attempts.insert(attempts, now_ms)
                self._db.execute(
                    "INSERT INTO replay VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET job = excluded.job",
                    (replay.id, replay.created_ms, _encode_replay(replay).decode()),
                )
        except BaseException:
            self.attempts.forget_uncommitted()
            raise
        if attempts:
            self.attempts.next_id = next_id
            self._floor.add(attempts, next_id - 1)

    def forget_replays(self, replays: Sequence[ReplayId]) -> None:
        with transaction(self._db):
            for replay in replays:
                self._db.execute("DELETE FROM replay WHERE id = ?", (replay,))

    def purge_step(self, subscription: SubscriptionId, limit: int) -> int:
        """Delete a subscription's first rows. Returns how many: fewer than `limit` when none is left."""
        last = rows(
            self._db,
            "SELECT seq, topic FROM backlog WHERE subscription = ? ORDER BY seq, topic LIMIT 1 OFFSET ?",
            (subscription, limit - 1),
        )
        with transaction(self._db):
            if last:
                self._db.execute(
                    "DELETE FROM backlog WHERE subscription = ? AND (seq, topic) <= (?, ?)", (subscription, *last[0])
                )
            else:
                self._db.execute("DELETE FROM backlog WHERE subscription = ?", (subscription,))
            return self._db.changes()

    def keep(self, events: Sequence[LoggedEvent]) -> None:
        with transaction(self._db):
            for logged in events:
                event = logged.event
                if event.facts is not None:
                    event = msgspec.structs.replace(event, facts=None)
                self._db.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (logged.position, _encode_event(event)))
        self.kept_until = max(self.kept_until, *(logged.position for logged in events))
        if self._returned is not None:
            self._returned.update(logged.position for logged in events)

    def begin_sweep(self) -> None:
        """From now on, remember what a commit or `keep` brings back while unneeded kept events are looked for."""
        self._returned = set()

    def end_sweep(self) -> None:
        self._returned = None

    def release(self, seqs: Sequence[int]) -> None:
        """Delete kept events that were found unneeded, except those that were brought back since `begin_sweep`."""
        unneeded = [seq for seq in seqs if self._returned is None or seq not in self._returned]
        if not unneeded:  # an empty array has no address that SQLite would take
            return
        with transaction(self._db):
            self._db.execute("DELETE FROM kept WHERE seq IN carray(?)", (apsw.carray(array.array("q", unneeded)),))
        self.kept_until = single(self._db, "SELECT max(seq) FROM kept")

    def doom_attempts_before(self, before_ms: int) -> int:
        """As `AttemptTables.doom_before`; the hours go with the following `attempts.drop_step`."""
        return self.attempts.doom_before(before_ms, single(self._db, "SELECT min(floor) FROM watermark"))

    def close(self) -> None:
        checkpoint_and_close(self._db)

    def abandon(self) -> None:
        """Close without writing anything more."""
        self._db.close()

    def _put(self, puts: Sequence[BacklogRow]) -> None:
        flat: list[apsw.SQLiteValue] = []
        for row in puts:
            flat += (
                row.subscription,
                row.position,
                row.topic,
                row.key,
                row.filter_version,
                row.filter_index,
                row.size_bytes,
                row.further,
            )
        self._db.execute(
            f"INSERT OR IGNORE INTO backlog ({BACKLOG_COLUMNS}) "  # noqa: S608 - constants
            f"VALUES {rows_of_parameters(8, len(puts))}",
            flat,
        )

    def _remove(self, dones: Sequence[NotificationId]) -> None:
        self._db.execute(
            "DELETE FROM backlog WHERE (subscription, seq, topic) IN "  # noqa: S608 - constants
            f"(VALUES {rows_of_parameters(3, len(dones))})",
            [value for done in dones for value in done],
        )


def read_recovery(db: apsw.Connection, lease: Lease) -> Recovery:
    """As `Backlog.load`: two passes over the backlog, and one over the attempts from the floor on."""
    with snapshot(db):
        state = rows(
            db,
            "SELECT position, floor FROM watermark WHERE partition = ? AND epoch = ?",
            (lease.partition, lease.epoch),
        )
        if not state:
            raise lost_lease(lease)
        watermark, floor = state[0]
        settled: set[NotificationId] = set()
        for hour in read_hours(db):
            settled.update(
                _notification(row)
                for row in db.execute(
                    f"SELECT subscription, position, topic FROM {hour.table} "  # noqa: S608 - our name
                    "WHERE id >= ? AND position > ? AND outcome <> ? AND replay IS NULL",
                    (floor, watermark, FAILED_CODE),
                )
            )
        settled.update(
            _notification(row)
            for row in db.execute("SELECT subscription, seq, topic FROM backlog WHERE seq > ?", (watermark,))
        )
        totals = {
            SubscriptionId(subscription): BacklogTotals(count, size, Position(oldest))
            for subscription, count, size, oldest in rows(
                db, "SELECT subscription, count(*), sum(bytes), min(seq) FROM backlog GROUP BY subscription"
            )
        }
        return Recovery(Position(watermark), frozenset(settled), totals)


def read_replays(db: apsw.Connection) -> list[Replay]:
    """As `ReplayStore.all`."""
    return [_decode_replay(job) for (job,) in rows(db, "SELECT job FROM replay ORDER BY created_ms, id")]


def read_pending(
    db: apsw.Connection, subscription: SubscriptionId, after: tuple[Position, str], limit: int
) -> list[BacklogRow]:
    """As `Backlog.pending`."""
    found = rows(
        db,
        f"SELECT {BACKLOG_COLUMNS} FROM backlog "  # noqa: S608 - constants
        "WHERE subscription = ? AND (seq, topic) > (?, ?) ORDER BY seq, topic LIMIT ?",
        (subscription, *after, limit),
    )
    return [
        BacklogRow(
            subscription=subscription,
            position=Position(seq),
            topic=topic,
            key=key,
            filter_version=version,
            filter_index=index,
            size_bytes=size,
            further=None if further is None else bool(further),
        )
        for _, seq, topic, key, version, index, size, further in found
    ]


def read_kept(db: apsw.Connection, positions: Sequence[Position]) -> dict[Position, Event]:
    """Those of the events that were kept."""
    found = rows(
        db,
        "SELECT k.seq, k.event FROM carray(?) a CROSS JOIN kept k ON k.seq = a.value",
        (apsw.carray(array.array("q", positions)),),
    )
    return {Position(seq): _decode_event(event) for seq, event in found}


def read_kept_window(db: apsw.Connection, after: int, limit: int) -> tuple[list[int], list[int]]:
    """Positions of kept events above `after`: all of the next `limit`, and those of them that no row of the backlog
    names, which takes one pass over the backlog."""
    with snapshot(db):
        window = [seq for (seq,) in rows(db, "SELECT seq FROM kept WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))]
        if not window:
            return [], []
        # Kept events are all that is left so far back, so there are no more of these than the window has.
        needed = {
            seq
            for (seq,) in rows(
                db, "SELECT DISTINCT seq FROM backlog WHERE seq BETWEEN ? AND ?", (window[0], window[-1])
            )
        }
        return window, [seq for seq in window if seq not in needed]


def _highest_position(db: apsw.Connection, floor: int) -> int:
    return max(
        (
            single(db, f"SELECT max(position) FROM {hour.table} WHERE id >= ?", (floor,))  # noqa: S608 - our name
            for hour in read_hours(db)
        ),
        default=0,
    )


def _notification(row: tuple[Any, ...]) -> NotificationId:
    subscription, position, topic = row
    return (SubscriptionId(subscription), Position(position), topic)
