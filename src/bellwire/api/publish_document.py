"""What the OpenAPI document says of `POST /bellwire/v1/events`, which is a plain route that FastAPI doesn't see.

Its schemas come from the structs that the route really reads and writes, so there is nothing to keep alike.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.encoders import jsonable_encoder

from bellwire.api.authentication import PUBLISHER_KEY
from bellwire.api.openapi import REF, PlainDescription
from bellwire.api.problems import ErrorEnvelope
from bellwire.api.publish import IDEMPOTENCY_KEY, PATH, PublishSummary
from bellwire.engine.publish import Submission
from bellwire.families import voicemail

_TEXT = """\
One event, an array of events, or NDJSON of any length, which is taken in as it arrives. 202 says that all that was
accepted is durable; an event that is wrong is rejected with the place and the reason, and the rest goes on. A request
that breaks off is answered with what was taken so far beside the error; to repeat it is safe where events have a `uuid`
or the request an `Idempotency-Key`.
"""
_REFUSED = "PublishRefused"


def publish_description() -> PlainDescription:
    """The path, its schemas and its security scheme."""
    (event, answer), structs = msgspec.json.schema_components([Submission, PublishSummary], ref_template=REF)
    refused = {
        "description": "An error; with what was taken before it, if anything was",
        "allOf": [{"$ref": REF.format(name=ErrorEnvelope.__name__)}],
        "properties": structs[PublishSummary.__name__]["properties"],
        "type": "object",
    }
    operation: dict[str, Any] = {
        "tags": ["Events"],
        "operationId": "publishEvents",
        "summary": "Publish events",
        "description": _TEXT,
        "security": [{PUBLISHER_KEY.scheme_name: []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes a repeated request safe: events without uuid get the same ones again",
                "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY.pattern}$"},
            }
        ],
        "requestBody": {"required": True, "content": _content(event)},
        "responses": {
            "202": {"description": "Judged, and what was accepted is durable", "content": _json(answer)},
            **{str(status): _error(status) for status in (400, 401, 408, 413, 415, 429, 503)},
        },
    }
    return PlainDescription(
        path=PATH,
        operations={"post": operation},
        schemas=structs | {_REFUSED: refused},
        security_schemes={
            PUBLISHER_KEY.scheme_name: jsonable_encoder(PUBLISHER_KEY.model, by_alias=True, exclude_none=True)
        },
    )


def _content(event: dict[str, Any]) -> dict[str, Any]:
    family = voicemail.FAMILY
    topic = family.templates[0].path.format(accountId="400100", extensionId="400101")
    sample = {"event": topic, "uuid": "voicemail-1001", "body": family.sample}
    lines = msgspec.json.encode(sample).decode() + "\n"
    return {
        "application/json": {
            "schema": {"anyOf": [event, {"type": "array", "items": event}]},
            "examples": {"one": {"value": sample}, "several": {"value": [sample]}},
        },
        "application/x-ndjson": {
            "schema": {"type": "string", "description": f"One {Submission.__name__} on each line"},
            "examples": {"lines": {"value": lines}},
        },
    }


def _error(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": _json({"$ref": REF.format(name=_REFUSED)})}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
