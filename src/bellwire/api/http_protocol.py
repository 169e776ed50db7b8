"""Uvicorn's HTTP/1.1 protocol with what it lacks: limits on a request's head, and errors in our own form.

What never becomes a request (bytes that are no HTTP, a head that is too large or doesn't come to an end) is answered or
closed here, before any of the application sees it; so is what comes when too many connections are open.
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bellwire.api.problems import problem
from bellwire.errors import ErrorEntry

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers."""
HEAD_SECONDS = 20.0
"""How long a connection may take to send a request's head, the first one from when it was opened."""
BUSY_RETRY_SECONDS = 2

_NOT_HTTP = ErrorEntry("CMN-104", "The request is not valid HTTP")
_TOO_LARGE = ErrorEntry("CMN-407", f"The request line and headers are larger than {MAX_HEAD_BYTES} bytes")
_BUSY = ErrorEntry("CMN-201", "Too many connections are open; try again later")


class HttpProtocol(HttpToolsProtocol):
    """One connection. For `uvicorn.Config(http=…)`."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        """A head is expected, or has not come to its end."""
        self._head_bytes = 0
        self._begins = False
        """A message begins in the data that is being fed."""
        self._head_deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._begins = False
        super().data_received(data)
        if not self._in_head or self._refused:
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

    def send_400_response(self, msg: str) -> None:
        """Called for all that the parser refuses, our own refusal of a large head included."""
        self._refuse_request()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        busy: Any = _busy
        super()._start_asgi_task(cycle, busy if app is service_unavailable else app)

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
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or not cycle.more_body:
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
