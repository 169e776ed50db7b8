"""What holds for every request and response, whatever the route (wire contract, 2.1, 2.3, 2.8).

Pure ASGI and one pass over the headers, since the publish route is hot. On the way in: leading slashes collapsed, one
at the end tolerated, the method overridden, preflights answered, the body limited, and refused if it is compressed. On
the way out: request ids, content type and language, rate limit, CORS. What nobody caught is logged here, answered 500.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bellwire.api.problems import internal_error, problem
from bellwire.errors import ErrorEntry
from bellwire.observe.request_ids import answering

DEFAULT_BODY_LIMIT_BYTES = 1024 * 1024
_SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,64}")
_OVERRIDABLE = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
_SLASH_TOLERANT = ("/restapi/", "/webinar/", "/team-messaging/", "/bellwire/", "/.well-known/")
_JSON = b"application/json"
_JSON_UTF8 = b"application/json; charset=UTF-8"
_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_ALLOWED_HEADERS = (
    b"Authorization, Client-Id, Content-Type, X-User-Agent, Discovery-Tag, RCRequestId, X-Request-ID, "
    b"X-HTTP-Method-Override, Idempotency-Key"
)
_EXPOSED_HEADERS = (
    b"Retry-After, X-Rate-Limit-Group, X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Window, RCRequestId, "
    b"X-Request-ID, Discovery-Tag, Discovery-Required"
)
_PREFLIGHT_SECONDS = b"600"
_NO_CODING = frozenset({b"", b"identity", b"chunked"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """What may be set about them."""

    cors_origins: Sequence[str] | Literal["*"] = ()
    """Origins of browsers that may call; `*` is any, and is answered with the origin itself."""
    pages: Sequence[str] = ()
    """Paths below which there are pages for people: no other origin's script may read them, whatever `cors_origins`."""
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_BYTES
    body_limits: Mapping[str | re.Pattern[str], int | None] = field(default_factory=dict)
    """Other limits by path prefix, or by a pattern of the whole path; the first that fits counts. None: the route
    limits what it reads itself."""


@dataclass(slots=True)
class _Headers:
    """The request headers that matter here."""

    request_id: bytes | None = None
    other_request_id: bytes | None = None
    origin: bytes | None = None
    preflight: bool = False
    method_override: bytes | None = None
    content_length: bytes | None = None
    codings: bytes = b""
    """How the body is compressed; empty is not at all."""
    hosts: int = 0


class ConventionsMiddleware:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, *, conventions: Conventions) -> None:
        self._app = app
        self._any_origin = conventions.cors_origins == "*"
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in conventions.cors_origins)
        self._pages = tuple(conventions.pages)
        self._body_limit = conventions.body_limit_bytes
        self._body_limits = tuple(conventions.body_limits.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        _tidy_path(scope)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        headers = _read(scope)
        request_id = _request_id(headers)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        given = request_id in (headers.request_id, headers.other_request_id)
        state["given_request_id"] = state["request_id"] if given else None
        origin = headers.origin if self._may_call(headers.origin, scope["path"]) else None
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _dress(message.get("headers", ()), request_id, origin, state)
            await send(message)

        try:
            answer = self._answer_here(scope, headers, origin)
            if answer is not None:
                await answer(scope, receive, dressed)
                return
            limit = self._limit_of(scope["path"])
            with answering(state["request_id"]):
                await self._app(scope, receive if limit is None else _limited(receive, limit), dressed)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            _log.exception(
                "request.failed", request_id=state["request_id"], method=scope["method"], path=scope["path"][:500]
            )
            if started:
                raise RuntimeError("a response broke off after its start") from error
            await internal_error()(scope, receive, dressed)

    def _may_call(self, origin: bytes | None, path: str) -> bool:
        if origin is None or not (self._any_origin or origin in self._origins):
            return False
        return not any(path == page or path.startswith(page + "/") for page in self._pages)

    def _answer_here(self, scope: Scope, headers: _Headers, origin: bytes | None) -> Response | None:
        """The answer of a request that no route is to see; sets the overridden method on the others."""
        method = scope["method"]
        if method == "OPTIONS" and headers.preflight and headers.origin is not None:
            return _preflight(allowed=origin is not None)
        if method == "POST":
            try:
                scope["method"] = _overridden(headers.method_override, scope["query_string"])
            except ValueError as error:
                return problem(400, [ErrorEntry("CMN-101", str(error), "_method")])
        if headers.hosts > 1:  # a proxy may have gone by another than we would
            return problem(400, [ErrorEntry("CMN-407", "Header [Host] is there more than once")])
        if headers.codings:
            return _coded(headers.codings)
        limit = self._limit_of(scope["path"])
        if limit is not None and headers.content_length is not None:
            length = headers.content_length
            if not length.isdigit() or len(length) > 20:
                return problem(400, [ErrorEntry("CMN-407", "Header [Content-Length] is not a number")])
            if int(length) > limit:
                return problem(413, [ErrorEntry("CMN-104", _too_large(limit))], headers={"Connection": "close"})
        return None

    def _limit_of(self, path: str) -> int | None:
        for which, limit in self._body_limits:
            if path.startswith(which) if isinstance(which, str) else which.fullmatch(path):
                return limit
        return self._body_limit


def _tidy_path(scope: Scope) -> None:
    """Collapse leading slashes, which SDKs make of a server URL with one at its end, and drop one from the end."""
    path: str = scope["path"]
    tidy = "/" + path.lstrip("/") if path.startswith("//") else path
    if tidy.endswith("/") and tidy.startswith(_SLASH_TOLERANT) and not tidy.endswith("//"):
        tidy = tidy[:-1]
    if tidy is not path:
        scope["path"] = tidy
        raw: bytes | None = scope.get("raw_path")
        if raw is not None:
            raw = b"/" + raw.lstrip(b"/")
            scope["raw_path"] = raw[:-1] if raw.endswith(b"/") and not tidy.endswith("/") else raw


def _read(scope: Scope) -> _Headers:
    found = _Headers()
    for name, value in scope["headers"]:
        match name:
            case b"rcrequestid":
                found.request_id = value
            case b"x-request-id":
                found.other_request_id = value
            case b"origin":
                found.origin = value
            case b"access-control-request-method":
                found.preflight = True
            case b"x-http-method-override":
                found.method_override = value
            case b"content-length":
                found.content_length = value
            case b"content-encoding" | b"transfer-encoding":
                if value.strip().lower() not in _NO_CODING:
                    found.codings = value
            case b"host":
                found.hosts += 1
    return found


def _request_id(headers: _Headers) -> bytes:
    for offered in (headers.request_id, headers.other_request_id):
        if offered is not None and _SAFE_REQUEST_ID.fullmatch(offered) is not None:
            return offered
    return str(uuid.uuid4()).encode()


def _overridden(header: bytes | None, query: bytes) -> str:
    """The method of a POST after its overrides.

    Raises:
        ValueError: two different ones are asked for, or one that can't be.
    """
    if header is None and b"_method" not in query:
        return "POST"
    asked = {
        value.upper() for name, value in parse_qsl(query.decode("latin-1"), max_num_fields=1000) if name == "_method"
    }
    if header is not None:
        asked.add(header.decode("latin-1").strip().upper())
    if len(asked) > 1:
        raise ValueError("Header [X-HTTP-Method-Override] and parameter [_method] ask for different methods")
    method = asked.pop() if asked else "POST"
    if method not in _OVERRIDABLE:
        raise ValueError(f"Parameter [_method] value is invalid: one of {', '.join(sorted(_OVERRIDABLE))} is expected")
    return method


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses more than `limit` bytes of body, for those that come without a length."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, _too_large(limit))
        return message

    return limited


def _too_large(limit: int) -> str:
    return f"The request body is larger than {limit} bytes"


def _coded(codings: bytes) -> Response:
    """Nothing is decompressed: a few bytes could become any number of them."""
    message = f"The body is sent as {codings.decode('latin-1')[:100]}; send it without Content-Encoding"
    return problem(
        415, [ErrorEntry("CMN-104", message)], headers={"Accept-Encoding": "identity", "Connection": "close"}
    )


def _preflight(*, allowed: bool) -> Response:
    if not allowed:
        return problem(403, [ErrorEntry("CMN-401", "This origin may not call")])
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": _METHODS.decode(),
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS.decode(),
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS.decode(),
        },
    )


def _dress(
    headers: Sequence[tuple[bytes, bytes]], request_id: bytes, origin: bytes | None, state: Mapping[str, object]
) -> list[tuple[bytes, bytes]]:
    dressed = [(name, _JSON_UTF8 if name == b"content-type" and value == _JSON else value) for name, value in headers]
    dressed.append((b"rcrequestid", request_id))
    dressed.append((b"x-request-id", request_id))
    dressed.append((b"content-language", b"en-US"))
    standing = state.get("rate_limit_headers")
    if isinstance(standing, list):
        dressed.extend(standing)
    if origin is not None:
        dressed.append((b"access-control-allow-origin", origin))
        dressed.append((b"access-control-allow-credentials", b"true"))
        dressed.append((b"access-control-expose-headers", _EXPOSED_HEADERS))
        dressed.append((b"vary", b"Origin"))
    return dressed
