"""The one map from errors to HTTP (wire contract, 1.7, 2.3, 2.5 and 2.6).

Every error has the general envelope: `errorCode` and `message` at the top, equal to the first of `errors`. Refusals of
the OAuth endpoints add RFC 6749's `error` and `error_description`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from bellwire.api.model import ApiModel
from bellwire.errors import (
    BellwireError,
    BodyBrokenOff,
    ErrorEntry,
    InvalidRequest,
    OAuthRefused,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

_MAX_VALUE = 200
"""Characters of a refused value that are repeated to the caller."""

_MAX_NAME = 200
"""Characters of a field's name that are repeated, since names that nobody knows come from outside, too."""

_MAX_ENTRIES = 20
_REASONS = {
    "missing": "it is required",
    "model_attributes_type": "a JSON object is expected",
    "model_type": "a JSON object is expected",
    "dict_type": "a JSON object is expected",
}
"""In place of pydantic's words, which speak of Python."""
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class ErrorItem(ApiModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="allow")

    errorCode: str  # noqa: N815 - the wire's name
    message: str
    parameterName: str | None = Field(default=None)  # noqa: N815
    parameterValue: str | None = Field(default=None)  # noqa: N815


class ErrorEnvelope(ApiModel):
    """Any error: `errorCode` and `message` are those of the first of `errors`."""

    errorCode: str  # noqa: N815
    message: str
    errors: list[ErrorItem] = Field(min_length=1)


class OAuthErrorEnvelope(ErrorEnvelope):
    """A refusal of an OAuth endpoint, in the form of RFC 6749 section 5.2 beside the general one."""

    error: str
    error_description: str


Responses = dict[int | str, dict[str, Any]]


def documented(*statuses: int, model: type[BaseModel] = ErrorEnvelope) -> Responses:
    """The `responses` of a route for OpenAPI: these error statuses with the general envelope."""
    return {status: {"model": model, "description": HTTPStatus(status).phrase} for status in statuses}


CALLED_WITH_TOKEN: Responses = documented(400, 401, 403, 404, 429)
"""What any operation of the compatible API may answer when it fails."""


def problem(status: int, entries: Sequence[ErrorEntry], *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error answer with the general envelope."""
    return JSONResponse(_envelope(entries), status_code=status, headers=headers)


def _envelope(entries: Sequence[ErrorEntry]) -> dict[str, object]:
    first = entries[0]
    return {"errorCode": first.code, "message": printable(first.message), "errors": [_item(e) for e in entries]}


def _item(entry: ErrorEntry) -> dict[str, str]:
    item = {"errorCode": entry.code, "message": printable(entry.message)}
    if entry.parameter is not None:
        item["parameterName"] = printable(entry.parameter)
    if entry.value is not None:
        item["parameterValue"] = printable(entry.value)[:_MAX_VALUE]
    return item


def printable(text: str) -> str:
    """Text that can be encoded: what came from outside may hold half a character."""
    return text.encode("utf-8", "replace").decode()


def install(app: FastAPI) -> None:
    """Give the application its error handlers. What is raised beyond them is a bug: `conventions.py` answers 500."""
    app.add_exception_handler(BellwireError, _on_bellwire_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_bellwire_error(_request: Request, raised: Exception) -> Response:
    assert isinstance(raised, BellwireError)
    status, headers, content = error_content(raised)
    return JSONResponse(content, status_code=status, headers=headers)


def error_content(raised: BellwireError) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and body for an error of our tree.

    Raises:
        BellwireError: `raised` itself, when the caller can't do anything about it: that is a bug of ours.
    """
    match raised:
        case OAuthRefused():
            of_oauth: dict[str, object] = {"error": raised.error, "error_description": printable(raised.message)}
            return raised.http_status, {"Cache-Control": "no-store"}, of_oauth | _envelope(raised.entries)
        case TooManyRequests():
            return 429, {"Retry-After": str(raised.retry_after_seconds)}, _envelope(raised.entries)
        case Unauthenticated():
            return 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, _envelope(raised.entries)
        case InvalidRequest():
            return raised.http_status, {}, _envelope(raised.entries)
        case Unavailable():
            entry = ErrorEntry("CMN-201", str(raised) or "Service temporarily unavailable")
            return 503, {"Retry-After": str(raised.retry_after_seconds)}, _envelope([entry])
        case _:
            raise raised


async def _on_validation_error(_request: Request, raised: Exception) -> Response:
    assert isinstance(raised, RequestValidationError)
    details = raised.errors()
    if isinstance(raised.body, bytes):  # FastAPI reads JSON of application/json alone, and passes others on as bytes
        return problem(415, [ErrorEntry("CMN-104", "The body's Content-Type has to be application/json")])
    if any(detail["type"] == "json_invalid" for detail in details):
        return problem(400, [ErrorEntry("CMN-103", "JSON can't be parsed")])
    return problem(400, [validation_entry(detail) for detail in details[:_MAX_ENTRIES]])


def validation_entry(detail: Mapping[str, Any]) -> ErrorEntry:
    """One pydantic error as an entry that names the field as the caller wrote it: `messages[3].text`."""
    place = detail.get("loc", ())
    name = field_name(place[1:] if place and place[0] in ("body", "query", "path", "header", "cookie") else place)
    name = name[:_MAX_NAME]
    value = detail.get("input")
    shown = str(value)[:_MAX_VALUE] if isinstance(value, str | int | float | bool) else None
    reason = _REASONS.get(detail.get("type", ""), detail.get("msg", "is invalid")).removeprefix("Value error, ")
    if not name:
        return ErrorEntry("CMN-101", f"The request body is invalid: {reason}")
    return ErrorEntry("CMN-101", f"Parameter [{name}] value is invalid: {reason}", name, shown)


def field_name(place: Sequence[str | int]) -> str:
    """A place within a body: names joined by dots, indexes in brackets."""
    name = ""
    for step in place:
        if isinstance(step, int):
            name += f"[{step}]"
        else:
            name += f".{step}" if name else step
    return name


async def _on_http_exception(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    if isinstance(raised.__cause__, BodyBrokenOff):  # FastAPI makes a 400 of whatever is raised while it reads a body
        return await _on_bellwire_error(request, raised.__cause__)
    status = raised.status_code
    headers = dict(raised.headers or {})
    match status:
        case 404:
            entry = ErrorEntry("CMN-120", "Invalid URI")
        case 405:
            headers["Allow"] = ", ".join(allowed_methods(request))
            entry = ErrorEntry("CMN-104", f"Method {request.method} is not allowed for this URI")
        case 413:
            entry = ErrorEntry("CMN-104", str(raised.detail))
        case 400:
            entry = ErrorEntry("CMN-103", "The request body can't be parsed")
        case _:
            entry = ErrorEntry("CMN-104" if status < 500 else "CMN-203", str(raised.detail))
    return problem(status, [entry], headers=headers)


def allowed_methods(request: Request) -> list[str]:
    """All methods that this URI has, over all routes that match it."""
    scope = dict(request.scope)
    allowed = []
    for method in _METHODS:
        scope["method"] = method
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            allowed.append(method)
    return allowed


def internal_error() -> JSONResponse:
    """What a bug of ours answers; its details are in the log, under the request's id."""
    return problem(500, [ErrorEntry("CMN-203", "Internal server error; the log has it under this RCRequestId")])
