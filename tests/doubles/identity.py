"""The identity ports in memory: a whole implementation, for tests of what stands on them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from cryptography.fernet import Fernet

from bellwire.model.directory import Account, Device, Extension, PhoneNumber, Status
from bellwire.model.identity import (
    ApiKey,
    Application,
    AuthorizationCode,
    JwtCredential,
    KeyKind,
    Session,
    UserLogin,
)
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SessionId


def every_account(_account: AccountId) -> Status:
    """For what asks only whether an account takes part: all do."""
    return Status.ENABLED


class MemoryIdentity:
    """`Directory`, `DirectoryWriter`, `CredentialStore` and `SessionStore` over dictionaries."""

    def __init__(self) -> None:
        self._accounts: dict[AccountId, Account] = {}
        self._extensions: dict[ExtensionId, Extension] = {}
        self._numbers: dict[str, PhoneNumber] = {}
        self._devices: dict[str, Device] = {}
        self._applications: dict[ClientId, Application] = {}
        self._logins: dict[ExtensionId, UserLogin] = {}
        self._jwts: dict[str, JwtCredential] = {}
        self._keys: dict[str, ApiKey] = {}
        self._sessions: dict[SessionId, Session] = {}
        self._codes: dict[bytes, AuthorizationCode] = {}
        self._listeners: list[Callable[[SessionId], None]] = []
        self.reads = 0
        """How often a session was looked for: what the cache in front is to save."""
        self.session_writes = 0

    def accounts(self) -> Sequence[Account]:
        return list(self._accounts.values())

    def account(self, account: AccountId) -> Account | None:
        return self._accounts.get(account)

    def extensions(self, account: AccountId) -> Sequence[Extension]:
        return [e for e in self._extensions.values() if e.account_id == account]

    def extension(self, extension: ExtensionId) -> Extension | None:
        return self._extensions.get(extension)

    def numbers(self, account: AccountId) -> Sequence[PhoneNumber]:
        return [n for n in self._numbers.values() if n.account_id == account]

    def number(self, phone_number: str) -> PhoneNumber | None:
        return next((n for n in self._numbers.values() if n.phone_number == phone_number), None)

    def devices(self, account: AccountId) -> Sequence[Device]:
        return [d for d in self._devices.values() if d.account_id == account]

    def applications(self) -> Sequence[Application]:
        return list(self._applications.values())

    def application(self, client: ClientId) -> Application | None:
        return self._applications.get(client)

    def watchers_of_line(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return [e.id for e in self._extensions.values() if extension in e.monitored_lines]

    def admirers_of(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return [e.id for e in self._extensions.values() if extension in e.favorites]

    async def save_account(self, account: Account) -> None:
        self._accounts[account.id] = account

    async def save_extension(self, extension: Extension) -> None:
        self._extensions[extension.id] = extension

    async def save_number(self, number: PhoneNumber) -> None:
        self._numbers[number.id] = number

    async def save_device(self, device: Device) -> None:
        self._devices[device.id] = device

    async def save_application(self, application: Application) -> None:
        self._applications[application.client_id] = application

    async def remove_account(self, account: AccountId) -> None:
        for extension in self.extensions(account):
            await self.remove_extension(extension.id)
        self._numbers = {k: n for k, n in self._numbers.items() if n.account_id != account}
        self._devices = {k: d for k, d in self._devices.items() if d.account_id != account}
        for application in [a for a in self._applications.values() if a.account_id == account]:
            await self.remove_application(application.client_id)
        self._keys = {
            k: replace(key, default_account_id=None) if key.default_account_id == account else key
            for k, key in self._keys.items()
            if key.account_id != account
        }
        self._accounts.pop(account, None)

    async def remove_extension(self, extension: ExtensionId) -> None:
        self._logins.pop(extension, None)
        self._jwts = {k: j for k, j in self._jwts.items() if j.extension_id != extension}
        for session in [s for s in self._sessions.values() if s.extension_id == extension]:
            await self.remove_session(session.id)
        self._codes = {k: c for k, c in self._codes.items() if c.extension_id != extension}
        self._extensions.pop(extension, None)
        for other in list(self._extensions.values()):
            self._extensions[other.id] = replace(
                other,
                monitored_lines=tuple(line for line in other.monitored_lines if line != extension),
                favorites=tuple(favorite for favorite in other.favorites if favorite != extension),
            )
        self._numbers = {
            k: replace(n, extension_id=None) if n.extension_id == extension else n for k, n in self._numbers.items()
        }
        self._devices = {
            k: replace(d, extension_id=None) if d.extension_id == extension else d for k, d in self._devices.items()
        }

    async def remove_number(self, number_id: str) -> None:
        self._numbers.pop(number_id, None)

    async def remove_device(self, device_id: str) -> None:
        self._devices.pop(device_id, None)

    async def remove_application(self, client: ClientId) -> None:
        for session in [s for s in self._sessions.values() if s.client_id == client]:
            await self.remove_session(session.id)
        self._codes = {k: c for k, c in self._codes.items() if c.client_id != client}
        self._applications.pop(client, None)

    async def login_of(self, extension: ExtensionId) -> UserLogin | None:
        return self._logins.get(extension)

    async def login_named(self, user_name: str) -> UserLogin | None:
        return next((login for login in self._logins.values() if login.user_name == user_name), None)

    async def save_login(self, login: UserLogin) -> None:
        self._logins[login.extension_id] = login

    async def jwt(self, jti: str) -> JwtCredential | None:
        return self._jwts.get(jti)

    async def jwts_of(self, extension: ExtensionId) -> list[JwtCredential]:
        return [j for j in self._jwts.values() if j.extension_id == extension]

    async def save_jwt(self, credential: JwtCredential) -> None:
        self._jwts[credential.jti] = credential

    async def keys(self, kind: KeyKind) -> list[ApiKey]:
        return [k for k in self._keys.values() if k.kind is kind]

    async def save_key(self, key: ApiKey) -> None:
        self._keys[key.id] = key

    async def remove_key(self, key_id: str) -> None:
        self._keys.pop(key_id, None)

    def key_with_hash(self, key_hash: bytes) -> ApiKey | None:
        return next((k for k in self._keys.values() if k.key_hash == key_hash), None)

    async def session_by_access(self, access_hash: bytes) -> Session | None:
        self.reads += 1
        return next(
            (s for s in self._sessions.values() if access_hash in (s.tokens.access_hash, s.previous_access_hash)), None
        )

    async def session_by_refresh(self, refresh_hash: bytes) -> Session | None:
        self.reads += 1
        return next(
            (s for s in self._sessions.values() if refresh_hash in (s.tokens.refresh_hash, s.previous_refresh_hash)),
            None,
        )

    async def sessions_of(self, client: ClientId, extension: ExtensionId) -> list[Session]:
        return [s for s in self._sessions.values() if s.client_id == client and s.extension_id == extension]

    async def save_session(self, session: Session) -> None:
        self.session_writes += 1
        self._sessions[session.id] = session

    async def remove_session(self, session: SessionId) -> None:
        if self._sessions.pop(session, None) is not None:
            for listener in self._listeners:
                listener(session)

    async def save_code(self, code: AuthorizationCode) -> None:
        self._codes[code.code_hash] = code

    async def take_code(self, code_hash: bytes) -> AuthorizationCode | None:
        return self._codes.pop(code_hash, None)

    async def remove_expired(self, now: datetime, limit: int) -> int:
        dead_codes = [c.code_hash for c in self._codes.values() if c.expires_at <= now][:limit]
        for code_hash in dead_codes:
            del self._codes[code_hash]
        dead_sessions = [s.id for s in self._sessions.values() if _is_over(s, now)][: limit - len(dead_codes)]
        for session in dead_sessions:
            await self.remove_session(session)
        return len(dead_codes) + len(dead_sessions)

    def on_session_end(self, listener: Callable[[SessionId], None]) -> None:
        self._listeners.append(listener)


def _is_over(session: Session, now: datetime) -> bool:
    ends = session.tokens.refresh_expires_at
    return session.tokens.access_expires_at <= now and (ends is None or ends <= now)


class MemoryInstallation:
    """`Installation` with keys of its own, gone with the object."""

    def __init__(self) -> None:
        self._id = str(uuid.uuid4())
        self._fernet = Fernet(Fernet.generate_key())
        self._memos: dict[str, str] = {}

    @property
    def id(self) -> str:
        return self._id

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def unseal(self, sealed: bytes) -> str:
        return self._fernet.decrypt(sealed).decode()

    @property
    def signing_key(self) -> bytes:
        return b"a signing key of thirty-two bytes or more, for tests"

    async def memo(self, name: str) -> str | None:
        return self._memos.get(name)

    async def set_memo(self, name: str, text: str) -> None:
        self._memos[name] = text
