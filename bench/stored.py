"""Subscriptions that are there before the server starts: written straight into the records' database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy import create_engine, insert

from bellwire.model.subscription import Subscription
from bellwire.storage.records import tables
from bellwire.storage.records.rows import columns, subscription_row
from bench.filter_memory import SCATTER, a_subscription

PAGE = 10_000


def store(directory: Path, subscriptions: Iterable[Subscription]) -> None:
    """Add subscriptions to a data directory that a server made and does not use now."""
    engine = create_engine(f"sqlite:///{directory / 'records.db'}")
    for page in _pages(subscriptions):
        with engine.begin() as connection:
            connection.execute(insert(tables.subscription), [subscription_row(one) for one in page])
            connection.execute(
                insert(tables.filter_version),
                [{"subscription_id": one.id, **columns(version)} for one in page for version in one.versions],
            )
    engine.dispose()


def _pages(subscriptions: Iterable[Subscription]) -> Iterator[list[Subscription]]:
    left = iter(subscriptions)
    while page := list(islice(left, PAGE)):
        yield page


def multiply(directory: Path, count: int) -> None:
    """Store `count` subscriptions of one filter each, filter_memory.py's workload, in a tenth of the time: the first
    five are stored, and SQLite makes the others of them. Their ids are in no order, as those of a real server."""
    repeat = 5  # the workload has so many kinds of filters
    store(directory, (a_subscription(number, 1) for number in range(min(count, repeat))))
    id_ = f"printf('%08x-0000-4000-8000-%012d', (n * {SCATTER}) % 4294967296, n)"
    made = {
        "id": id_,
        "subscription_id": id_,
        "owner_id": "CAST(2000000 + n AS TEXT)",
        "address": "'https://receiver.example.com/hooks/' || n",
        "filters": (
            "replace(replace(filters, '/' || (2000000 + kind) || '/', '/' || (2000000 + n) || '/'), "
            "printf('+1555%07d', kind), printf('+1555%07d', n))"
        ),
    }
    numbers = f"WITH RECURSIVE number(n) AS (SELECT {repeat} UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {count})"
    engine = create_engine(f"sqlite:///{directory / 'records.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA cache_size=-524288")
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        connection.commit()
        for table, key in ((tables.subscription, "id"), (tables.filter_version, "subscription_id")):
            names = [column.name for column in table.c]
            chosen = ", ".join(made.get(name, name) for name in names)
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({', '.join(names)}) {numbers} SELECT {chosen} FROM number CROSS JOIN "
                f"(SELECT *, CAST(substr({key}, -12) AS INTEGER) AS kind FROM {table.name} "
                f"WHERE {key} LIKE '%-0000-4000-8000-%') WHERE kind = n % {repeat}"
            )
        connection.commit()
    engine.dispose()
