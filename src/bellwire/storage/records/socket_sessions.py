"""Sessions of the WebSocket gateway. A row goes with its subscription's."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from bellwire.ports.socket_sessions import SocketSession
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records


class SqlSocketSessions:
    """`SocketSessionStore` over the records database."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def save(self, session: SocketSession) -> None:
        table = tables.socket_session

        def save(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.key == session.key))
            row = {"key": session.key, "subscription_id": session.subscription}
            connection.execute(insert(table).values({**row, "login": session.login, "user": session.user}))

        await self._records.write(save)

    async def all(self) -> list[SocketSession]:
        table = tables.socket_session
        statement = select(table.c.key, table.c.subscription_id, table.c.login, table.c.user)
        return await self._records.read(
            lambda connection: [
                SocketSession(key=key, subscription=subscription, login=login, user=user)
                for key, subscription, login, user in connection.execute(statement)
            ]
        )
