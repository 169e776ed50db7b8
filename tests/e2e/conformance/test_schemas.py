"""That the checks of this folder do check: every answer and every notification passes through them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from tests.contract.published_reference import ABSENT, IS_HERE, examples
from tests.e2e.conformance.schemas import check_answer, check_notification
from tests.e2e.conformance.stage import GENERAL, Stage, set_stage
from tests.e2e.in_process import Running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not IS_HERE, reason=ABSENT),
]

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


async def test_an_answer_is_held_against_the_schema_of_its_operation_and_status(stage: Stage) -> None:
    right = await stage.create(PRESENCE)
    wrong: list[tuple[int, Any]] = [
        (200, {name: value for name, value in right.json().items() if name != "status"}),
        (200, right.json() | {"expiresIn": "604800"}),
        (400, {"errors": [{"message": "without its code"}]}),
        (429, {"errors": [{"message": "without its code"}]}),
    ]
    for status, body in wrong:
        answer = httpx.Response(status, json=body, request=right.request)
        answer.headers["content-type"] = "application/json; charset=UTF-8"
        with pytest.raises(ValidationError):
            await check_answer(answer)
    with pytest.raises(AssertionError, match="not documented"):
        await check_answer(httpx.Response(202, json=right.json(), request=right.request))
    assert stage.running.http.event_hooks["response"] == [check_answer]


async def test_a_notification_is_held_against_the_schema_of_its_family(running: Running) -> None:
    with pytest.raises(ValidationError, match="too early"):
        async with set_stage(running) as stage:
            await stage.subscribe(PRESENCE)
            await stage.publish(stage.presence())
            (delivery,) = await stage.receiver.wait_for(1)
            delivery.body = delivery.body.replace(b'"timestamp":"', b'"timestamp":"too early')
    for example in examples():
        if "body" in example.document:
            check_notification(example.document)
    with pytest.raises(AssertionError):
        check_notification(delivery.json() | {"event": "/restapi/v1.0/nothing", "timestamp": "2026-03-02T10:10:02Z"})
    assert await stage.listed(GENERAL) == []
