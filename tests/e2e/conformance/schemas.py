"""Answers and notifications against the published schemas. Without the reference data nothing is judged."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

from tests.contract.published_reference import FOLDER, IS_HERE, filters, fits_schema, validator, with_ids

_UNLISTED_ERROR = "400"
"""Statuses that the document does not list for an operation have the same error body as this one."""


async def check_answer(answer: httpx.Response) -> None:
    """An event hook of httpx: every answer of a documented operation has the documented shape.

    Raises:
        AssertionError, jsonschema.ValidationError
    """
    operation = _operation(answer.request) if IS_HERE else None
    if operation is None:
        return
    await answer.aread()
    responses = operation["responses"]
    listed = responses.get(str(answer.status_code))
    assert listed or answer.is_error, f"status {answer.status_code} is not documented"
    described = listed or responses.get(_UNLISTED_ERROR)
    if described is None:  # the published document says nothing of this operation's errors
        return
    response = _resolved(described)
    for name, header in response.get("headers", {}).items():
        assert name in answer.headers or not _resolved(header).get("required"), f"header {name} is missing"
    content = response.get("content")
    if content is None:
        assert answer.content == b""
    elif answer.headers["content-type"] == "text/csv; charset=utf-8":
        assert "text/csv" in content
    else:
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        _validator_of(content["application/json"]["schema"]).validate(answer.json())


def check_notification(document: dict[str, Any]) -> None:
    """The envelope, and the body of the family that `event` names, are as published.

    Raises:
        AssertionError, jsonschema.ValidationError
    """
    if not IS_HERE:
        return
    validator("NotificationEnvelope").validate(document)
    path = document["event"].partition("?")[0]
    entries = [entry for entry in filters() if _filter_path(entry["template"]).fullmatch(path)]
    assert entries, f"no published filter is like {document['event']}"
    assert any(fits_schema(entry, document["body"]) for entry in entries), document


@cache
def _document() -> dict[str, Any]:
    """With the choice that the wire contract makes against it (section 8): a message's id is a string."""
    document: dict[str, Any] = json.loads((FOLDER / "openapi-subset.json").read_text())
    document["components"]["schemas"]["MessageListMessageResponse"]["properties"]["id"] = {"type": "string"}
    return document


@cache
def _paths() -> dict[re.Pattern[str], dict[str, Any]]:
    """The document's paths, those without parameters first."""
    paths = sorted(_document()["paths"].items(), key=lambda item: "{" in item[0])
    return {re.compile(re.sub(r"{\w+}", "[^/]+", path)): operations for path, operations in paths}


def _operation(request: httpx.Request) -> dict[str, Any] | None:
    for pattern, operations in _paths().items():
        if pattern.fullmatch(request.url.path):
            operation: dict[str, Any] | None = operations.get(request.method.lower())
            return operation
    return None


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A response or header of the document, or the shared one that it names."""
    if "$ref" not in part:
        return part
    found: dict[str, Any] = _document()["components"]
    for step in part["$ref"].removeprefix("#/components/").split("/"):
        found = found[step]
    return found


def _validator_of(schema: dict[str, Any]) -> Draft202012Validator:
    whole = {"components": _document()["components"], **schema}
    return Draft202012Validator(whole, format_checker=FormatChecker())


@cache
def _filter_path(template: str) -> re.Pattern[str]:
    """What `event` may be for a published filter: any id where it has a placeholder, or `~` for the account."""
    anything = dict.fromkeys(re.findall(r"{(\w+)}", template), "*")
    path = re.sub("(accounts?)/~", r"\1/*", with_ids(template, **anything).partition("?")[0])
    return re.compile(re.escape(path).replace(r"\*", "[^/]+"))
