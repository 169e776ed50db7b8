"""Users who prove themselves with a password: whom a name means, and whether the password is theirs.

Names (wire contract, 1.3): a user name; a phone number of the account, and the extension after `*` or in its own field;
a direct number alone. Wrong passwords in a row lock the login for a while (OAU-147); the attempt is counted before
the password is tried, so that guesses in parallel don't get more than that many.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from bellwire.engine.secrets import MAX_PASSWORD_BYTES, hash_password, verify_password
from bellwire.errors import OAuthRefused, Unavailable
from bellwire.model.directory import Extension
from bellwire.model.identity import UserLogin
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Directory
from bellwire.wire.oauth import phone_digits

_PARALLEL_TRIES = 4
"""Each takes 16 MiB and a thread."""


class Passwords:
    """Checks names and passwords, off the event loop, and locks logins that are guessed at."""

    def __init__(
        self,
        *,
        directory: Directory,
        credentials: CredentialStore,
        clock: Clock,
        max_failed_attempts: int = 6,
        lock: timedelta = timedelta(minutes=5),
        max_waiting: int = 64,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._clock = clock
        self._max_failed_attempts = max_failed_attempts
        self._lock = lock
        self._max_waiting = max_waiting
        self._counting = asyncio.Lock()
        self._trying = asyncio.Semaphore(_PARALLEL_TRIES)
        self._waiting = 0
        self._nobodys_hash: bytes | None = None

    async def find(self, username: str, extension: str | None) -> ExtensionId | None:
        """Whom a name means, whether or not there is a password; None: nobody."""
        number, star, after_star = username.partition("*")
        if star:
            if extension is not None and extension != after_star:
                return None
            extension, username = after_star, number
        digits = phone_digits(username)
        if digits is not None and (found := self._by_number(digits, extension)) is not None:
            return found
        if star:
            return None
        login = await self._credentials.login_named(username)
        if login is None:
            return None
        found_extension = self._directory.extension(login.extension_id)
        if extension is not None and (found_extension is None or found_extension.extension_number != extension):
            return None
        return login.extension_id

    def _by_number(self, digits: str, extension: str | None) -> ExtensionId | None:
        number = "+" + digits
        for account in self._directory.accounts():
            if account.main_number == number:
                return self._in_account(account.id, extension)
        for account in self._directory.accounts():
            for owned in self._directory.numbers(account.id):
                if owned.phone_number == number:
                    return self._in_account(account.id, extension) if extension is not None else owned.extension_id
        return None

    def _in_account(self, account: AccountId, extension_number: str | None) -> ExtensionId | None:
        if extension_number is None:
            return None
        for extension in self._directory.extensions(account):
            if extension.extension_number == extension_number:
                return extension.id
        return None

    async def check(self, user: ExtensionId | None, password: str) -> Extension:
        """The user, if the password is the user's. Takes as long for nobody as for somebody.

        Raises:
            OAuthRefused: OAU-140, the same for an unknown user and a wrong password; OAU-147 while locked.
            Unavailable: too many passwords wait to be tried.
        """
        login = None if user is None else await self._count_attempt(user)
        stored = None if login is None else login.password_hash
        matches = await self._matches(password, stored)
        extension = None if user is None else self._directory.extension(user)
        if login is None or extension is None or not matches:
            raise _refused()
        await self._forget_attempts(login.extension_id)
        return extension

    async def _count_attempt(self, user: ExtensionId) -> UserLogin | None:
        async with self._counting:
            login = await self._credentials.login_of(user)
            if login is None:
                return None
            now = self._clock.now()
            if login.locked_until is not None and now < login.locked_until:
                seconds = max(1, int((login.locked_until - now).total_seconds()))
                raise OAuthRefused(
                    "invalid_grant",
                    "OAU-147",
                    f"The account is locked out due to multiple unsuccessful logon attempts; try again in {seconds} s",
                )
            failed = 1 if login.locked_until is not None else login.failed_attempts + 1
            locked_until = now + self._lock if failed >= self._max_failed_attempts else None
            login = replace(login, failed_attempts=failed, locked_until=locked_until)
            await self._credentials.save_login(login)
            return login

    async def _forget_attempts(self, user: ExtensionId) -> None:
        async with self._counting:
            login = await self._credentials.login_of(user)
            if login is not None and (login.failed_attempts or login.locked_until is not None):
                await self._credentials.save_login(replace(login, failed_attempts=0, locked_until=None))

    async def _matches(self, password: str, stored: bytes | None) -> bool:
        if self._waiting >= self._max_waiting:
            raise Unavailable("Too many passwords are being checked at this moment", retry_after_seconds=2)
        self._waiting += 1
        try:
            async with self._trying:
                if stored is not None:
                    return await asyncio.to_thread(verify_password, password, stored)
                if self._nobodys_hash is None:
                    self._nobodys_hash = await asyncio.to_thread(hash_password, "nobody")
                await asyncio.to_thread(verify_password, password[:MAX_PASSWORD_BYTES], self._nobodys_hash)
                return False
        finally:
            self._waiting -= 1


def _refused() -> OAuthRefused:
    return OAuthRefused("invalid_grant", "OAU-140", "Invalid resource owner credentials")
