"""Which requests may be made by frame, and as what HTTP request they are run (wire contract, 5.5).

Whose request it is, the connection says: of the frame's headers only those pass that say nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

from bellwire.wire.gateway.frames import ClientRequest

PATHS = (
    "/restapi",
    "/webinar/",
    "/team-messaging/",
    "/rcvideo/",
    "/video/",
    "/analytics/",
    "/ai/",
    "/scim/",
    "/cx/",
)
"""The compatible API's; Bellwire's own wants keys, which a socket does not have."""
HTTP_ONLY = "/restapi/oauth"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
HEADERS = frozenset(
    {
        "accept",
        "accept-language",
        "client-id",
        "content-type",
        "discovery-tag",
        "if-match",
        "if-none-match",
        "rcrequestid",
        "user-agent",
        "x-request-id",
        "x-user-agent",
    }
)
JSON = "application/json"
_MAX_HEADER = 1024
_KEPT_IN_PATHS = "/%:@!$&'()*+,;=~-._"


def path_of(request: ClientRequest) -> str:
    """The decoded path, leading slashes collapsed."""
    return "/" + unquote(request.path.partition("?")[0]).lstrip("/")


def refused_request(request: ClientRequest) -> str | None:
    """Why a request can't be made by frame; None: it can."""
    if request.method not in METHODS:
        return f"Method {request.method[:16]} can't be called over the socket"
    path = path_of(request)
    if not path.startswith(PATHS) or path.startswith(HTTP_ONLY) or "/../" in path + "/":
        return f"Path [{path[:200]}] can't be called over the socket; call it over HTTP"
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media != JSON:
        return f"A body of type [{media[:64]}] can't be sent over the socket; send it over HTTP"
    return None


def query_of(request: ClientRequest) -> bytes:
    """The query string: what the path has after its `?`, then the frame's `query`."""
    written = request.path.partition("?")[2]
    parts = [quote(written, safe="%&=+,;:@/?!$'()*~-._")] if written else []
    named = urlencode(list(_pairs(request.query)))
    return "&".join([*parts, *([named] if named else [])]).encode()


def raw_path_of(request: ClientRequest) -> bytes:
    return quote("/" + request.path.partition("?")[0].lstrip("/"), safe=_KEPT_IN_PATHS).encode()


def headers_of(request: ClientRequest) -> list[tuple[bytes, bytes]]:
    """Those that pass, as ASGI has them; a content type always, as SDKs send it over HTTP."""
    headers = {
        name: value
        for name, value in request.headers.items()
        if name in HEADERS and len(value) <= _MAX_HEADER and value.isprintable()
    }
    headers.setdefault("content-type", JSON)
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def _pairs(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool):
                yield name, str(each).lower()
            elif isinstance(each, str | int | float):
                yield name, str(each)
