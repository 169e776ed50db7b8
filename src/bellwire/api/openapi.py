"""The OpenAPI document: what FastAPI reads off typed routes, made whole and truthful.

FastAPI doesn't see plain routes, and promises an error of its own, 422, that `problems.py` never lets out. Added here
are the plain routes, each with the description that its module gives, and what holds for every operation: the headers
of `conventions.py` and of the error map, the errors of a body, tags, licence and server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from bellwire.api.problems import ErrorEnvelope
from bellwire.api.routing import api_router, every_route

OPENAPI_PATH = "/bellwire/v1/openapi.json"
REF = "#/components/schemas/{name}"

DESCRIPTION = """\
Event notifications that speak the RingCentral subscription protocol: event filters, subscriptions, durable publish,
webhook delivery.

- **Errors** are JSON with `errorCode`, `message` and `errors`, whatever the status; a field that is wrong is named. An
  unknown URI is 404 CMN-120, another method 405, an operation of the compatible API that Bellwire doesn't have 501.
- **Methods** may be sent as POST with `X-HTTP-Method-Override` or the query parameter `_method`.
- **Rate limits** hold for each user of an application; a 429 says in `Retry-After` how many seconds to wait.
- **Webhooks** are what subscriptions deliver: one for each event family, under `webhooks`.
"""

TAGS = {
    "OAuth": "Access tokens for users of applications: JWT, password, authorization code, refresh, revocation.",
    "Discovery": "Where the endpoints are.",
    "API info": "Versions and status of the compatible API.",
    "Account": "What clients read about the account, its extensions and their phone numbers.",
    "Subscriptions": "Standing requests for notifications, by event filters.",
    "Webinar subscriptions": "The same for webinar events, which have an endpoint of their own.",
    "High Volume SMS": "Batches of texts to many recipients, and their messages.",
    "SMS consents": "Who has opted out of texts, or in again; the older opt-outs and the newer consents are one store.",
    "Events": "Publishing, with a publisher key.",
    "Event history": "What was published, and who was to get it; with an admin key.",
    "Delivery history": "Every attempt to deliver, what waits, and why attempts fail; with an admin key.",
    "Operating subscriptions": "Health, pause, resume, tests and probes of any subscription; with an admin key.",
    "Replays": "Sending again what was published before; with an admin key.",
    "Event families": "What can be subscribed to: filters, their parameters, and bodies.",
    "Notifications": "What webhooks receive: one POST for each event, answered with 2xx within 3 s.",
    "Operation": "For supervisors and Prometheus, without a key.",
    "Administration": "Accounts, extensions, numbers, applications, credentials; with an admin key.",
}
"""Every tag of our routes, in the order in which pages show them."""

_HEADERS: dict[str, dict[str, Any]] = {
    "RCRequestId": {"description": "The request's id: its own if it sent one, or else a new one", "required": True},
    "X-Request-ID": {"description": "The same as RCRequestId", "required": True},
    "Retry-After": {
        "description": "Seconds to wait, a whole number",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "The scheme that is expected", "required": True},
    "X-Rate-Limit-Group": {"description": "The group of operations that is counted together"},
    "X-Rate-Limit-Limit": {"description": "Requests of the group in a window", "schema": {"type": "integer"}},
    "X-Rate-Limit-Remaining": {
        "description": "Requests left in the window",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Rate-Limit-Window": {"description": "The window in seconds", "schema": {"type": "integer"}},
}
_ON_ALL = ("RCRequestId", "X-Request-ID")
_ON_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}
_ON_COUNTED = ("X-Rate-Limit-Group", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Window")

_BODY_ERRORS: dict[str, Any] = {
    str(status): {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": {"$ref": REF.format(name=ErrorEnvelope.__name__)}}},
    }
    for status in (413, 415)
}
_UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDescription:
    """What the document says of a plain route."""

    path: str
    operations: Mapping[str, Any]
    """By method in lower case."""
    schemas: Mapping[str, Any] = field(default_factory=dict)
    security_schemes: Mapping[str, Any] = field(default_factory=dict)


def whole_document(app: FastAPI, plain: Sequence[PlainDescription], webhooks: APIRouter) -> dict[str, Any]:
    """The OpenAPI document of the application, its plain routes, and the webhooks that it calls."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=app.servers,
        routes=list(every_route(app.routes)),
        webhooks=webhooks.routes,
    )
    components = document.setdefault("components", {})
    for name in _UNUSED_SCHEMAS:
        components.get("schemas", {}).pop(name, None)
    for described in plain:
        document["paths"].setdefault(described.path, {}).update(described.operations)
        components.setdefault("schemas", {}).update(described.schemas)
        components.setdefault("securitySchemes", {}).update(described.security_schemes)
    for operation in _operations(document.get("webhooks", {})):
        operation["responses"].pop("422", None)
    for operation in _operations(document["paths"]):
        operation["responses"].pop("422", None)
        if "requestBody" in operation:
            operation["responses"] |= deepcopy(_BODY_ERRORS) | operation["responses"]
        _add_headers(operation)
    components["headers"] = {name: {"schema": {"type": "string"}} | header for name, header in _HEADERS.items()}
    used = {tag for part in ("paths", "webhooks") for o in _operations(document.get(part, {})) for tag in o["tags"]}
    document["tags"] = [{"name": tag, "description": text} for tag, text in TAGS.items() if tag in used]
    return document


def document_routes() -> APIRouter:
    """`/bellwire/v1/openapi.json`: built and encoded once, at the first request, without holding up the event loop."""
    router = api_router(tag="Operation")
    building = asyncio.Lock()
    encoded: bytes | None = None

    @router.get(OPENAPI_PATH, response_model=dict[str, Any], summary="This document")
    async def read_openapi_document(request: Request) -> Response:
        nonlocal encoded
        async with building:
            if encoded is None:
                encoded = await asyncio.to_thread(lambda: msgspec.json.encode(request.app.openapi()))
        return Response(encoded, media_type="application/json")

    return router


def _operations(paths: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in paths.values():
        yield from operations.values()


def _add_headers(operation: dict[str, Any]) -> None:
    is_counted = "429" in operation["responses"]
    for status, response in operation["responses"].items():
        names = [*_ON_ALL, *_ON_STATUS.get(status, ())]
        if is_counted and status not in ("401", "415"):
            names += _ON_COUNTED
        response.setdefault("headers", {}).update({name: {"$ref": f"#/components/headers/{name}"} for name in names})
