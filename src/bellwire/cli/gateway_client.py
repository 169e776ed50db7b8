"""A client of the gateway that stays subscribed: it logs in, connects, subscribes, and comes back after any loss.

    log in ─▶ socket token ─▶ connect ─▶ subscribe ─▶ notifications ─▶ connection lost
                  └──◀── pause ◀── recovered: go on; not recovered: subscribe again ◀──┘

It goes on with the same OAuth session as long as that lasts, since a session is recovered by the same login alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from bellwire.cli.failure import CommandFailed
from bellwire.cli.remote import JWT_GRANT, Remote, said

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before the next try; the last one again and again."""
ANSWER_SECONDS = 30.0
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription"
TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - a path

_decode = msgspec.json.decode
Say = Callable[[str], None]


class _Lost(Exception):
    """The connection, or the way to it; the text says why."""


class Login:
    """One OAuth session of a JWT's user, refreshed as long as that works."""

    def __init__(self, remote: Remote, *, client: tuple[str, str], jwt: str) -> None:
        self._remote = remote
        self._client = client
        self._jwt = jwt
        self._tokens: dict[str, Any] = {}

    def socket_token(self) -> dict[str, Any]:
        """A token to connect with, and the gateway's URI.

        Raises:
            CommandFailed: the credentials or the permissions are not good enough; there is no use in trying again.
        """
        if not self._tokens:
            self._log_in()
        answer = self._ask_for_token()
        if answer.status_code == 401:
            self._refresh()
            answer = self._ask_for_token()
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _Lost(said(answer))
        if not answer.is_success:
            raise CommandFailed(said(answer))
        token: dict[str, Any] = answer.json()
        return token

    def _ask_for_token(self) -> Any:
        headers = {"Authorization": f"Bearer {self._tokens['access_token']}"}
        return self._remote.send("POST", "/restapi/oauth/wstoken", headers=headers)

    def _log_in(self) -> None:
        form = {"grant_type": JWT_GRANT, "assertion": self._jwt}
        answer = self._remote.send("POST", TOKEN_PATH, auth=self._client, data=form)
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _Lost(said(answer))
        if not answer.is_success:
            raise CommandFailed(said(answer))
        self._tokens = answer.json()

    def _refresh(self) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": self._tokens.get("refresh_token", "")}
        answer = self._remote.send("POST", TOKEN_PATH, auth=self._client, data=form)
        if answer.is_success:
            self._tokens = answer.json()
        else:
            self._log_in()


class StayingSubscribed:
    """Notifications for event filters, over as many connections as it takes."""

    def __init__(self, login: Login, filters: Sequence[str], *, say: Say) -> None:
        """`say`: is told in a sentence what happens to the connection."""
        self._login = login
        self._filters = list(filters)
        self._say = say
        self._wsc = ""
        self._was_subscribed = False
        self._failures = 0

    def notifications(self) -> Iterator[dict[str, Any]]:
        """For ever; each is an envelope.

        Raises:
            CommandFailed: the server refuses, and would again.
        """
        while True:
            try:
                yield from self._one_connection()
            except (_Lost, ConnectionClosed, InvalidHandshake, OSError) as lost:
                self._pause(lost)
            except CommandFailed as failed:
                if not self._was_subscribed:
                    raise
                self._pause(failed)

    def _pause(self, why: Exception) -> None:
        seconds = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self._say(f"connection lost ({why}); trying again in {seconds:g} s")
        time.sleep(seconds)

    def _one_connection(self) -> Iterator[dict[str, Any]]:
        token = self._login.socket_token()
        url = f"{token['uri']}?access_token={token['ws_access_token']}"
        if self._was_subscribed:
            url += f"&wsc={self._wsc}"
        with connect(url, max_size=1 << 20, open_timeout=ANSWER_SECONDS) as socket:
            details = self._frame(socket, ANSWER_SECONDS)
            if details[0]["type"] != "ConnectionDetails":
                raise _Lost(details[1]["message"])
            if details[1].get("recoveryState") != "Successful":
                if self._was_subscribed:
                    self._say("the session could not be recovered; subscribed anew, and what was missed is lost")
                self._subscribe(socket)
            elif self._failures:
                self._say("connected again; what was missed follows")
            self._failures = 0
            while True:
                frame = self._frame(socket, None)
                if frame[0]["type"] == "ServerNotification":
                    yield frame[1]
                elif frame[0]["type"] == "Error":
                    raise _Lost(frame[1]["message"])

    def _subscribe(self, socket: Connection) -> None:
        message_id = str(uuid.uuid4())
        meta = {
            "type": "ClientRequest",
            "messageId": message_id,
            "method": "POST",
            "path": "/restapi/v1.0/subscription",
        }
        body = {"eventFilters": self._filters, "deliveryMode": {"transportType": "WebSocket"}}
        socket.send(msgspec.json.encode([meta, body]).decode())
        while True:
            frame = self._frame(socket, ANSWER_SECONDS)
            if frame[0].get("messageId") == message_id:
                break
        status, resource = frame[0]["status"], frame[1]
        if status in {429, 503}:
            raise _Lost(resource["message"])
        if status != 200:
            raise CommandFailed(f"the server answered {status} {resource.get('errorCode', '')}: {resource['message']}")
        self._was_subscribed = True
        for disabled in resource.get("disabledFilters", []):
            self._say(f"not subscribed to {disabled['filter']}: {disabled['message']}")

    def _frame(self, socket: Connection, seconds: float | None) -> list[Any]:
        try:
            frame: list[Any] = _decode(socket.recv(timeout=seconds))
        except TimeoutError:
            raise _Lost(f"nothing came for {seconds:g} s") from None
        self._wsc = frame[0].get("wsc", {}).get("token", self._wsc)
        return frame
