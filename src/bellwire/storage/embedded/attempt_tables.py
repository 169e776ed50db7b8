"""Attempts in `delivery.db`: a table for each hour, found by subscription through an index made in segments.

    attempt_491022         id (rising over all hours), subscription, position, …
    attempt_index_491022   (segment, subscription, id)      segment: the id its 4,096 attempts begin with
    attempt_segment        segment, until, ranges of positions and times, number of failures
    attempt_hour           hour, first_id, indexed_to, is_dropped

An index over subscriptions makes inserts up to ten times dearer, and building it when the hour has closed is one
statement of seconds. So the index is built of segments: each is sorted once, when its 4,096 attempts are there, and
written behind the one before. A look-up asks every segment of an hour, and scans the less than 4,096 or so
attempts that have no segment yet. What each segment ranges over is noted beside it, so that a look for one event, a
time or failures passes over most segments. Old hours go in small pieces, then their tables; ids below the floor only
(see `DeliveryFile`), so that a restart finds all outcomes above the watermark.

The hour is that of the commit and never goes back, so hours are ranges of ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw
from msgspec.structs import astuple

from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.storage.embedded.database import rows, rows_of_parameters, single, transaction

SCHEMA = """
CREATE TABLE attempt_hour (
    hour INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, indexed_to INTEGER NOT NULL, is_dropped INTEGER NOT NULL
);
"""

_SEGMENT_SCHEMA = """
CREATE TABLE attempt_segment (
    segment INTEGER PRIMARY KEY, until INTEGER NOT NULL, first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, failures INTEGER NOT NULL
);
"""

HOUR_MS = 3_600_000
SEGMENT_ROWS = 4_096
ROWS_PER_STATEMENT = 32
DELETE_ROWS = 2_048

COLUMNS = (
    "id, subscription, position, topic, uuid, number, address, started_ms, duration_us, outcome, failure, status, "
    "detail, next_try_ms, replay"
)
_COLUMN_COUNT = 15
_OUTCOME = -6
"""Where an attempt's outcome is, from its end: the columns are an id and an attempt's fields, in their order."""
_ANYTHING = (1 << 63) - 1

CODE_OF = {AttemptOutcome.DELIVERED: 0, AttemptOutcome.FAILED: 1, AttemptOutcome.GIVEN_UP: 2}
OUTCOME_OF: dict[int, AttemptOutcome] = {code: outcome for outcome, code in CODE_OF.items()}
FAILED_CODE = CODE_OF[AttemptOutcome.FAILED]


@dataclass(slots=True)
class Hour:
    """One hour's table. Ids in `[first_id, indexed_to)` are in segments."""

    hour: int
    first_id: int
    indexed_to: int
    is_dropped: bool

    @property
    def table(self) -> str:
        return f"attempt_{self.hour}"

    @property
    def index(self) -> str:
        return f"attempt_index_{self.hour}"


def read_hours(db: apsw.Connection) -> list[Hour]:
    """All hours, oldest first."""
    found = rows(db, "SELECT hour, first_id, indexed_to, is_dropped FROM attempt_hour ORDER BY hour")
    return [Hour(hour, first, indexed, bool(dropped)) for hour, first, indexed, dropped in found]


def add_replays_and_ranges(db: apsw.Connection) -> None:
    """Upgrade to format 2. Segments that are there may range over anything, as far as is known."""
    db.execute(_SEGMENT_SCHEMA)
    for hour in read_hours(db):
        db.execute(f"ALTER TABLE {hour.table} ADD COLUMN replay TEXT")
        for segment in range(hour.first_id, hour.indexed_to, SEGMENT_ROWS):
            until = min(segment + SEGMENT_ROWS, hour.indexed_to)
            db.execute(
                "INSERT INTO attempt_segment VALUES (?, ?, 0, ?, 0, ?, 1)", (segment, until, _ANYTHING, _ANYTHING)
            )


class AttemptTables:
    """Used by the writer thread alone; `insert` within its transaction."""

    def __init__(self, db: apsw.Connection, floor: int) -> None:
        """`floor`: attempts below it may be gone, so the next id is at least that."""
        self._db = db
        self._hours = read_hours(db)
        last = single(db, f"SELECT max(id) FROM {self._hours[-1].table}") if self._hours else 0  # noqa: S608 - our name
        self.next_id = max(last + 1, floor, *(hour.first_id for hour in self._hours), 1)

    def insert(self, attempts: Sequence[Attempt], now_ms: int) -> int:
        """Store attempts, in order. Returns the id after the last: `next_id`, once the transaction is committed."""
        if not attempts:
            return self.next_id
        hour = self._hour_of(now_ms)
        number = self.next_id
        for start in range(0, len(attempts), ROWS_PER_STATEMENT):
            page = attempts[start : start + ROWS_PER_STATEMENT]
            flat: list[apsw.SQLiteValue] = []
            for attempt in page:
                flat.append(number)
                flat += astuple(attempt)
                outcome = attempt.outcome
                flat[_OUTCOME] = 0 if outcome is AttemptOutcome.DELIVERED else CODE_OF[outcome]
                number += 1
            self._db.execute(
                f"INSERT INTO {hour.table} ({COLUMNS}) "  # noqa: S608 - our names
                f"VALUES {rows_of_parameters(_COLUMN_COUNT, len(page))}",
                flat,
            )
        return number

    def index_step(self) -> bool:
        """Build one segment, if one is due: full, or of an hour that has closed."""
        for place, hour in enumerate(self._hours):
            is_open = place == len(self._hours) - 1
            end = self.next_id if is_open else self._hours[place + 1].first_id
            if hour.is_dropped or end - hour.indexed_to < (SEGMENT_ROWS if is_open else 1):
                continue
            until = min(end, hour.indexed_to + SEGMENT_ROWS)
            with transaction(self._db):
                self._db.execute(
                    f"INSERT INTO {hour.index} SELECT ?1, subscription, id FROM {hour.table} "  # noqa: S608 - our names
                    "WHERE id >= ?1 AND id < ?2 ORDER BY subscription, id",
                    (hour.indexed_to, until),
                )
                self._db.execute(
                    "INSERT INTO attempt_segment SELECT ?1, ?2, min(position), max(position), "  # noqa: S608 - ours
                    "min(started_ms), max(started_ms), sum(outcome <> 0) "
                    f"FROM {hour.table} WHERE id >= ?1 AND id < ?2",
                    (hour.indexed_to, until),
                )
                self._db.execute("UPDATE attempt_hour SET indexed_to = ? WHERE hour = ?", (until, hour.hour))
            hour.indexed_to = until
            return True
        return False

    def doom_before(self, before_ms: int, floor: int) -> int:
        """Mark the hours that ended by `before_ms` and have no id of the floor or above. Returns how many."""
        doomed = []
        for place, hour in enumerate(self._hours):
            end = self.next_id if place == len(self._hours) - 1 else self._hours[place + 1].first_id
            if not hour.is_dropped and (hour.hour + 1) * HOUR_MS <= before_ms and end <= floor:
                doomed.append(hour)
        if doomed:
            with transaction(self._db):
                for hour in doomed:
                    self._db.execute("UPDATE attempt_hour SET is_dropped = 1 WHERE hour = ?", (hour.hour,))
            for hour in doomed:
                hour.is_dropped = True
        return len(doomed)

    def drop_step(self) -> bool:
        """Delete a piece of a doomed hour; its tables with the last piece. Returns False when there is none."""
        hour = next((hour for hour in self._hours if hour.is_dropped), None)
        if hour is None:
            return False
        with transaction(self._db):
            is_empty = self._delete_some(hour.index, "segment, subscription, id") and self._delete_some(
                hour.table, "id"
            )
            if is_empty:
                self._db.execute(f"DROP TABLE {hour.table}; DROP TABLE {hour.index}")
                self._db.execute(
                    "DELETE FROM attempt_segment WHERE segment >= ? AND segment < ?", (hour.first_id, hour.indexed_to)
                )
                self._db.execute("DELETE FROM attempt_hour WHERE hour = ?", (hour.hour,))
        if is_empty:
            self._hours.remove(hour)
        return True

    def _delete_some(self, table: str, key: str) -> bool:
        """Delete the first rows by key. Returns whether none is left."""
        last = rows(
            self._db,
            f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?",  # noqa: S608 - our names
            (DELETE_ROWS - 1,),
        )
        if last:
            self._db.execute(
                f"DELETE FROM {table} WHERE ({key}) <= ({','.join('?' * len(last[0]))})",  # noqa: S608 - our names
                last[0],
            )
        else:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our name
        return not last

    def _hour_of(self, now_ms: int) -> Hour:
        number = now_ms // HOUR_MS
        if self._hours and number <= self._hours[-1].hour and not self._hours[-1].is_dropped:
            return self._hours[-1]
        if self._hours:
            number = max(number, self._hours[-1].hour + 1)
        hour = Hour(number, self.next_id, self.next_id, False)
        self._db.execute(
            f"CREATE TABLE {hour.table} (id INTEGER PRIMARY KEY, subscription TEXT NOT NULL, "
            "position INTEGER NOT NULL, topic TEXT NOT NULL, uuid TEXT NOT NULL, number INTEGER NOT NULL, "
            "address TEXT NOT NULL, started_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL, "
            "outcome INTEGER NOT NULL, failure TEXT, status INTEGER NOT NULL, detail TEXT NOT NULL, "
            "next_try_ms INTEGER, replay TEXT)"
        )
        self._db.execute(
            f"CREATE TABLE {hour.index} (segment INTEGER, subscription TEXT, id INTEGER, "
            "PRIMARY KEY (segment, subscription, id)) WITHOUT ROWID"
        )
        self._db.execute("INSERT INTO attempt_hour VALUES (?, ?, ?, 0)", (hour.hour, hour.first_id, hour.indexed_to))
        self._hours.append(hour)
        return hour

    def forget_uncommitted(self) -> None:
        """After a rollback: a new hour's table may be gone again."""
        self._hours = read_hours(self._db)
