"""What the contract says of the official Python SDK, `ringcentral`, by that package itself, unmodified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from ringcentral import SDK
from ringcentral.http.api_exception import ApiException

from tests.e2e.conformance.stage import GENERAL, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"


@pytest_asyncio.fixture(loop_scope="module")
async def platform(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Logged in. It is synchronous: its calls go to a thread, since the server lives in this one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    demo = stage.running.demo
    platform = SDK(demo.client_id, demo.client_secret, stage.running.url).platform()
    await asyncio.to_thread(platform.login, jwt=demo.jwt)
    yield platform
    await asyncio.to_thread(platform.logout)


def a_subscription(stage: Stage, *filters: str) -> dict[str, Any]:
    mode = {"transportType": "WebHook", "address": stage.receiver.url, "verificationToken": "t0ken"}
    return {"eventFilters": list(filters), "deliveryMode": mode}


async def test_a_subscription_lives_its_life_through_the_sdk(stage: Stage, platform: Any) -> None:
    """Cases 23, 26, 37, 42 to 44: `bearer` in lower case, and a content type on requests without a body."""

    def life() -> None:
        made = platform.post(GENERAL, a_subscription(stage, PRESENCE)).json_dict()
        path = f"/subscription/{made['id']}"  # without the prefix, which the SDK puts there
        assert [record["id"] for record in platform.get(GENERAL).json_dict()["records"]] == [made["id"]]
        assert platform.get(path).json_dict()["id"] == made["id"]
        updated = platform.put(path, a_subscription(stage, PRESENCE, MESSAGES) | {"expiresIn": 7200}).json_dict()
        assert len(updated["eventFilters"]) == 2
        assert platform.post(f"{path}/renew").json_dict()["expiresIn"] > 7200
        assert platform.delete(path).response().status_code == 204
        with pytest.raises(ApiException) as refused:
            platform.get(path)
        assert refused.value.api_response().response().status_code == 404
        assert "CMN-102" in str(refused.value)

    await asyncio.to_thread(life)


async def test_a_number_with_a_raw_plus_gets_exactly_its_messages(stage: Stage, platform: Any) -> None:
    """Case 33's rule, for event filters: a plus is a plus."""
    number = stage.running.demo.a2p_number
    wanted = f"{MESSAGES}?direction=Inbound&to={number}"
    made = await asyncio.to_thread(lambda: platform.post(GENERAL, a_subscription(stage, wanted)).json_dict())
    await stage.publish(
        stage.message(number, direction="Outbound"),
        stage.message("+16505550181"),
        stage.message(number, uuid="the-match"),
    )
    await stage.settle()
    (delivery,) = stage.receiver.notifications
    assert delivery.json()["uuid"] == "the-match"
    assert delivery.json()["event"] == f"{stage.account}/a2p-sms/messages?direction=Inbound&to={number}"
    assert delivery.headers["verification-token"] == "t0ken"
    await asyncio.to_thread(platform.delete, f"{GENERAL}/{made['id']}")


async def test_a_refresh_goes_on_with_the_same_session(stage: Stage, platform: Any) -> None:
    before = platform.auth().access_token()
    await asyncio.to_thread(platform.refresh)
    assert platform.auth().access_token() != before
    listed = await asyncio.to_thread(lambda: platform.get(GENERAL).json_dict())
    assert listed["records"] == []
