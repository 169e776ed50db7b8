"""OAuth sessions and authorization codes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, delete, or_, select

from bellwire.model.identity import AuthorizationCode, Session
from bellwire.model.ids import ClientId, ExtensionId, SessionId
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records
from bellwire.storage.records.directory import Removal, SqlDirectory
from bellwire.storage.records.rows import columns, fetch, put, session_from, session_row


class SqlSessionStore:
    """`SessionStore` over the records database.

    Listeners also hear of the sessions that end with a removed account, extension or application.
    """

    def __init__(self, records: Records, directory: SqlDirectory) -> None:
        self._records = records
        self._listeners: list[Callable[[SessionId], None]] = []
        directory.on_removal(self._after_removal)

    async def session_by_access(self, access_hash: bytes) -> Session | None:
        session = tables.session.c
        return await self._one(or_(session.access_hash == access_hash, session.previous_access_hash == access_hash))

    async def session_by_refresh(self, refresh_hash: bytes) -> Session | None:
        session = tables.session.c
        return await self._one(or_(session.refresh_hash == refresh_hash, session.previous_refresh_hash == refresh_hash))

    async def sessions_of(self, client: ClientId, extension: ExtensionId) -> list[Session]:
        """Least recently used first."""
        session = tables.session.c
        statement = (
            select(tables.session)
            .where(session.client_id == client, session.extension_id == extension)
            .order_by(session.last_used_at, session.id)
        )
        return await self._records.read(
            lambda connection: [session_from(row) for row in connection.execute(statement).mappings()]
        )

    async def save_session(self, session: Session) -> None:
        await self._records.write(lambda connection: put(connection, tables.session, session_row(session)))

    async def remove_session(self, session: SessionId) -> None:
        def remove(connection: Connection) -> bool:
            return connection.execute(delete(tables.session).where(tables.session.c.id == session)).rowcount == 1

        await self._records.write(remove, then=lambda was_there: self._tell((session,) if was_there else ()))

    async def save_code(self, code: AuthorizationCode) -> None:
        await self._records.write(lambda connection: put(connection, tables.authorization_code, columns(code)))

    async def take_code(self, code_hash: bytes) -> AuthorizationCode | None:
        code = tables.authorization_code

        def take(connection: Connection) -> AuthorizationCode | None:
            found = fetch(connection, AuthorizationCode, select(code).where(code.c.code_hash == code_hash))
            connection.execute(delete(code).where(code.c.code_hash == code_hash))
            return found[0] if found else None

        return await self._records.write(take)

    async def remove_expired(self, now: datetime, limit: int) -> int:
        session, code = tables.session, tables.authorization_code

        def remove(connection: Connection) -> int:
            ended = select(session.c.id).where(session.c.ends_at <= now).limit(limit)
            count = connection.execute(delete(session).where(session.c.id.in_(ended))).rowcount
            unused = select(code.c.code_hash).where(code.c.expires_at <= now).limit(limit - count)
            return count + connection.execute(delete(code).where(code.c.code_hash.in_(unused))).rowcount

        return await self._records.write(remove)

    def on_session_end(self, listener: Callable[[SessionId], None]) -> None:
        self._listeners.append(listener)

    async def _one(self, condition: tables.Condition) -> Session | None:
        statement = select(tables.session).where(condition).limit(1)

        def find(connection: Connection) -> Session | None:
            row = connection.execute(statement).mappings().first()
            return session_from(row) if row else None

        return await self._records.read(find)

    def _after_removal(self, removal: Removal) -> None:
        self._tell(removal.sessions)

    def _tell(self, ended: tuple[SessionId, ...]) -> None:
        for session in ended:
            for listener in self._listeners:
                listener(session)
