"""Events out of `log.db` for those who look back, with a bounded amount of work. Read-only.

The log has no index but its positions. So a look for events goes through windows of positions, newest first, each one
statement in which SQLite alone passes over what is not wanted, until the page is full or enough was looked at.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any

import apsw

from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, Position
from bellwire.ports.history import EventHead, EventPage, EventQuery, Stretch
from bellwire.storage.embedded.database import rows, single, snapshot
from bellwire.storage.embedded.delivery_file import read_kept
from bellwire.storage.embedded.log_file import COLUMNS, event_of_row

WINDOW = 8_192
"""Positions."""
HEAD_COLUMNS = "seq, account, uuid, topic, ts, length(body)"


def read_heads_down(
    log: apsw.Connection, query: EventQuery, before: int | None, limit: int, most_rows: int
) -> EventPage:
    """As `History.events`."""
    conditions, values = _conditions(query)
    found: list[EventHead] = []
    looked_at = 0
    with snapshot(log):
        high = before
        while True:
            newest = _newest_below(log, high)
            if not newest:
                return EventPage(tuple(found), None)
            if looked_at >= most_rows:
                return EventPage(tuple(found), Position(newest + 1))
            low = max(1, newest - WINDOW + 1)
            page = rows(
                log,
                f"SELECT {HEAD_COLUMNS} FROM event "  # noqa: S608 - constants
                f"WHERE seq BETWEEN ? AND ?{conditions} ORDER BY seq DESC LIMIT ?",
                (low, newest, *values, limit - len(found)),
            )
            found += map(_head, page)
            if len(found) >= limit:
                return EventPage(tuple(found), found[-1].position)
            looked_at += newest - low + 1
            high = low


def read_stretch(
    log: apsw.Connection, query: EventQuery, span: tuple[int, int], *, limit: int, max_bytes: int, most_rows: int
) -> Stretch:
    """As `History.stretch`."""
    after, until = span
    conditions, values = _conditions(query)
    oldest = single(log, "SELECT min(seq) FROM event WHERE seq > ?", (after,))
    if not oldest or oldest > until:
        return Stretch((), Position(until))
    last = min(until, oldest + most_rows - 1)
    events: list[LoggedEvent] = []
    size = 0
    cursor = log.execute(
        f"SELECT {COLUMNS} FROM event WHERE seq BETWEEN ? AND ?{conditions} ORDER BY seq",  # noqa: S608 - constants
        (oldest, last, *values),
    )
    try:
        for row in cursor:
            logged = event_of_row(row)
            size += len(logged.event.body)
            if events and (size > max_bytes or len(events) >= limit):
                return Stretch(tuple(events), events[-1].position)
            events.append(logged)
    finally:
        cursor.close()
    return Stretch(tuple(events), Position(last))


def read_heads_at(
    log: apsw.Connection, delivery: apsw.Connection, positions: Sequence[Position]
) -> dict[Position, EventHead]:
    """As `History.heads`. The log first: an event is kept before it is trimmed."""
    if not positions:  # an empty array has no address that SQLite would take
        return {}
    found = rows(
        log,
        "SELECT e.seq, e.account, e.uuid, e.topic, e.ts, length(e.body) "
        "FROM carray(?) a CROSS JOIN event e ON e.seq = a.value",
        (apsw.carray(array.array("q", positions)),),
    )
    heads = {Position(row[0]): _head(row) for row in found}
    missing = [position for position in positions if position not in heads]
    if missing:
        heads |= {position: _head_of(position, event) for position, event in read_kept(delivery, missing).items()}
    return heads


def _newest_below(log: apsw.Connection, before: int | None) -> int:
    if before is None:
        return single(log, "SELECT max(seq) FROM event")
    return single(log, "SELECT max(seq) FROM event WHERE seq < ?", (before,))


def _conditions(query: EventQuery) -> tuple[str, tuple[str | int, ...]]:
    conditions = ""
    values: list[str | int] = []
    for sql, value in (
        ("account = ?", query.account),
        ("uuid = ?", query.uuid),
        ("topic = ?", query.topic),
        ("ts >= ?", query.from_ms),
        ("ts < ?", query.until_ms),
    ):
        if value is not None:
            conditions += f" AND {sql}"
            values.append(value)
    if query.topic_patterns:
        conditions += f" AND ({' OR '.join(['topic GLOB ?'] * len(query.topic_patterns))})"
        values += [pattern.replace("[", "[[]").replace("?", "[?]") for pattern in query.topic_patterns]
    return conditions, tuple(values)


def _head(row: tuple[Any, ...]) -> EventHead:
    seq, account, uuid, topic, timestamp_ms, size_bytes = row
    return EventHead(Position(seq), AccountId(account), uuid, topic, timestamp_ms, size_bytes)


def _head_of(position: Position, event: Event) -> EventHead:
    return EventHead(position, event.account, event.uuid, event.topic, event.timestamp_ms, len(event.body))
