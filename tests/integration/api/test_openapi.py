"""The OpenAPI document is truthful: Schemathesis finds no 5xx and nothing undocumented in these routes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
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
from tests.integration.api.stage import APP, SECRET, Stage, basic, set_stage

CHECKED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def stage_and_token() -> tuple[Stage, str]:
    async def prepare() -> tuple[Stage, str]:
        stage = await set_stage()
        await stage.change_application(APP, rate_limit_factor=1e6)
        return stage, str((await stage.login())["access_token"])

    return asyncio.run(prepare())


def test_answers_are_as_documented(stage_and_token: tuple[Stage, str]) -> None:
    stage, token = stage_and_token
    schema = schemathesis.openapi.from_asgi(OPENAPI_PATH, stage.app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 15
    for operation in operations:
        is_oauth = operation.path.startswith("/restapi/oauth/")
        _try(operation, {"Authorization": basic(APP, SECRET) if is_oauth else f"Bearer {token}"})


def _try(operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=CHECKED)

    check()


def test_the_document_has_no_trace_of_what_is_never_answered(stage_and_token: tuple[Stage, str]) -> None:
    document = stage_and_token[0].app.openapi()
    answered = {status for path in document["paths"].values() for o in path.values() for status in o["responses"]}
    assert "422" not in answered
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert set(document["components"]["securitySchemes"]) >= {"accessToken", "accessTokenInQuery", "publisherKey"}
    body = document["paths"]["/restapi/v1.0/probe/{probeId}"]["put"]["requestBody"]
    assert body.get("required", False) is False
    assert "Note" in str(body)
