"""Our answers and our routes against `openapi-subset.json`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from starlette.routing import Match

from tests.integration.api.stage import APP, JWT_GRANT, Stage, set_stage

SUBSET = Path(__file__).parents[3] / "shared" / "reference" / "openapi-subset.json"
if not SUBSET.exists():
    pytest.skip("the reference data is not here", allow_module_level=True)
DOCUMENT: dict[str, Any] = json.loads(SUBSET.read_text())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    built = await set_stage()
    async with built.client:
        yield built


def assert_fits(answer: httpx.Response, path: str, method: str) -> None:
    response = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    whole = {"components": DOCUMENT["components"], **schema}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(answer.json())


@pytest.mark.parametrize(
    "path",
    [
        "/restapi/v1.0/account/{accountId}/extension",
        "/restapi/v1.0/account/{accountId}/extension/{extensionId}",
        "/restapi/v1.0/account/{accountId}/extension/{extensionId}/phone-number",
        "/.well-known/openid-configuration",
    ],
)
async def test_a_read_resource_has_the_documented_shape(stage: Stage, path: str) -> None:
    token = (await stage.login())["access_token"]
    answer = await stage.get(path.replace("{accountId}", "~").replace("{extensionId}", "~"), token)
    assert answer.status_code == 200
    assert_fits(answer, path, "get")


async def test_tokens_and_refusals_have_the_documented_shape(stage: Stage) -> None:
    path = "/restapi/oauth/token"
    assert_fits(await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt()), path, "post")
    assert_fits(await stage.post_token(grant_type=JWT_GRANT, assertion="x"), path, "post")
    assert_fits(await stage.post_token(auth=(APP, "wrong"), grant_type="unknown"), path, "post")
    assert_fits(await stage.client.get("/restapi/oauth/authorize"), "/restapi/oauth/authorize", "get")


def operations() -> list[tuple[str, str]]:
    methods = {"get", "post", "put", "patch", "delete"}
    return [(path, m.upper()) for path, found in DOCUMENT["paths"].items() for m in found if m in methods]


async def test_every_operation_is_served_or_said_to_be_unsupported(stage: Stage) -> None:
    missing = []
    for path, method in operations():
        if "/subscription" in path:  # their own router's matter
            continue
        scope = {"type": "http", "method": method, "path": path.replace("{", "").replace("}", ""), "headers": []}
        if not any(route.matches(scope)[0] is Match.FULL for route in stage.app.routes):
            missing.append((method, path))
    assert missing == []


async def test_what_is_unsupported_says_so(stage: Stage) -> None:
    answer = await stage.client.post("/restapi/v1.0/account/~/extension/~/sms", json={})
    assert (answer.status_code, answer.json()["errorCode"]) == (501, "CMN-202")
