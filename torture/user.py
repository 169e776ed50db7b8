"""A client of the compatible API that stays logged in, whatever happens to the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.faults.load import Server
from tests.e2e.raw_socket import Login
from torture.lives import BUSY, Lives

UNAUTHORIZED, INTERNAL_ERROR = 401, 500


@dataclass(frozen=True, slots=True)
class DemoUser:
    client_id: str
    client_secret: str
    jwt: str


class User:
    """One OAuth session, refreshed as its tokens end. `errors`: answers that no server should give."""

    def __init__(self, lives: Lives) -> None:
        self.errors: list[str] = []
        self.logins = 0
        self._lives = lives
        self._login: Login | None = None
        self._logging_in = asyncio.Lock()

    async def call(self, method: str, path: str, **arguments: Any) -> httpx.Response | None:
        """None where it was not answered, or to be asked again; then a moment has passed."""
        server, http = await self._lives.server()
        answer: httpx.Response | None = None
        try:
            login = await self.login(server, http)
            answer = await login.call(method, path, **arguments)
            if answer.status_code == UNAUTHORIZED:
                await self.renew(login)
                answer = None
        except (httpx.TransportError, AssertionError):  # of the token endpoint, which was not answering either
            pass
        if answer is not None and answer.status_code == INTERNAL_ERROR:
            self.errors.append(f"{method} {path}: {answer.text}")
            answer = None
        if answer is None or answer.status_code in BUSY:
            await asyncio.sleep(0.1)
            return None
        return answer

    async def until_answered(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        while (answer := await self.call(method, path, **arguments)) is None:
            pass
        return answer

    async def login(self, server: Server, http: httpx.AsyncClient) -> Login:
        """The session, on this connection.

        Raises:
            AssertionError: the token endpoint did not give a token.
            httpx.TransportError: it did not answer.
        """
        async with self._logging_in:
            if self._login is None:
                demo = server.demo
                user = DemoUser(demo["RC_APP_CLIENT_ID"], demo["RC_APP_CLIENT_SECRET"], demo["RC_USER_JWT"])
                self._login = await Login.of(http, user)
                self.logins += 1
            return Login(http, self._login.credentials, self._login.tokens)

    async def renew(self, login: Login) -> None:
        """Its access token is none any more: go on with the same session, or else with another."""
        async with self._logging_in:
            if self._login is None or self._login.tokens is not login.tokens:
                return  # somebody has done it
            try:
                await login.refresh()
                self._login = login
            except AssertionError as refused:
                if "invalid_grant" in str(refused):  # and not only out of room for the moment
                    self._login = None
