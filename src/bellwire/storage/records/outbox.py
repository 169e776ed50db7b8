"""The outbox over its table: changes of records put the events that tell of them in, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from bellwire.model.event import Event
from bellwire.model.ids import AccountId
from bellwire.ports.outbox import Outgoing
from bellwire.sms.events import SmsEvent
from bellwire.storage.records.database import Records
from bellwire.storage.records.prepared import Prepared, Values
from bellwire.storage.records.sms_tables import outbox

T = TypeVar("T")

Change = Callable[[Connection, list[SmsEvent]], T]
"""A transaction that appends to the list what it has to say."""


_COLUMNS = ("account_id", "topic", "uuid", "body", "timestamp_ms")
_PUT = Prepared(insert(outbox), _COLUMNS)
_FIRST = Prepared(
    select(outbox.c.id, *(outbox.c[name] for name in _COLUMNS))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
    .offset(bindparam("skipped")),
    ["most", "skipped"],
)


class SqlOutbox:
    """`Outbox`, and the way to put something in."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._listeners: list[Callable[[int], None]] = []

    def on_put(self, listener: Callable[[int], None]) -> None:
        self._listeners.append(listener)

    async def write(self, change: Change[T]) -> T:
        """Run a change, and put in what it says, in one transaction; durable when this returns."""

        def transaction(connection: Connection) -> tuple[T, int]:
            said: list[SmsEvent] = []
            result = change(connection, said)
            if said:
                _PUT.many(connection, [_row(event) for event in said])
            return result, len(said)

        result, _ = await self._records.write(transaction, then=self._put)
        return result

    async def size(self) -> int:
        count = select(func.count()).select_from(outbox)
        return await self._records.read(lambda connection: connection.execute(count).scalar_one())

    async def first(self, limit: int) -> list[Outgoing]:
        def read(connection: Connection) -> list[Outgoing]:
            return [
                Outgoing(
                    place,
                    Event(
                        account=AccountId(account),
                        uuid=uuid,
                        chosen=True,
                        topic=topic,
                        timestamp_ms=timestamp_ms,
                        body=body,
                    ),
                )
                for place, account, topic, uuid, body, timestamp_ms in _FIRST.rows(connection, limit, 0)
            ]

        return await self._records.read(read)

    async def remove(self, through: int) -> int:
        statement = delete(outbox).where(outbox.c.id <= through)
        return await self._records.write(lambda connection: connection.execute(statement).rowcount)

    def _put(self, outcome: tuple[object, int]) -> None:
        if outcome[1]:
            for listener in self._listeners:
                listener(outcome[1])


def _row(event: SmsEvent) -> Values:
    return event.account_id, event.topic, event.uuid, event.body, event.timestamp_ms
