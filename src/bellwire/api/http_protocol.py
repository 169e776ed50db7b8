"""Uvicorn's HTTP/1.1 protocol with what it lacks: limits on a request's head, bodies that break off, our own errors.

What never becomes a request (bytes that are no HTTP, a head that is too large or doesn't come to an end) is answered or
closed here, before any of the application sees it; so is what comes when too many connections are open.

A body that breaks off (the client half-closes, the framing is wrong, or nothing comes any more) is told to the
application as an error raised where it reads the body, so that it can still answer; then the connection ends.
"""

from __future__ import annotations

import asyncio
import uuid
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bellwire.api.problems import problem
from bellwire.errors import BodyBrokenOff, BodyStalled, ErrorEntry
from bellwire.transports.listener import open_sockets

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers."""
HEAD_SECONDS = 20.0
"""How long a connection may take to send a request's head, the first one from when it was opened."""
BODY_SECONDS = 60.0
"""How long a request's body may stand still, while we are reading."""
LINGER_SECONDS = 2.0
"""How long the rest of a body is read and thrown away after its answer: closing at once would reset the connection,
and the client, still writing, might never see the answer."""
MAX_LATE_BYTES = 64 * 1024
"""What may remain of a body after its answer, for the connection to be kept."""
BUSY_RETRY_SECONDS = 2
_OF_BODIES = frozenset({b"content-length", b"transfer-encoding"})

_NOT_HTTP = ErrorEntry("CMN-104", "The request is not valid HTTP")
_TOO_LARGE = ErrorEntry("CMN-407", f"The request line and headers are larger than {MAX_HEAD_BYTES} bytes")
_BUSY = ErrorEntry("CMN-201", "Too many connections are open; try again later")


class HttpProtocol(HttpToolsProtocol):
    """One connection. For `uvicorn.Config(http=…)`."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        """A head is expected, or has not come to its end."""
        self._head_bytes = 0
        self._begins = False
        """A message begins in the data that is being fed."""
        self._head_deadline: asyncio.TimerHandle | None = None
        self._in_body = False
        """A body is expected, or has not come to its end."""
        self._body_bytes = 0
        self._heard_at = 0.0
        self._body_watch: asyncio.TimerHandle | None = None
        self._linger_deadline: asyncio.TimerHandle | None = None
        self._broken: BodyBrokenOff | None = None
        """Why the last request's body will not come to its end."""
        self._half_closed = False
        self._upgrading = False
        """It is becoming a WebSocket: what follows is not ours."""
        self._most_requests: int | None = self.config.limit_concurrency
        self._refused = False
        """What still comes is thrown away."""

    @property
    def limit_concurrency(self) -> int | None:
        """How many connections may be open, WebSockets included: uvicorn counts them, too."""
        return None if self._most_requests is None else self._most_requests + open_sockets(self.config)

    @limit_concurrency.setter
    def limit_concurrency(self, limit: int | None) -> None:
        self._most_requests = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        self._body_over()
        if self._linger_deadline is not None:
            self._linger_deadline.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's returns nothing
        """The client sends no more, but may still read: what it asked for is answered, unless that has begun."""
        self._half_closed = True
        self._head_arrived()
        cycle = self.cycle
        if cycle is None or cycle.response_started or self.transport.is_closing():
            return False
        if self._in_body and self._broken is None:
            self._break_off(BodyBrokenOff("CMN-104", f"The request body broke off after {self._progress()}"))
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._begins = False
        super().data_received(data)
        if self._refused or self._upgrading:
            return
        if self._in_body:
            self._heard_at = self.loop.time()
            if self._body_watch is None:
                self._body_watch = self.loop.call_later(self.body_seconds / 4, self._watch_body)
            return
        if not self._in_head:
            return
        self._await_head()
        # A header is only told of when it is whole, and until then grows within the parser: what is fed counts, too.
        if not self._begins:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._begins = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_arrived()
        super().on_headers_complete()
        self._upgrading = self.parser.should_upgrade() and self._should_upgrade()
        if self._upgrading:
            return
        self._in_body = True
        self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._in_body = False
        self._body_over()
        super().on_message_complete()
        if self.cycle is None:  # it asks for a WebSocket
            return
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:  # the answer came before the end
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _should_upgrade(self) -> bool:
        """Whether it is a WebSocket's handshake. What is not quite one (another method, no key, a body) is answered as
        HTTP: uvicorn's WebSocket protocol would wait for more of it, without end."""
        if self.parser.get_method() != b"GET" or not super()._should_upgrade():
            return False
        names = {name for name, _ in self.headers}
        return {b"sec-websocket-key", b"sec-websocket-version"} <= names and names.isdisjoint(_OF_BODIES)

    def _unsupported_upgrade_warning(self) -> None:
        """There is an answer instead; what follows may be of the other protocol, so the connection ends with it."""
        self._refused = True
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """From now on the connection is the WebSocket protocol's, and nothing here watches it any more."""
        self._head_arrived()
        self._body_over()
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # it refers back to us, and the collector comes seldom

    def send_400_response(self, msg: str) -> None:
        """Called for all that the parser refuses, our own refusal of a large head included."""
        self._refuse_request()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        answer: Any = partial(self._answer, cycle, _busy if app is service_unavailable else app)
        super()._start_asgi_task(cycle, answer)

    async def _answer(self, cycle: RequestResponseCycle, app: Any, scope: Scope, *_receive_and_send: object) -> Any:
        return await app(scope, partial(self._receive, cycle), partial(self._send, cycle))

    async def _receive(self, cycle: RequestResponseCycle) -> Any:
        """The next of a request's body.

        Raises:
            BodyBrokenOff: there will be no more, and this is not the end.
        """
        while True:
            if self._broken is not None and self._awaited(cycle) and not cycle.body:
                raise self._broken
            message = await cycle.receive()
            if self._broken is None or not self._awaited(cycle) or message.get("body"):
                return message

    def _awaited(self, cycle: RequestResponseCycle) -> bool:
        return cycle.more_body and not cycle.response_started and not cycle.disconnected

    async def _send(self, cycle: RequestResponseCycle, message: Message) -> None:
        sent: Any = message
        if not self._in_body or cycle is not self.cycle:
            await cycle.send(sent)
        elif message["type"] == "http.response.start":
            if self._late_bytes() > MAX_LATE_BYTES:
                cycle.keep_alive = False
            await cycle.send(sent)
        elif message.get("more_body", False) or cycle.keep_alive or self._half_closed:
            await cycle.send(sent)
        else:
            cycle.keep_alive = True  # uvicorn would close at once; the header that announces it is written already
            await cycle.send(sent)
            self._linger()

    def _declared(self) -> int | None:
        """The length of the body; None is a chunked one."""
        return next((int(value) for name, value in self.headers if name == b"content-length"), None)

    def _late_bytes(self) -> float:
        declared = self._declared()
        return float("inf") if declared is None else declared - self._body_bytes

    def _progress(self) -> str:
        declared = self._declared()
        return f"{self._body_bytes} bytes" if declared is None else f"{self._body_bytes} of {declared} bytes"

    def _watch_body(self) -> None:
        self._body_watch = None
        if not self._in_body or self._refused:
            return
        now = self.loop.time()
        if self.flow.read_paused:  # it is we who don't read
            self._heard_at = now
        left = self._heard_at + self.body_seconds - now
        if left > 0:
            self._body_watch = self.loop.call_later(min(left, self.body_seconds / 4), self._watch_body)
        elif self.cycle.response_started:
            self._close_unfinished()
        else:
            self._break_off(
                BodyStalled(
                    "CMN-104",
                    f"Nothing of the request body came for {self.body_seconds:g} s, after {self._progress()}",
                )
            )

    def _body_over(self) -> None:
        if self._body_watch is not None:
            self._body_watch.cancel()
            self._body_watch = None

    def _break_off(self, problem: BodyBrokenOff) -> None:
        """Let the application answer, once it has read what came before."""
        self._broken = problem
        self._refused = True
        self._body_over()
        self.cycle.keep_alive = False
        self.cycle.message_event.set()

    def _linger(self) -> None:
        """The answer is out: end our side, and read on for a moment."""
        if self.transport.is_closing():
            return
        self._refused = True
        self._body_over()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger_deadline = self.loop.call_later(LINGER_SECONDS, self._close_unfinished)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")  # ends the parsing: see send_400_response

    def _await_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(self.head_seconds, self._close_unfinished)

    def _head_arrived(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _close_unfinished(self) -> None:
        self._head_deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse_request(self) -> None:
        """Answer that the request can't be read; where an answer is under way, the connection just ends."""
        self._refused = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if self._in_body and not cycle.response_started:
            message = f"The request body is not valid HTTP: its chunks end after {self._progress()}"
            self._break_off(BodyBrokenOff("CMN-104", message))
            return
        if self._in_body or (cycle is not None and not cycle.response_complete):
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.close()
            return
        too_large = self._head_bytes > MAX_HEAD_BYTES
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
        answer = problem(status, [_TOO_LARGE if too_large else _NOT_HTTP])
        request_id = str(uuid.uuid4())
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: application/json; charset=UTF-8\r\n"
            f"content-length: {len(answer.body)}\r\n"
            f"rcrequestid: {request_id}\r\nx-request-id: {request_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + bytes(answer.body))
        self.transport.close()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(uuid.uuid4())
    headers = {"Retry-After": str(BUSY_RETRY_SECONDS), "Connection": "close"}
    answer = problem(503, [_BUSY], headers=headers | {"RCRequestId": request_id, "X-Request-ID": request_id})
    await answer(scope, receive, send)
