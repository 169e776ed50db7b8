"""A subscription's latest attempts, out of the hourly tables. Read-only; see `attempt_tables` for their form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from bellwire.model.attempt import Attempt, FailureCode
from bellwire.model.ids import Position, SubscriptionId
from bellwire.storage.embedded.attempt_tables import COLUMNS, OUTCOME_OF, SEGMENT_ROWS, Hour, read_hours
from bellwire.storage.embedded.database import snapshot


def read_attempts(db: apsw.Connection, subscription: SubscriptionId, limit: int, most_hours: int) -> list[Attempt]:
    """At most `limit` attempts, newest first, out of the latest `most_hours` hours that have any."""
    found: list[Attempt] = []
    with snapshot(db):
        hours = [hour for hour in read_hours(db) if not hour.is_dropped]
        for hour in reversed(hours[-most_hours:]):
            for attempt in _newest_first(db, hour, subscription):
                if len(found) >= limit:
                    return found
                found.append(attempt)
    return found


def _newest_first(db: apsw.Connection, hour: Hour, subscription: SubscriptionId) -> Iterator[Attempt]:
    yield from _attempts(
        db,
        f"SELECT {COLUMNS} FROM {hour.table} WHERE id >= ? AND subscription = ? ORDER BY id DESC",  # noqa: S608 - ours
        (hour.indexed_to, subscription),
    )
    if hour.indexed_to == hour.first_id:
        return
    last_segment = hour.first_id + (hour.indexed_to - 1 - hour.first_id) // SEGMENT_ROWS * SEGMENT_ROWS
    for segment in range(last_segment, hour.first_id - 1, -SEGMENT_ROWS):
        yield from _attempts(
            db,
            f"SELECT {COLUMNS} FROM {hour.table} WHERE id IN "  # noqa: S608 - our names
            f"(SELECT id FROM {hour.index} WHERE segment = ? AND subscription = ?) ORDER BY id DESC",
            (segment, subscription),
        )


def _attempts(db: apsw.Connection, sql: str, bindings: tuple[int, str]) -> Iterator[Attempt]:
    cursor = db.execute(sql, bindings)
    try:
        for row in cursor:
            yield _attempt(row)
    finally:
        cursor.close()


def _attempt(row: tuple[Any, ...]) -> Attempt:
    (
        _,
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
    ) = row
    return Attempt(
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
    )
