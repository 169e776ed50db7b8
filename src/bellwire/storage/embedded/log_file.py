"""`log.db`: the events, by position, and the head, which outlives them.

Everything here runs in the writer thread but for the two functions at the end, which read through a connection of
their own. Events that are read back have no facts: those are read again from the body.
"""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, ExtensionId, Position
from bellwire.storage.embedded.database import (
    FileFormat,
    checkpoint_and_close,
    open_database,
    rows,
    rows_of_parameters,
    single,
    transaction,
)

LOG_FILE = "log.db"

SCHEMA = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, uuid TEXT NOT NULL, chosen INTEGER NOT NULL, topic TEXT NOT NULL,
    ts INTEGER NOT NULL, body BLOB NOT NULL, attributes TEXT
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('head', 0);
"""
TIMES = """
CREATE TABLE logged (at_ms INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
"""
"""At that time by the wall clock, that was the head. Few rows: retention writes one a minute."""

LOG_FORMAT = FileFormat(SCHEMA, (TIMES,))

COLUMNS = "seq, account, uuid, chosen, topic, ts, body, attributes"
ROWS_PER_STATEMENT = 64
REINDEX_PAGE = 4_096

Identity = tuple[str, str]
"""Account and uuid: what makes an event the same event."""


class _Attributes(msgspec.Struct, omit_defaults=True):
    """What few events have, as compact JSON in one column."""

    audience: tuple[ExtensionId, ...] | None = None
    stated: tuple[tuple[str, str], ...] = ()
    received_ms: int = 0
    request_id: str | None = None
    trace: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Attributes).decode


class LogFile:
    def __init__(self, directory: Path) -> None:
        self.path = directory / LOG_FILE
        self._db = open_database(self.path, LOG_FORMAT)
        self.head = max(self._stored_head(), self.last_event())

    def last_event(self) -> int:
        """Position of the newest event there is; 0 if there is none."""
        return single(self._db, "SELECT max(seq) FROM event")

    def first_event(self) -> int:
        """Position of the oldest event there is; `head + 1` if there is none."""
        return single(self._db, "SELECT min(seq) FROM event") or self.head + 1

    def write(self, events: Sequence[LoggedEvent], trim_before: int, trim_rows: int) -> int:
        """Append events and delete some of the oldest, in one transaction; durable on return.

        Returns:
            how many were deleted: at most `trim_rows`, all with positions below `trim_before`.
        """
        deleted = 0
        with transaction(self._db):
            for start in range(0, len(events), ROWS_PER_STATEMENT):
                self._insert(events[start : start + ROWS_PER_STATEMENT])
            if trim_rows:
                # The table may be empty afterwards, and its highest key forgotten.
                self._store_head(events[-1].position if events else self.head)
                self._db.execute(
                    "DELETE FROM event WHERE seq < ?1 AND seq <= (SELECT max(seq) FROM "
                    "(SELECT seq FROM event ORDER BY seq LIMIT ?2))",
                    (trim_before, trim_rows),
                )
                deleted = self._db.changes()
        if events:
            self.head = events[-1].position
        return deleted

    def raise_head(self, position: int) -> None:
        """Make sure that no later event gets this position or a lower one."""
        if position > self.head:
            with transaction(self._db):
                self._store_head(position)
            self.head = position

    def note_time(self, now_ms: int) -> int | None:
        """Write down what the head is now, unless it is what it was. Returns the time of the call before, or None."""
        before = single(self._db, "SELECT value FROM meta WHERE name = 'noted_ms'")
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('noted_ms', ?)", (now_ms,))
            if single(self._db, "SELECT max(seq) FROM logged") != self.head:
                self._db.execute("INSERT OR REPLACE INTO logged VALUES (?, ?)", (now_ms, self.head))
        return before or None

    def logged_before(self, moment_ms: int) -> int:
        """The highest position that was logged by that time, as far as was noted; older notes go."""
        position = single(self._db, "SELECT max(seq) FROM logged WHERE at_ms <= ?", (moment_ms,))
        with transaction(self._db):
            self._db.execute("DELETE FROM logged WHERE at_ms <= ? AND seq < ?", (moment_ms, position))
        return position

    def identities(self, seqs: Sequence[int]) -> dict[int, Identity]:
        """Account and uuid of the events that are still there."""
        found = rows(
            self._db,
            "SELECT e.seq, e.account, e.uuid FROM carray(?) a CROSS JOIN event e ON e.seq = a.value",
            (apsw.carray(array.array("q", seqs)),),
        )
        return {seq: (account, uuid) for seq, account, uuid in found}

    def chosen_after(self, seq: int) -> Iterator[list[tuple[Any, ...]]]:
        """(position, account, uuid) of events with a uuid that was chosen, in order, in pages."""
        while True:
            page = rows(
                self._db,
                "SELECT seq, account, uuid FROM event WHERE seq > ? AND chosen ORDER BY seq LIMIT ?",
                (seq, REINDEX_PAGE),
            )
            if not page:
                return
            yield page
            seq = page[-1][0]

    def close(self) -> None:
        checkpoint_and_close(self._db)

    def abandon(self) -> None:
        """Close without writing anything more."""
        self._db.close()

    def _insert(self, events: Sequence[LoggedEvent]) -> None:
        flat: list[apsw.SQLiteValue] = []
        for logged in events:
            event = logged.event
            received = 0 if event.received_ms == event.timestamp_ms else event.received_ms
            attributes = None
            if event.audience is not None or event.stated or received or event.request_id or event.trace:
                stored = _Attributes(event.audience, event.stated, received, event.request_id, event.trace)
                attributes = _encode(stored).decode()
            flat += (
                logged.position,
                event.account,
                event.uuid,
                event.chosen,
                event.topic,
                event.timestamp_ms,
                event.body,
                attributes,
            )
        self._db.execute(
            f"INSERT INTO event ({COLUMNS}) VALUES {rows_of_parameters(8, len(events))}",  # noqa: S608 - constants
            flat,
        )

    def _stored_head(self) -> int:
        return single(self._db, "SELECT value FROM meta WHERE name = 'head'")

    def _store_head(self, position: int) -> None:
        self._db.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'head'", (position,))


def read_after(db: apsw.Connection, after: int, until: int, max_bytes: int, max_events: int) -> list[LoggedEvent]:
    """Events in `(after, until]` from the disk: at least one if there is any, at most about `max_bytes` of bodies."""
    found: list[LoggedEvent] = []
    size = 0
    cursor = db.execute(
        f"SELECT {COLUMNS} FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",  # noqa: S608 - constants
        (after, until, max_events),
    )
    for row in cursor:
        logged = event_of_row(row)
        size += len(logged.event.body)
        if found and size > max_bytes:
            break
        found.append(logged)
    cursor.close()
    return found


def read_at(db: apsw.Connection, seqs: Sequence[int]) -> dict[Position, Event]:
    """The events at these positions that are in the log."""
    wanted = ", ".join(f"e.{column}" for column in COLUMNS.split(", "))
    found = rows(
        db,
        f"SELECT {wanted} FROM carray(?) a CROSS JOIN event e ON e.seq = a.value",  # noqa: S608 - constants
        (apsw.carray(array.array("q", seqs)),),
    )
    return {logged.position: logged.event for logged in map(event_of_row, found)}


def event_of_row(row: tuple[Any, ...]) -> LoggedEvent:
    """An event out of `COLUMNS`; without facts, which are read again from the body."""
    seq, account, uuid, chosen, topic, timestamp, body, attributes = row
    extra = _decode(attributes) if attributes is not None else None
    return LoggedEvent(
        Position(seq),
        Event(
            account=AccountId(account),
            uuid=uuid,
            chosen=bool(chosen),
            topic=topic,
            timestamp_ms=timestamp,
            body=body,
            audience=extra.audience if extra else None,
            stated=extra.stated if extra else (),
            received_ms=extra.received_ms if extra else 0,
            request_id=extra.request_id if extra else None,
            trace=extra.trace if extra else None,
        ),
    )
