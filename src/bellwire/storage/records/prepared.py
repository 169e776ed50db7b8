"""Statements of the busiest paths: compiled once, and given to the driver with values as it takes them.

SQLAlchemy looks at each value of each row (which type, which processor, which name), which for a group of 256 messages
costs several times what SQLite does. So the statements that every message goes through several times are written in
SQLAlchemy's language, like all others, and run without it. Values are the driver's: enumerations by their value,
instants in microseconds (`micros`, `moment`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Insert, Select, Update, bindparam

from bellwire.storage.records.tables import Instant

Statement = Select[Any] | Insert | Update | Delete
Values = tuple[object, ...]

_SMALLEST = 16
_INSTANT = Instant()


def micros(moment: datetime) -> int:
    """An instant as its column has it."""
    value = _INSTANT.process_bind_param(moment, None)  # type: ignore[arg-type]  # it needs no dialect
    assert value is not None
    return value


@lru_cache(4096)
def moment(value: int) -> datetime:
    """An instant from its column; kept, since a whole batch was made at one time."""
    found = _INSTANT.process_result_value(value, None)  # type: ignore[arg-type]  # as above
    assert found is not None
    return found


class Prepared:
    """One statement.

    Args:
        names: of its values, in the order in which the compiled statement takes them, which is compared.
    """

    def __init__(self, statement: Statement, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = list(names)
        self._compiled: dict[str, str] = {}

    def many(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Run it once for each row."""
        if rows:
            connection.exec_driver_sql(self._sql(connection.dialect), list(rows))

    def rows(self, connection: Connection, *values: object) -> Sequence[Any]:
        """Run it once; what it finds, as the driver gives it."""
        return connection.exec_driver_sql(self._sql(connection.dialect), values).all()

    def _sql(self, dialect: Dialect) -> str:
        sql = self._compiled.get(dialect.name)
        if sql is None:
            sql = self._compiled[dialect.name] = _compile(self._statement, self._names, dialect)
        return sql


class OfKeys:
    """A statement about rows with one of some keys. To have few forms of it, keys are filled up to a power of two."""

    def __init__(self, make: Callable[[Sequence[BindParameter[Any]]], Statement]) -> None:
        """`make`: the statement for so many keys, which are its only values."""
        self._make = make
        self._by_size: dict[tuple[str, int], str] = {}

    def rows(self, connection: Connection, keys: Sequence[object]) -> Sequence[Any]:
        """What a query finds for at least one key, as the driver gives it."""
        return self._run(connection, keys).all() if keys else []

    def run(self, connection: Connection, keys: Sequence[object]) -> None:
        """Carry out a change."""
        if keys:
            self._run(connection, keys)

    def _run(self, connection: Connection, keys: Sequence[object]) -> Any:
        size = max(_SMALLEST, 1 << (len(keys) - 1).bit_length())
        place = connection.dialect.name, size
        sql = self._by_size.get(place)
        if sql is None:
            names = [f"key_{number}" for number in range(size)]
            statement = self._make([bindparam(name) for name in names])
            sql = self._by_size[place] = _compile(statement, names, connection.dialect)
        return connection.exec_driver_sql(sql, (*keys, *[keys[-1]] * (size - len(keys))))


def _compile(statement: Statement, names: list[str], dialect: Dialect) -> str:
    columns = names if isinstance(statement, Insert) and statement.select is None else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    assert list(compiled.positiontup or ()) == names, f"values come as {compiled.positiontup}, not as {names}"
    return str(compiled)
