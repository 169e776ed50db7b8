"""The OpenAPI document of typed routes. That of the whole server is tested in `tests/e2e/test_openapi_document.py`."""

from __future__ import annotations

from tests.integration.api.stage import Stage


async def test_the_document_has_no_trace_of_what_is_never_answered(stage: Stage) -> None:
    document = stage.app.openapi()

    answered = {status for path in document["paths"].values() for o in path.values() for status in o["responses"]}
    assert "422" not in answered
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_a_body_that_may_be_left_out_is_said_to_be_optional(stage: Stage) -> None:
    body = stage.app.openapi()["paths"]["/restapi/v1.0/probe/{probeId}"]["put"]["requestBody"]

    assert body.get("required", False) is False
    assert "Note" in str(body)


async def test_the_document_is_built_once_and_has_its_own_description(stage: Stage) -> None:
    path = "/bellwire/v1/openapi.json"
    first, second = await stage.client.get(path), await stage.client.get(path)

    assert first.status_code == 200
    assert first.content == second.content
    assert path in first.json()["paths"]
    assert stage.app.openapi() is stage.app.openapi()
