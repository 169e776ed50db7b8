"""A client of the WebSocket gateway that holds thousands of sessions in one process, and is cheap to run.

It reads frames by their lengths and decodes only what it asked for, since it has to keep up with the server that it
measures. Used by the fan-out and session benchmarks, and by the soak test.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

SUBSCRIPTION = "/restapi/v1.0/subscription"
SESSIONS_PER_LOGIN = 30
"""As many subscriptions as one user may have through one application (docs/limits.md)."""
PERMISSIONS = ["A2PSMS", "ReadAccounts", "WebSocketsSubscription"]
FILTER = "/restapi/v1.0/account/~/a2p-sms/messages?direction=Outbound"

_NOTIFICATION = b'[{"type":"ServerNotification"'
_WSC = re.compile(rb'"wsc":\{"token":"([^"]+)"')
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


def allow_open_files(wanted: int) -> None:
    """Raise this process's limit, which the processes it starts inherit.

    Raises:
        RuntimeError: the machine does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in {resource.RLIM_INFINITY} and hard < wanted:
        raise RuntimeError(f"{wanted} open files are needed, and {hard} are allowed: raise `ulimit -Hn`")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class SwarmSocket(asyncio.Protocol):
    """One connection. `on_notification` is called for each notification."""

    def __init__(self, target: str, host: str, on_notification: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._request = (
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._on_notification = on_notification
        self._is_open = False
        self._rest = b""
        self.last_frame = b""
        """Of those with a recovery token."""
        self._answers: dict[str, asyncio.Future[list[Any]]] = {}
        self._asked = 0
        self.details: asyncio.Future[list[Any]] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.notifications = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.transport.write(self._request)
        self._request = b""

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        if not self._is_open:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self._rest = data
                return
            assert data.startswith(b"HTTP/1.1 101 "), data[:200]
            self._is_open = True
            at = head + 4
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > end:
                break
            if data.startswith(_NOTIFICATION, start):
                self.notifications += 1
                self.last_frame = data[start : start + size]
                self._on_notification()
            else:
                self._take(data[at] & 15, data[start : start + size])
            at = start + size
        self._rest = data[at:] if at < end else b""

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        for future in (self.details, *self._answers.values()):
            if not future.done():
                future.set_exception(ConnectionError("the server ended the connection"))
                future.exception()  # it may be that nobody waits for it
        if not self.lost.done():
            self.lost.set_result(None)

    @property
    def wsc(self) -> str:
        """The newest recovery token."""
        found = _WSC.search(self.last_frame)
        assert found is not None, "nothing with a recovery token came"
        return found[1].decode()

    async def request(self, method: str, path: str, body: Any = None) -> list[Any]:
        """Make a request by frame; the answer's frame."""
        self._asked += 1
        message_id = str(self._asked)
        meta = {"type": "ClientRequest", "messageId": message_id, "method": method, "path": path}
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        self._write(_TEXT, json.dumps([meta] if body is None else [meta, body]).encode())
        frame: list[Any] = await answer
        return frame

    async def subscribe(self, *filters: str) -> str:
        """The id of the session's new subscription."""
        body = {"eventFilters": list(filters), "deliveryMode": {"transportType": "WebSocket"}}
        meta, made = await self.request("POST", SUBSCRIPTION, body)
        assert meta["status"] == 200, made
        return str(made["id"])

    async def close(self) -> None:
        """The closing handshake."""
        self._write(_CLOSE, (1000).to_bytes(2, "big"))
        await self.lost

    async def cut(self) -> None:
        """The network is gone."""
        self.transport.abort()
        await self.lost

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _TEXT:
            frame: list[Any] = json.loads(payload)
            meta = frame[0]
            if meta["type"] == "ConnectionDetails":
                self.last_frame = payload
                self.details.set_result(frame)
            elif meta["type"] == "ClientRequest":
                self._answers.pop(meta["messageId"]).set_result(frame)
            elif not self.details.done():
                self.details.set_exception(ConnectionError(f"refused: {frame}"))

    def _write(self, opcode: int, payload: bytes) -> None:
        """A masked frame; a mask of zeros leaves the payload as it is."""
        size = len(payload)
        assert size < 65536
        head = (
            bytes((0x80 | opcode, 0x80 | size))
            if size < 126
            else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
        )
        self.transport.write(head + b"\0\0\0\0" + payload)


class Swarm:
    """Sessions of the demo administrator, spread over as many applications and logins as their number needs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.url = environment["RC_SERVER_URL"]
        self._http = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=60)
        self._bearers: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.received = 0
        self._expected = 0
        self._arrived = asyncio.Event()

    async def log_in(self, sessions: int) -> None:
        """Make and log in what this many sessions need."""
        admin = {"Authorization": f"Bearer {self._environment['BELLWIRE_ADMIN_KEY']}"}
        jwt = await self._jwt(admin)
        for number in range(-(-sessions // SESSIONS_PER_LOGIN)):
            made = await self._post("/bellwire/v1/admin/applications", admin, json=_an_application(number))
            answer = await self._http.post(
                "/restapi/oauth/token",
                data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt},
                auth=(made["clientId"], made["clientSecret"]),
            )
            assert answer.status_code == 200, answer.text
            self._bearers.append({"Authorization": f"Bearer {answer.json()['access_token']}"})

    async def renew_tokens(self) -> None:
        """Socket tokens for the next minute: one is good for all connections of its login."""
        self.tokens = [
            (await self._post("/restapi/oauth/wstoken", bearer))["ws_access_token"] for bearer in self._bearers
        ]

    async def connect(self, number: int, *, wsc: str | None = None) -> SwarmSocket:
        """Open the socket of one session, and wait for its ConnectionDetails."""
        parts = urlsplit(self.url)
        target = f"/ws?access_token={self.tokens[number // SESSIONS_PER_LOGIN]}" + (f"&wsc={wsc}" if wsc else "")
        assert parts.hostname is not None
        assert parts.port is not None
        _, socket = await asyncio.get_running_loop().create_connection(
            lambda: SwarmSocket(target, parts.netloc, self._count), parts.hostname, parts.port
        )
        await socket.details
        return socket

    async def publish(self, lines: list[bytes]) -> None:
        """Publish events, written as NDJSON lines."""
        headers = {
            "Authorization": f"Bearer {self._environment['BELLWIRE_PUBLISHER_KEY']}",
            "Content-Type": "application/x-ndjson",
        }
        answer = await self._http.post("/bellwire/v1/events", content=b"\n".join(lines), headers=headers)
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == len(lines), answer.text

    async def until(self, received: int, *, seconds: float = 120) -> None:
        """Wait until so many notifications came in all."""
        self._expected = received
        async with asyncio.timeout(seconds):
            while self.received < received:
                self._arrived.clear()
                await self._arrived.wait()

    async def aclose(self) -> None:
        await self._http.aclose()

    def _count(self) -> None:
        self.received += 1
        if self.received >= self._expected:
            self._arrived.set()

    async def _jwt(self, admin: dict[str, str]) -> str:
        """One that every application may use."""
        listed = await self._http.get("/restapi/v1.0/account/~/extension/~", headers=await self._demo_bearer())
        path = f"/bellwire/v1/admin/extensions/{listed.json()['id']}/jwts"
        return str((await self._post(path, admin, json={"label": "swarm"}))["token"])

    async def _demo_bearer(self) -> dict[str, str]:
        environment = self._environment
        answer = await self._http.post(
            "/restapi/oauth/token",
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": environment["RC_USER_JWT"],
            },
            auth=(environment["RC_APP_CLIENT_ID"], environment["RC_APP_CLIENT_SECRET"]),
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def _post(self, path: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
        answer = await self._http.post(path, headers=headers, **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


def _an_application(number: int) -> dict[str, Any]:
    return {"name": f"Swarm {number}", "permissions": PERMISSIONS, "rateLimitFactor": 1000.0}


async def in_parts(count: int, work: Callable[[int], Any], *, at_once: int = 32) -> list[Any]:
    """`await work(number)` for each number, some at a time; the results."""
    results: list[Any] = [None] * count
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            results[number] = await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(worker())
    return results
