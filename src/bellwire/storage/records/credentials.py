"""Logins, JWTs and keys. Keys are in memory too, by their hash: one is looked up at every publish."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, delete, select

from bellwire.model.identity import ApiKey, JwtCredential, KeyKind, UserLogin
from bellwire.model.ids import ExtensionId
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records
from bellwire.storage.records.directory import Removal, SqlDirectory
from bellwire.storage.records.rows import columns, fetch, put


class SqlCredentialStore:
    """`CredentialStore` over the records database."""

    def __init__(self, records: Records, directory: SqlDirectory) -> None:
        self._records = records
        self._keys: dict[str, ApiKey] = {}
        self._keys_by_hash: dict[bytes, ApiKey] = {}
        directory.on_removal(self._after_removal)

    async def load(self) -> None:
        """Read the keys; once, before anything is asked."""
        for key in await self._records.read(lambda connection: fetch(connection, ApiKey, select(tables.api_key))):
            self._put_key(key)

    async def login_of(self, extension: ExtensionId) -> UserLogin | None:
        return await self._login(tables.user_login.c.extension_id == extension)

    async def login_named(self, user_name: str) -> UserLogin | None:
        return await self._login(tables.user_login.c.user_name == user_name)

    async def save_login(self, login: UserLogin) -> None:
        await self._records.write(lambda connection: put(connection, tables.user_login, columns(login)))

    async def jwt(self, jti: str) -> JwtCredential | None:
        found = await self._jwts(tables.jwt_credential.c.jti == jti)
        return found[0] if found else None

    async def jwts_of(self, extension: ExtensionId) -> list[JwtCredential]:
        return await self._jwts(tables.jwt_credential.c.extension_id == extension)

    async def save_jwt(self, credential: JwtCredential) -> None:
        await self._records.write(lambda connection: put(connection, tables.jwt_credential, columns(credential)))

    async def keys(self, kind: KeyKind) -> list[ApiKey]:
        """Oldest first."""
        return sorted(
            (key for key in self._keys.values() if key.kind is kind), key=lambda key: (key.created_at, key.id)
        )

    async def save_key(self, key: ApiKey) -> None:
        await self._records.write(
            lambda connection: put(connection, tables.api_key, columns(key)), then=lambda _: self._put_key(key)
        )

    async def remove_key(self, key_id: str) -> None:
        await self._records.write(
            lambda connection: _delete_key(connection, key_id), then=lambda _: self._drop_key(key_id)
        )

    def key_with_hash(self, key_hash: bytes) -> ApiKey | None:
        return self._keys_by_hash.get(key_hash)

    async def _login(self, condition: tables.Condition) -> UserLogin | None:
        statement = select(tables.user_login).where(condition)
        found = await self._records.read(lambda connection: fetch(connection, UserLogin, statement))
        return found[0] if found else None

    async def _jwts(self, condition: tables.Condition) -> list[JwtCredential]:
        columns_ = tables.jwt_credential.c
        statement = select(tables.jwt_credential).where(condition).order_by(columns_.created_at, columns_.jti)
        return await self._records.read(lambda connection: fetch(connection, JwtCredential, statement))

    def _put_key(self, key: ApiKey) -> None:
        self._drop_key(key.id)
        self._keys[key.id] = key
        self._keys_by_hash[key.key_hash] = key

    def _drop_key(self, key_id: str) -> None:
        key = self._keys.pop(key_id, None)
        if key is not None:
            del self._keys_by_hash[key.key_hash]

    def _after_removal(self, removal: Removal) -> None:
        """The same in memory as the foreign keys do on disk."""
        for key in list(self._keys.values()):
            if key.account_id in removal.accounts:
                self._drop_key(key.id)
            elif key.default_account_id in removal.accounts:
                self._put_key(replace(key, default_account_id=None))


def _delete_key(connection: Connection, key_id: str) -> None:
    connection.execute(delete(tables.api_key).where(tables.api_key.c.id == key_id))
