"""Provisioning of what proves who someone is: users' names and passwords, JWTs, publisher and admin keys."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.provision_api_keys import new_api_key
from bellwire.engine.provision_commands import (
    MIN_PASSWORD_CHARACTERS,
    KeyChanges,
    LoginChanges,
    NewAdminKey,
    NewJwt,
    NewPublisherKey,
)
from bellwire.engine.provision_scope import Desk, Page, Scope, duplicate, not_found, page_of, unknown_reference
from bellwire.engine.secrets import MAX_PASSWORD_BYTES, hash_password, hash_secret
from bellwire.errors import Conflict, InvalidRequest
from bellwire.model.directory import Status
from bellwire.model.identity import ApiKey, JwtCredential, KeyKind, UserLogin
from bellwire.model.ids import ClientId, ExtensionId

MAX_JWTS_OF_A_USER = 1000
LONGEST_JWT_LIFE = timedelta(days=36525)


class Logins:
    """Users' names and passwords."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def get(self, scope: Scope, extension: ExtensionId) -> UserLogin:
        """Of a user without a login, an empty one."""
        user = self._desk.reach.extension(scope, extension)
        login = await self._desk.credentials.login_of(user.id)
        return login or UserLogin(extension_id=user.id, user_name=None, password_hash=None)

    async def change(self, scope: Scope, extension: ExtensionId, changes: LoginChanges) -> UserLogin:
        """Set the user's name, password or both; a new password also lifts a lock."""
        self._desk.reach.extension(scope, extension)
        password_hash = None
        if changes.password is not None:
            password_hash = await _hashed(changes.password.get_secret_value())
        async with self._desk.changing:
            login = await self.get(scope, extension)
            if changes.user_name is not None:
                await self._require_free(changes.user_name, extension)
            if "user_name" in changes.changes():
                login = replace(login, user_name=changes.user_name)
            if password_hash is not None:
                login = replace(login, password_hash=password_hash, failed_attempts=0, locked_until=None)
            await self._desk.credentials.save_login(login)
            return login

    async def delete_password(self, scope: Scope, extension: ExtensionId) -> None:
        """The user can't log in with a password any more; the user name stays."""
        async with self._desk.changing:
            login = await self.get(scope, extension)
            if login.password_hash is None:
                raise not_found("password", extension)
            await self._desk.credentials.save_login(replace(login, password_hash=None))

    async def _require_free(self, user_name: str, own: ExtensionId) -> None:
        other = await self._desk.credentials.login_named(user_name)
        if other is not None and other.extension_id != own:
            raise duplicate("userName", user_name)


async def _hashed(password: str) -> bytes:
    size = len(password.encode("utf-8", "surrogatepass"))
    if len(password) < MIN_PASSWORD_CHARACTERS or size > MAX_PASSWORD_BYTES:
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [password] value is invalid: a password has at least {MIN_PASSWORD_CHARACTERS} characters and "
            f"at most {MAX_PASSWORD_BYTES} bytes of UTF-8",
            parameter="password",
        )
    return await asyncio.to_thread(hash_password, password)


@dataclass(frozen=True, slots=True)
class JwtWithToken:
    """A JWT's credential with the token itself, which is shown this once."""

    credential: JwtCredential
    token: str


class Jwts:
    """JWTs that log in as one user. Deleting one revokes it: its record stays, and says so."""

    def __init__(self, desk: Desk, minting: UserJwts) -> None:
        self._desk = desk
        self._minting = minting

    async def page(
        self, scope: Scope, extension: ExtensionId, *, cursor: str | None = None, limit: int
    ) -> Page[JwtCredential]:
        user = self._desk.reach.extension(scope, extension)
        credentials = await self._desk.credentials.jwts_of(user.id)
        return page_of(credentials, lambda credential: credential.jti, cursor=cursor, limit=limit)

    async def create(self, scope: Scope, extension: ExtensionId, new: NewJwt) -> JwtWithToken:
        async with self._desk.changing:
            user = self._desk.reach.extension(scope, extension)
            for position, client in enumerate(new.client_ids):
                application = self._desk.directory.application(client)
                if application is None or application.account_id not in (None, user.account_id):
                    raise unknown_reference(
                        f"clientIds[{position}]", client, "is not an application that this user can log in with"
                    )
            expires_at = self._checked_expiry(new.expires_at)
            if len(await self._desk.credentials.jwts_of(user.id)) >= MAX_JWTS_OF_A_USER:
                raise Conflict("CMN-101", f"A user has at most {MAX_JWTS_OF_A_USER} JWTs, revoked ones included")
            token, credential = self._minting.mint_jwt(
                user.id, client_ids=_each_once(new.client_ids), expires_at=expires_at, label=new.label
            )
            await self._desk.credentials.save_jwt(credential)
            return JwtWithToken(credential, token)

    async def revoke(self, scope: Scope, extension: ExtensionId, jti: str) -> None:
        async with self._desk.changing:
            user = self._desk.reach.extension(scope, extension)
            credential = await self._desk.credentials.jwt(jti)
            if credential is None or credential.extension_id != user.id or credential.revoked:
                raise not_found("jti", jti)
            await self._desk.credentials.save_jwt(replace(credential, revoked=True))

    def _checked_expiry(self, expires_at: datetime | None) -> datetime | None:
        if expires_at is None:
            return None
        now = self._desk.clock.now()
        if not now < expires_at < now + LONGEST_JWT_LIFE:
            raise InvalidRequest(
                "CMN-101",
                "Parameter [expiresAt] value is invalid: it has to lie ahead, and not more than 100 years; "
                "leave it out for a JWT that does not expire",
                parameter="expiresAt",
                value=expires_at.isoformat(),
            )
        return expires_at.astimezone(UTC)


def _each_once(clients: tuple[ClientId, ...]) -> tuple[ClientId, ...]:
    return tuple(dict.fromkeys(clients))


@dataclass(frozen=True, slots=True)
class KeyWithSecret:
    """A key's record with the key itself, which is shown this once."""

    record: ApiKey
    key: str


class Keys:
    """Publisher or admin keys, for all accounts or one."""

    def __init__(self, desk: Desk, kind: KeyKind) -> None:
        self._desk = desk
        self._kind = kind

    async def page(self, scope: Scope, *, cursor: str | None = None, limit: int) -> Page[ApiKey]:
        return page_of(await self._reached(scope), lambda key: key.id, cursor=cursor, limit=limit)

    async def get(self, scope: Scope, key_id: str) -> ApiKey:
        for key in await self._reached(scope):
            if key.id == key_id:
                return key
        raise not_found("keyId", key_id)

    async def create(self, scope: Scope, new: NewAdminKey) -> KeyWithSecret:
        """Make a key; one that a key of one account makes is good for that account.

        Args:
            new: for a publisher key a `NewPublisherKey`, which may name a default account.
        """
        account = new.account_id if new.account_id is not None else scope.account_id
        default = new.default_account_id if isinstance(new, NewPublisherKey) else None
        async with self._desk.changing:
            if account is not None:
                self._desk.reach.named_account(scope, account, "accountId")
            if default is not None:
                self._desk.reach.named_account(scope, default, "defaultAccountId")
                if account is not None:
                    raise unknown_reference(
                        "defaultAccountId", default, "is only for keys that are good for all accounts"
                    )
            secret = new_api_key(self._kind)
            record = ApiKey(
                id=str(uuid.uuid4()),
                kind=self._kind,
                label=new.label,
                key_hash=hash_secret(secret),
                account_id=account,
                default_account_id=default,
                created_at=self._desk.clock.now(),
            )
            await self._desk.credentials.save_key(record)
            return KeyWithSecret(record, secret)

    async def change(self, scope: Scope, key_id: str, changes: KeyChanges) -> ApiKey:
        async with self._desk.changing:
            present = await self.get(scope, key_id)
            changed = replace(present, **changes.changes())
            if changed.status is Status.DISABLED:
                await self._require_another_way_in(present)
            await self._desk.credentials.save_key(changed)
            return changed

    async def delete(self, scope: Scope, key_id: str) -> None:
        async with self._desk.changing:
            key = await self.get(scope, key_id)
            await self._require_another_way_in(key)
            await self._desk.credentials.remove_key(key.id)

    async def _reached(self, scope: Scope) -> tuple[ApiKey, ...]:
        return tuple(key for key in await self._desk.credentials.keys(self._kind) if scope.covers(key.account_id))

    async def _require_another_way_in(self, key: ApiKey) -> None:
        """Refuse to take away the last admin key that is good for all accounts: there is no other way to make one."""
        if self._kind is not KeyKind.ADMIN or not _opens_all(key):
            return
        others = [other for other in await self._desk.credentials.keys(KeyKind.ADMIN) if other.id != key.id]
        if not any(map(_opens_all, others)):
            raise Conflict(
                "CMN-101",
                "This is the last admin key that is good for all accounts: make another first",
                parameter="keyId",
            )


def _opens_all(key: ApiKey) -> bool:
    return key.account_id is None and key.status is Status.ENABLED
