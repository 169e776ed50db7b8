"""A webhook receiver: answers the validation handshake, takes notifications, checks token and signature.

`bellwire listen` and `bellwire dev` show what it receives; tests tell it how to misbehave; the benchmarks measure
against it. So it is one small HTTP/1.1 server over a C parser:

    async with WebhookReceiver() as receiver:
        ...                                    # subscribe with receiver.url as address
        [notification] = await receiver.wait_for(1)

What a request is answered with is decided by two functions from request to `Reply`, one for handshakes and one for
notifications; the rest of this file only moves bytes.
"""

from __future__ import annotations

import asyncio
import hmac
import http
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, cast

import httptools
from standardwebhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 32 << 20
MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 << 10
MAX_PIPELINED = 64

JSON_TYPE = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver answers, and how.

    `delay_seconds`: before the first byte. `raw`: exactly these bytes instead of a well-formed answer. `hangs_up`:
    close the connection after answering; with an empty `raw`, instead of answering. `never`: no answer at all, the
    connection stays open. `resets`: a reset of the connection (RST) instead of an answer. `drip_seconds`: the answer
    comes byte by byte, with this pause before each.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (JSON_TYPE,)
    body: bytes = b""
    delay_seconds: float = 0.0
    raw: bytes | None = None
    hangs_up: bool = False
    never: bool = False
    resets: bool = False
    drip_seconds: float = 0.0

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        try:
            phrase = http.HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.status != http.HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.hangs_up:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


_NO_LINGER = struct.pack("ii", 1, 0)
"""Closing a socket with it sends RST instead of FIN."""

ACCEPTED = Reply()
_ACCEPTED_BYTES = ACCEPTED.encoded()


class ReceivedRequest:
    """One request as it arrived. `received_at` is the event loop's time; `problems` says what a check found wrong."""

    __slots__ = ("_headers", "_raw_headers", "body", "method", "problems", "received_at", "target")

    def __init__(
        self, method: str, target: str, raw_headers: list[tuple[bytes, bytes]], body: bytes, received_at: float
    ) -> None:
        self.method = method
        self.target = target
        self.body = body
        self.received_at = received_at
        self.problems: tuple[str, ...] = ()
        self._raw_headers = raw_headers
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; of a repeated header the last. Made when first asked for: benchmarks never do."""
        if self._headers is None:
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._raw_headers
            }
        return self._headers

    @property
    def validation_token(self) -> str | None:
        """Present exactly in handshakes (wire contract, 3.6 and 3.7)."""
        return self.headers.get("validation-token")

    def json(self) -> Any:
        """The body, decoded. Raises ValueError where it is not JSON."""
        return json.loads(self.body)


Answer = Callable[[ReceivedRequest], Reply]


def echo_token(request: ReceivedRequest) -> Reply:
    """The right answer to a handshake."""
    return Reply(headers=(("Validation-Token", request.validation_token or ""), JSON_TYPE))


def accept(_request: ReceivedRequest) -> Reply:
    """The right answer to a notification."""
    return ACCEPTED


class WebhookReceiver:
    """A server on one port, from `async with` or `start` until `stop`.

    Args:
        host, port: where to listen; port 0 takes a free one.
        path: the path of `url`. Requests on any path are received.
        answer: for notifications; may be replaced at any time.
        handshake: for handshakes; may be replaced at any time.
        verification_token: what `Verification-Token` has to say; anything else is answered 401.
        signing_secret: `whsec_…`; notifications without a valid Standard Webhooks signature are answered 401.
        tls: serve https with this context.
        on_notification, on_handshake: called with each, from the event loop, before it is answered.
        keep: remember notifications; without, they are only counted.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/webhook",
        answer: Answer = accept,
        handshake: Answer = echo_token,
        verification_token: str | None = None,
        signing_secret: str | None = None,
        tls: ssl.SSLContext | None = None,
        on_notification: Callable[[ReceivedRequest], None] | None = None,
        on_handshake: Callable[[ReceivedRequest], None] | None = None,
        keep: bool = True,
    ) -> None:
        self.answer = answer
        self.handshake = handshake
        self.handshakes: list[ReceivedRequest] = []
        self.notifications: list[ReceivedRequest] = []
        self.count = 0
        """Notifications received, those that failed a check included."""
        self.answered = 0
        """Answers written, to handshakes and notifications."""
        self._host = host
        self._port = port
        self._path = path
        self._verification_token = verification_token
        self._webhook = Webhook(signing_secret) if signing_secret is not None else None
        self._tls = tls
        self._on_notification = on_notification
        self._on_handshake = on_handshake
        self._keep = keep
        self._only_counts = not (keep or signing_secret or verification_token or on_notification)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @property
    def port(self) -> int:
        """The port it listens on; known once it has started."""
        return self._port

    @property
    def url(self) -> str:
        scheme = "https" if self._tls is not None else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self._port}{self._path}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, loop), self._host, self._port, ssl=self._tls, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop all connections. The port may be started on again."""
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def hang_up(self) -> None:
        """Drop all connections without a word."""
        for connection in list(self._connections):
            connection.abort()

    def forget(self) -> None:
        """Start counting anew."""
        self.handshakes.clear()
        self.notifications.clear()
        self.count = 0
        self.answered = 0

    async def wait_for(self, number: int, timeout: float = 5.0) -> list[ReceivedRequest]:
        """Wait until at least `number` notifications were received; returns all of them.

        Raises:
            TimeoutError: fewer came in `timeout` seconds; says how many.
        """
        await self.wait_until(lambda: self.count >= number, timeout, f"{number} notifications")
        return list(self.notifications)

    async def wait_until(self, reached: Callable[[], bool], timeout: float | None = 5.0, what: str = "it") -> None:
        """Wait until a condition holds; it is looked at whenever something was received or answered."""
        if reached():
            return
        waiter = (reached, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter[1]
        except TimeoutError:
            raise TimeoutError(
                f"waited {timeout} s for {what}; "
                f"received {len(self.handshakes)} handshakes and {self.count} notifications"
            ) from None
        finally:
            self._waiters.remove(waiter)

    def _receive(self, request: ReceivedRequest) -> Reply:
        """Take a request in and decide its answer."""
        if self._only_counts and self.count and request.body:
            # A notification, and nothing to look at: handshakes have no body.
            self.count += 1
            if self._waiters:
                self._look_at_waiters()
            return self.answer(request)
        if request.validation_token is not None:
            request.problems = self._wrong_token(request)
            self.handshakes.append(request)
            reply = self.handshake(request) if not request.problems else _unauthorized(request.problems)
        else:
            request.problems = self._wrong_token(request) + self._wrong_signature(request)
            self.count += 1
            if self._keep:
                self.notifications.append(request)
            reply = self.answer(request) if not request.problems else _unauthorized(request.problems)
        listener = self._on_notification if request.validation_token is None else self._on_handshake
        if listener is not None:
            listener(request)
        self._look_at_waiters()
        return reply

    def _count_answer(self) -> None:
        self.answered += 1
        self._look_at_waiters()

    def _look_at_waiters(self) -> None:
        for reached, future in self._waiters:
            if not future.done() and reached():
                future.set_result(None)

    def _wrong_token(self, request: ReceivedRequest) -> tuple[str, ...]:
        if self._verification_token is None:
            return ()
        given = request.headers.get("verification-token")
        if given is None:
            return ("Verification-Token is missing",)
        if not hmac.compare_digest(given.encode(), self._verification_token.encode()):
            return ("Verification-Token is not the one expected",)
        return ()

    def _wrong_signature(self, request: ReceivedRequest) -> tuple[str, ...]:
        if self._webhook is None:
            return ()
        try:
            self._webhook.verify(request.body, request.headers, json_parse=False)
        except WebhookVerificationError as error:
            return (f"signature: {error}",)
        except ValueError:
            return ("signature: its headers can't be read",)
        return ()


def _unauthorized(problems: tuple[str, ...]) -> Reply:
    return Reply(status=401, body=json.dumps({"problems": problems}).encode())


class _Connection(asyncio.Protocol):
    """One connection: requests in, replies out in the same order."""

    def __init__(self, receiver: WebhookReceiver, loop: asyncio.AbstractEventLoop) -> None:
        self._receiver = receiver
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._too_large = False
        self._waiting: deque[tuple[ReceivedRequest, bool]] = deque()
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class
        self._receiver._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        self._receiver._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except httptools.HttpParserError:
            self._refuse(400)
        if self._too_large:
            self._refuse(413)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What httptools calls.

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._header_bytes = 0
        self._body = []
        self._body_bytes = 0

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._count_header(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._count_header(len(name) + len(value))

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > MAX_BODY_BYTES:
            self._too_large = True
            self._body.clear()
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        if self._too_large:
            return
        parts = self._body
        request = ReceivedRequest(
            self._parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            self._headers,
            parts[0] if len(parts) == 1 else b"".join(parts),
            self._loop.time(),
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if len(self._waiting) > MAX_PIPELINED:
            self._refuse(429)
        elif not self._is_busy:
            self._reply_to_waiting()

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES or len(self._headers) > MAX_HEADERS:
            self._too_large = True

    def _reply_to_waiting(self) -> None:
        """Answer in order until one has to wait."""
        while self._waiting and self._transport is not None:
            request, keep_alive = self._waiting.popleft()
            reply = self._receiver._receive(request)
            if reply.never:
                self._is_busy = True
                return
            if reply.delay_seconds > 0:
                self._is_busy = True
                self._loop.call_later(reply.delay_seconds, self._reply_late, reply, keep_alive)
                return
            if reply.drip_seconds > 0:
                self._is_busy = True
                self._loop.call_later(reply.drip_seconds, self._drip, reply, keep_alive, reply.encoded())
                return
            self._write(reply, keep_alive)

    def _drip(self, reply: Reply, keep_alive: bool, rest: bytes) -> None:
        """Write a byte, or, with all but the last written, what follows an answer."""
        if self._transport is None:
            return
        if len(rest) > 1:
            self._transport.write(rest[:1])
            self._loop.call_later(reply.drip_seconds, self._drip, reply, keep_alive, rest[1:])
            return
        self._is_busy = False
        self._write(replace(reply, raw=rest), keep_alive)
        self._reply_to_waiting()

    def _reply_late(self, reply: Reply, keep_alive: bool) -> None:
        self._is_busy = False
        self._write(reply, keep_alive)
        self._reply_to_waiting()

    def _write(self, reply: Reply, keep_alive: bool) -> None:
        if self._transport is None:
            return
        if reply.resets:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
            self._receiver._count_answer()
            return
        self._transport.write(_ACCEPTED_BYTES if reply is ACCEPTED else reply.encoded())
        if reply.hangs_up or not keep_alive:
            self._transport.close()
        self._receiver._count_answer()

    def _refuse(self, status: int) -> None:
        self._waiting.clear()
        self._write(Reply(status=status, hangs_up=True), keep_alive=False)
