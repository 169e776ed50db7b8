"""The OpenAPI document says of the operators' API what it really answers: Schemathesis asks a running server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bellwire.api.openapi import OPENAPI_PATH
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.history.operator import MESSAGES, Operator, message
from tests.e2e.in_process import running_server

CHECKED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TAGS = {"Event history", "Delivery history", "Operating subscriptions", "Replays"}


async def test_operators_are_answered_as_documented(tmp_path: Path) -> None:
    async with running_server(tmp_path / "data") as running, WebhookReceiver() as receiver:
        subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
        await running.publish(*(message(running, n) for n in range(3)))
        await receiver.wait_for(3)
        operator = Operator(running)
        await operator.ask("POST", f"/subscriptions/{subscription}/replay", status=202, json={"event": "1"})
        replay = (await operator.get("/replays"))["records"][0]["id"]
        known = {"subscriptionId": subscription, "event": "m1", "replayId": replay}
        tried = await asyncio.to_thread(_try_all, running.url, running.demo.admin_key, known)
    assert tried >= 15


def _try_all(url: str, key: str, known: dict[str, str]) -> int:
    schema = schemathesis.openapi.from_url(url + OPENAPI_PATH)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    ours = [operation for operation in operations if TAGS.intersection(operation.definition.raw.get("tags", ()))]
    for operation in ours:
        _try(operation, {"Authorization": f"Bearer {key}"}, known)
    return len(ours)


def _try(operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str], known: dict[str, str]) -> None:
    """Once with what exists, and then with whatever."""
    path = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
    if path and operation.method != "delete":
        case = operation.Case(path_parameters=path)
        if operation.path.endswith("/replay"):
            case = operation.Case(path_parameters=path, body={"event": "m1"}, media_type="application/json")
        case.call_and_validate(headers=headers, checks=CHECKED)

    @given(case=operation.as_strategy())
    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=CHECKED)

    check()
