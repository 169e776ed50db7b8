"""Requests that come by frame are run as HTTP requests, through the same application, in this process.

They meet the same rate limits, permission checks and errors. Who makes them is not said by a header but by the link in
their scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message

from bellwire.ports.socket_gateway import SOCKET_LINK, SocketLink
from bellwire.wire.gateway.frames import ClientRequest, error_body
from bellwire.wire.gateway.limits import MAX_FRAME_BYTES
from bellwire.wire.gateway.requests import headers_of, path_of, query_of, raw_path_of

_CONNECTION_HEADERS = frozenset({b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
"""Of the handshake: by what the server was reached, and through whom."""
_LEFT_OUT = frozenset({"content-length", "connection", "transfer-encoding"})
_NAMES = {
    "rcrequestid": "RCRequestId",
    "x-request-id": "X-Request-ID",
    "etag": "ETag",
    "www-authenticate": "WWW-Authenticate",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a socket was opened, as far as requests over it have to know."""

    scheme: str
    client: Any
    server: Any
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, scope: Any) -> Origin:
        """From the scope of its handshake."""
        headers = tuple((name, value) for name, value in scope["headers"] if name in _CONNECTION_HEADERS)
        scheme = "https" if scope["scheme"] == "wss" else "http"
        return cls(scheme, scope["client"], scope["server"], headers)

    @property
    def client_address(self) -> str:
        return "{}:{}".format(*self.client) if self.client else "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is JSON, or empty."""

    status: int
    headers: dict[str, str]
    body: bytes


async def run_request(app: ASGIApp, request: ClientRequest, origin: Origin, link: SocketLink) -> Answer:
    """Run one request to its end."""
    start: Message = {"status": 500}
    body = bytearray()
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            return {"type": "http.disconnect"}
        is_read = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        elif len(body) <= MAX_FRAME_BYTES:
            body.extend(message.get("body", b""))

    headers = [*origin.headers, *headers_of(request), (b"content-length", b"%d" % len(request.body))]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": origin.scheme,
        "path": path_of(request),
        "raw_path": raw_path_of(request),
        "query_string": query_of(request),
        "root_path": "",
        "headers": headers,
        "client": origin.client,
        "server": origin.server,
        "state": {},
        SOCKET_LINK: link,
    }
    await app(scope, receive, send)
    return _answer(start, bytes(body))


def _answer(start: Message, body: bytes) -> Answer:
    status: int = start["status"]
    headers: dict[str, str] = {}
    media = ""
    for raw_name, value in start.get("headers", ()):
        name = raw_name.decode("latin-1").lower()
        if name == "content-type":
            media = value.decode("latin-1").partition(";")[0].strip().lower()
        if name not in _LEFT_OUT:
            headers[_NAMES.get(name) or "-".join(map(str.capitalize, name.split("-")))] = value.decode("latin-1")
    if len(body) > MAX_FRAME_BYTES:
        return _failure(413, headers, "CMN-104", f"The answer is larger than {MAX_FRAME_BYTES} bytes; ask over HTTP")
    if not body or media == "application/json":
        return Answer(status, headers, body)
    try:
        return Answer(status, headers, msgspec.json.encode(body.decode()))
    except UnicodeDecodeError:
        return _failure(406, headers, "CMN-104", f"An answer of type {media} can't be sent in a frame; ask over HTTP")


def _failure(status: int, headers: dict[str, str], code: str, message: str) -> Answer:
    return Answer(status, headers, msgspec.json.encode(error_body(code, message)))
