"""Attempts out of the hourly tables, newest first, with a bounded amount of work. Read-only; see `attempt_tables`.

What is searched falls into pieces of at most 4,096 ids: segments, whose noted ranges tell most of them aside, and what
has no segment yet. A page works through pieces until it is full or has done enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import apsw

from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.ids import Position, ReplayId, SubscriptionId
from bellwire.ports.history import AttemptPage, AttemptQuery, EventOutcomes, NotificationOutcome, RecordedAttempt
from bellwire.storage.embedded.attempt_tables import (
    CODE_OF,
    COLUMNS,
    HOUR_MS,
    OUTCOME_OF,
    SEGMENT_ROWS,
    Hour,
    read_hours,
)
from bellwire.storage.embedded.database import rows, single, snapshot

PROBE_COST = 16
"""Rows' worth of work that a look into one segment's index is."""
SEGMENTS_PER_READ = 512
_END = (1 << 63) - 1

Binding = int | str | float | bytes | None


@dataclass(slots=True)
class _Piece:
    """Ids in `[low, high)` of one hour; `segment`: they are all of one segment, or its lower part."""

    hour: Hour
    low: int
    high: int
    segment: int | None


def _is_in(subscriptions: Set[SubscriptionId], *found: Any) -> int:
    return found[0] in subscriptions


class _Wanted:
    """A query as SQL: conditions on rows, and on the ranges of segments."""

    def __init__(self, db: apsw.Connection, query: AttemptQuery) -> None:
        self.only: SubscriptionId | None = None
        """The one subscription, if it is one."""
        self.row: list[tuple[str, Binding]] = []
        self.range: list[tuple[str, Binding]] = []
        if query.position is not None:
            self.row.append(("position = ?", query.position))
            self.range += [("first_position <= ?", query.position), ("last_position >= ?", query.position)]
        if query.from_ms is not None:
            self.row.append(("started_ms >= ?", query.from_ms))
            self.range.append(("last_ms >= ?", query.from_ms))
        if query.until_ms is not None:
            self.row.append(("started_ms < ?", query.until_ms))
            self.range.append(("first_ms < ?", query.until_ms))
        if query.outcome is not None:
            self.row.append(("outcome = ?", CODE_OF[query.outcome]))
        if query.failure is not None:
            self.row.append(("failure = ?", query.failure))
        if query.failure is not None or query.outcome not in {None, AttemptOutcome.DELIVERED}:
            self.range.append(("failures > ?", 0))
        if query.topic is not None:
            self.row.append(("topic = ?", query.topic))
        if query.replay is not None:
            self.row.append(("replay = ?", query.replay))
        subscriptions = query.subscriptions
        if subscriptions is not None and len(subscriptions) == 1:
            (self.only,) = subscriptions
            self.row.append(("subscription = ?", self.only))
        elif subscriptions is not None:
            db.create_scalar_function("is_wanted", partial(_is_in, subscriptions), 1)
            self.row.append(("is_wanted(subscription) = ?", 1))

    def rows_sql(self) -> tuple[str, tuple[Binding, ...]]:
        return "".join(f" AND {sql}" for sql, _ in self.row), tuple(value for _, value in self.row)

    def range_sql(self) -> tuple[str, tuple[Binding, ...]]:
        return "".join(f" AND {sql}" for sql, _ in self.range), tuple(value for _, value in self.range)


def read_attempts(
    db: apsw.Connection, query: AttemptQuery, before: int | None, limit: int, most_work: int
) -> AttemptPage:
    """As `History.attempts`. `most_work`: in rows looked at."""
    found: list[RecordedAttempt] = []
    work = 0
    with snapshot(db):
        wanted = _Wanted(db, query)
        for piece in _pieces_down(db, wanted, _END if before is None else before):
            if work >= most_work:
                return AttemptPage(tuple(found), piece.high)
            page = _rows_of(db, wanted, piece, limit - len(found))
            found += page
            if len(found) >= limit:
                return AttemptPage(tuple(found), found[-1].id if found else before)
            probed = wanted.only is not None and piece.segment is not None
            work += PROBE_COST + len(page) if probed else piece.high - piece.low
    return AttemptPage(tuple(found), None)


def read_outcomes(db: apsw.Connection, position: Position, most_work: int) -> EventOutcomes:
    """As `History.outcomes`: what has no segment yet first, then segments from the oldest on, where first attempts
    are."""
    counted: dict[tuple[str, str], tuple[int, RecordedAttempt | None, int]] = {}
    work = 0
    is_complete = True
    with snapshot(db):
        wanted = _Wanted(db, AttemptQuery(position=position))
        pieces = list(_pieces_down(db, wanted, _END))
        loose = [piece for piece in pieces if piece.segment is None]
        for piece in [*loose, *reversed([piece for piece in pieces if piece.segment is not None])]:
            if work >= most_work:
                is_complete = False
                break
            for recorded in _rows_of(db, wanted, piece, SEGMENT_ROWS):
                _count(counted, recorded)
            work += piece.high - piece.low
    return EventOutcomes(
        tuple(
            NotificationOutcome(SubscriptionId(name[0]), name[1], attempts, last, replayed)
            for name, (attempts, last, replayed) in sorted(counted.items())
        ),
        is_complete,
    )


def _count(counted: dict[tuple[str, str], tuple[int, RecordedAttempt | None, int]], recorded: RecordedAttempt) -> None:
    attempt = recorded.attempt
    name = (attempt.subscription, attempt.topic)
    attempts, last, replayed = counted.get(name, (0, None, 0))
    if attempt.replay is not None:
        replayed += attempt.outcome is AttemptOutcome.DELIVERED
    else:
        attempts += 1
        if last is None or recorded.id > last.id:
            last = recorded
    counted[name] = (attempts, last, replayed)


def _pieces_down(db: apsw.Connection, wanted: _Wanted, before: int) -> Iterator[_Piece]:
    """All pieces below an id that may have what is wanted, newest first."""
    hours = [hour for hour in read_hours(db) if not hour.is_dropped]
    lowest_hour = -1
    for sql, value in wanted.row:
        if sql.startswith("started_ms >=") and isinstance(value, int):
            # An attempt is recorded in the hour of its commit, which is not before its start, or in a later one.
            lowest_hour = value // HOUR_MS - 1
    for hour in reversed(hours):
        if hour.first_id >= before:
            continue
        if hour.hour < lowest_hour:
            return
        last = single(db, f"SELECT max(id) FROM {hour.table} WHERE id < ?", (before,))  # noqa: S608 - our name
        high = last + 1
        while high > hour.indexed_to:
            low = max(hour.indexed_to, high - SEGMENT_ROWS)
            yield _Piece(hour, low, high, None)
            high = low
        yield from _segments_down(db, wanted, hour, high)


def _segments_down(db: apsw.Connection, wanted: _Wanted, hour: Hour, high: int) -> Iterator[_Piece]:
    sql, values = wanted.range_sql()
    while True:
        segments = rows(
            db,
            "SELECT segment, until FROM attempt_segment "  # noqa: S608 - our names
            f"WHERE segment >= ? AND segment < ?{sql} ORDER BY segment DESC LIMIT ?",
            (hour.first_id, min(high, hour.indexed_to), *values, SEGMENTS_PER_READ),
        )
        for segment, until in segments:
            yield _Piece(hour, segment, min(until, high), segment)
        if len(segments) < SEGMENTS_PER_READ:
            return
        high = segments[-1][0]


def _rows_of(db: apsw.Connection, wanted: _Wanted, piece: _Piece, limit: int) -> list[RecordedAttempt]:
    conditions, values = wanted.rows_sql()
    bindings: tuple[Binding, ...] = (piece.low, piece.high, *values)
    source = ""
    if wanted.only is not None and piece.segment is not None:
        source = f" AND id IN (SELECT id FROM {piece.hour.index} WHERE segment = ? AND subscription = ?)"  # noqa: S608
        bindings += (piece.segment, wanted.only)
    found = rows(
        db,
        f"SELECT {COLUMNS} FROM {piece.hour.table} "  # noqa: S608 - our names
        f"WHERE id >= ? AND id < ?{conditions}{source} ORDER BY id DESC LIMIT ?",
        (*bindings, limit),
    )
    return [_recorded(row) for row in found]


def _recorded(row: tuple[Any, ...]) -> RecordedAttempt:
    (
        number_in_history,
        subscription,
        position,
        topic,
        uuid,
        number,
        address,
        started_ms,
        duration_us,
        outcome,
        failure,
        status,
        detail,
        next_try_ms,
        replay,
    ) = row
    return RecordedAttempt(
        number_in_history,
        Attempt(
            subscription=SubscriptionId(subscription),
            position=Position(position),
            topic=topic,
            uuid=uuid,
            number=number,
            address=address,
            started_ms=started_ms,
            duration_us=duration_us,
            outcome=OUTCOME_OF[outcome],
            failure=FailureCode(failure) if failure is not None else None,
            status=status,
            detail=detail,
            next_try_ms=next_try_ms,
            replay=ReplayId(replay) if replay is not None else None,
        ),
    )
