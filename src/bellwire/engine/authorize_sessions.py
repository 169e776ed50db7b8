"""OAuth sessions: opened, refreshed with grace, looked up at every request, ended (wire contract, 1.4 and 1.5).

    open ──▶ pair 1 ──refresh──▶ pair 2 ──refresh──▶ … ──▶ ended (revoked, or the sixth of this user and application)
                        │
                        └─ pair 1's refresh token again: pair 2 once more, for 60 min while pair 2's access token is
                           unused, for 10 s after its first use; after that OAU-213. Pair 1's access token dies at once.

Present sessions are cached by access token, so that a request costs no read. Their use is known here to the second and
written rarely: at the first use of an access token, for the grace, and then at most every five minutes.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bellwire.engine.authorize_clients import why_not_signed_in
from bellwire.engine.secrets import hash_secret, new_secret
from bellwire.errors import OAuthRefused, Unauthenticated
from bellwire.model.directory import Extension
from bellwire.model.identity import Application, Caller, Grant, Session, TokenPair
from bellwire.model.ids import SessionId
from bellwire.model.permission import Permission
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory, Installation, SessionStore

MAX_PARALLEL_SESSIONS = 5
GRACE_UNUSED = timedelta(minutes=60)
GRACE_USED = timedelta(seconds=10)
_WRITE_USE_EVERY = timedelta(minutes=5)
_TOKEN_LENGTH = 43
_TOKEN = re.compile(r"[A-Za-z0-9\-_.~]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long tokens are to live, in seconds, already clamped (`wire/oauth.py`)."""

    access_seconds: int
    refresh_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedTokens:
    """The answer of the token endpoint."""

    access_token: str
    expires_in: int
    refresh_token: str | None
    refresh_token_expires_in: int | None
    session: Session


@dataclass(slots=True)
class _Live:
    session: Session
    last_used_at: datetime


class Sessions:
    """All OAuth sessions of this installation. One process writes them (`ports/identity.py`)."""

    def __init__(
        self,
        *,
        store: SessionStore,
        directory: Directory,
        installation: Installation,
        clock: Clock,
        cached: int = 10_000,
    ) -> None:
        self._store = store
        self._directory = directory
        self._installation = installation
        self._clock = clock
        self._cached = cached
        self._by_access: OrderedDict[bytes, _Live] = OrderedDict()
        self._access_of: dict[SessionId, bytes] = {}
        self._is_connected: Callable[[SessionId], bool] = lambda _: False
        # Reading a session, deciding and writing it is one step: two refreshes at once must get the same pair.
        self._changing = asyncio.Lock()
        store.on_session_end(self._forget)

    def spare(self, is_connected: Callable[[SessionId], bool]) -> None:
        """Which sessions are used without their access tokens being shown: those with open sockets."""
        self._is_connected = is_connected

    async def open(
        self,
        application: Application,
        extension: Extension,
        *,
        scope: frozenset[Permission],
        lifetimes: Lifetimes,
        endpoint_id: str | None,
    ) -> GrantedTokens:
        """Log a user in. Of more than five sessions of one user and application the least recently used ends; those
        with open sockets are in use."""
        now = self._clock.now()
        access, refresh = new_secret(), self._new_refresh(application)
        session = Session(
            id=SessionId(str(uuid.uuid4())),
            client_id=application.client_id,
            extension_id=extension.id,
            account_id=extension.account_id,
            scope=scope,
            endpoint_id=endpoint_id or str(uuid.uuid4()),
            tokens=_pair(access, refresh, lifetimes, now),
            refresh_ttl_seconds=lifetimes.refresh_seconds,
            created_at=now,
            last_used_at=now,
        )
        async with self._changing:
            others = [s for s in await self._store.sessions_of(application.client_id, extension.id) if _lives(s, now)]
            others.sort(key=lambda other: (self._is_connected(other.id), self._last_used(other)))
            for least_used in others[: max(0, len(others) - MAX_PARALLEL_SESSIONS + 1)]:
                await self._store.remove_session(least_used.id)
            await self._store.save_session(session)
        return _granted(session, access, refresh, now)

    async def owner_of(self, token: str) -> Session | None:
        """Whose access or refresh token this is, present or just replaced. Decides nothing about its worth."""
        token_hash = hash_secret(token)
        return await self._store.session_by_refresh(token_hash) or await self._store.session_by_access(token_hash)

    async def refresh(
        self,
        application: Application,
        refresh_token: str,
        *,
        access_seconds: int,
        refresh_seconds: int | None,
    ) -> GrantedTokens:
        """A new pair for a refresh token, or within the grace the present pair once more.

        Args:
            refresh_seconds: the new refresh token's life; None: as long as the last one's.

        Raises:
            OAuthRefused: unknown, spent, expired, another application's, or of a user that may not log in now.
        """
        token_hash = hash_secret(refresh_token)
        async with self._changing:
            session = await self._store.session_by_refresh(token_hash)
            if session is None or session.client_id != application.client_id:
                raise _no_refresh("Refresh token is not found")
            extension = self._directory.extension(session.extension_id)
            if (reason := why_not_signed_in(self._directory, extension, application)) is not None:
                raise OAuthRefused("invalid_grant", "OAU-141", reason)
            now = self._clock.now()
            if session.tokens.refresh_hash != token_hash:
                return self._present_pair_again(session, now)
            if session.tokens.refresh_expires_at is None or session.tokens.refresh_expires_at <= now:
                raise _no_refresh("Refresh token is expired")
            access, refresh = new_secret(), new_secret()
            lifetimes = Lifetimes(
                access_seconds=access_seconds,
                refresh_seconds=session.refresh_ttl_seconds if refresh_seconds is None else refresh_seconds,
            )
            renewed = replace(
                session,
                tokens=_pair(access, refresh, lifetimes, now),
                refresh_ttl_seconds=lifetimes.refresh_seconds,
                last_used_at=now,
                previous_access_hash=session.tokens.access_hash,
                previous_refresh_hash=token_hash,
                refreshed_at=now,
                present_pair_sealed=self._installation.seal(json.dumps([access, refresh])),
                present_access_used_at=None,
            )
            await self._store.save_session(renewed)
            self._forget(session.id)
            return _granted(renewed, access, refresh, now)

    def _present_pair_again(self, session: Session, now: datetime) -> GrantedTokens:
        used_at = session.present_access_used_at
        since, grace = (session.refreshed_at, GRACE_UNUSED) if used_at is None else (used_at, GRACE_USED)
        if since is None or session.present_pair_sealed is None or now > since + grace:
            raise _no_refresh("Refresh token is spent")
        access, refresh = json.loads(self._installation.unseal(session.present_pair_sealed))
        return _granted(session, access, refresh, now)

    async def caller(self, access_token: str) -> Caller:
        """Who shows this access token; notes that it was used.

        Raises:
            Unauthenticated: OAU-149 unparsable, OAU-129 corrupted, OAU-213 unknown or replaced, OAU-128 expired,
                OAU-141 when user, account or application may not be signed in now.
        """
        if _TOKEN.fullmatch(access_token) is None:
            raise Unauthenticated("OAU-149", "Unparsable access token")
        if len(access_token) != _TOKEN_LENGTH:
            raise Unauthenticated("OAU-129", "Access token corrupted")
        access_hash = hash_secret(access_token)
        live = self._by_access.get(access_hash) or await self._read(access_hash)
        session, now = live.session, self._clock.now()
        if session.tokens.access_expires_at <= now:
            raise Unauthenticated("OAU-128", "Access token expired")
        application = self._directory.application(session.client_id)
        if application is None:
            raise Unauthenticated("OAU-141", "The application does not exist any more")
        extension = self._directory.extension(session.extension_id)
        if (reason := why_not_signed_in(self._directory, extension, application)) is not None:
            raise Unauthenticated("OAU-141", reason)
        live.last_used_at = now
        self._by_access.move_to_end(access_hash)  # no await since it was found or kept
        if _use_is_unwritten(session, now):
            await self._write_use(access_hash, now)
        return Caller(
            session_id=session.id,
            client_id=session.client_id,
            account_id=session.account_id,
            extension_id=session.extension_id,
            scope=session.scope & application.permissions,
            rate_limit_factor=application.rate_limit_factor,
        )

    def still(self, caller: Caller) -> Caller:
        """Who a caller of before is now, for one who stays connected longer than an access token lives.

        Raises:
            Unauthenticated: OAU-141, as `caller`.
        """
        application = self._directory.application(caller.client_id)
        if application is None:
            raise Unauthenticated("OAU-141", "The application does not exist any more")
        extension = self._directory.extension(caller.extension_id)
        if (reason := why_not_signed_in(self._directory, extension, application)) is not None:
            raise Unauthenticated("OAU-141", reason)
        return replace(
            caller,
            scope=caller.scope & application.permissions,
            rate_limit_factor=application.rate_limit_factor,
        )

    async def _read(self, access_hash: bytes) -> _Live:
        async with self._changing:
            session = await self._store.session_by_access(access_hash)
            if session is None:
                raise Unauthenticated("OAU-213", "Access token is not found")
            if session.tokens.access_hash != access_hash:
                raise Unauthenticated("OAU-213", "Access token is replaced by a refresh")
            live = _Live(session, session.last_used_at)
            self._keep(live)
            return live

    async def _write_use(self, access_hash: bytes, now: datetime) -> None:
        async with self._changing:
            live = self._by_access.get(access_hash)
            if live is None or not _use_is_unwritten(live.session, now):  # ended, refreshed or written while waiting
                return
            used = replace(
                live.session,
                last_used_at=now,
                present_access_used_at=live.session.present_access_used_at or now,
            )
            live.session = used
            await self._store.save_session(used)

    async def end(self, session: SessionId) -> None:
        """End a session, all its tokens at once."""
        async with self._changing:
            await self._store.remove_session(session)
            self._forget(session)

    async def sweep(self, limit: int = 1000) -> int:
        """Remove sessions and codes that nobody can use any more; to be called now and then. Returns how many."""
        return await self._store.remove_expired(self._clock.now(), limit)

    def _last_used(self, session: Session) -> datetime:
        live = self._by_access.get(session.tokens.access_hash)
        return session.last_used_at if live is None else max(session.last_used_at, live.last_used_at)

    def _keep(self, live: _Live) -> None:
        access_hash = live.session.tokens.access_hash
        self._by_access[access_hash] = live
        self._access_of[live.session.id] = access_hash
        while len(self._by_access) > self._cached:
            _, dropped = self._by_access.popitem(last=False)
            self._access_of.pop(dropped.session.id, None)

    def _forget(self, session: SessionId) -> None:
        access_hash = self._access_of.pop(session, None)
        if access_hash is not None:
            self._by_access.pop(access_hash, None)

    def _new_refresh(self, application: Application) -> str | None:
        return new_secret() if Grant.REFRESH_TOKEN in application.grants else None


def _pair(access: str, refresh: str | None, lifetimes: Lifetimes, now: datetime) -> TokenPair:
    return TokenPair(
        access_hash=hash_secret(access),
        access_expires_at=now + timedelta(seconds=lifetimes.access_seconds),
        refresh_hash=None if refresh is None else hash_secret(refresh),
        refresh_expires_at=None if refresh is None else now + timedelta(seconds=lifetimes.refresh_seconds),
    )


def _granted(session: Session, access: str, refresh: str | None, now: datetime) -> GrantedTokens:
    refresh_ends = session.tokens.refresh_expires_at
    return GrantedTokens(
        access_token=access,
        expires_in=_seconds_until(session.tokens.access_expires_at, now),
        refresh_token=refresh,
        refresh_token_expires_in=None if refresh_ends is None else _seconds_until(refresh_ends, now),
        session=session,
    )


def _seconds_until(end: datetime, now: datetime) -> int:
    """Rounded up: a repeated answer a moment later says the same number, which JS asks for the next time."""
    return max(0, math.ceil((end - now).total_seconds()))


def _use_is_unwritten(session: Session, now: datetime) -> bool:
    return session.present_access_used_at is None or now - session.last_used_at >= _WRITE_USE_EVERY


def _lives(session: Session, now: datetime) -> bool:
    ends = session.tokens.refresh_expires_at
    return now < session.tokens.access_expires_at or (ends is not None and now < ends)


def _no_refresh(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_grant", "OAU-213", description)
