"""Cases 14 and 17 against the whole server: what ends a session, by real time and for real requests."""

from __future__ import annotations

import pytest

from tests.e2e.conformance.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = "/restapi/v1.0/account/~"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


async def status_with(stage: Stage, token: str) -> int:
    answer = await stage.running.http.get(ACCOUNT, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def refresh(stage: Stage, token: str) -> tuple[int, dict[str, str]]:
    demo = stage.running.demo
    answer = await stage.running.http.post(
        "/restapi/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=(demo.client_id, demo.client_secret),
    )
    return answer.status_code, answer.json()


async def test_case_14_ten_seconds_after_the_new_token_was_used_the_old_refresh_token_is_dead(stage: Stage) -> None:
    first = await stage.running.token()
    _, second = await refresh(stage, first["refresh_token"])
    assert await status_with(stage, first["access_token"]) == 401
    assert await status_with(stage, second["access_token"]) == 200
    stage.advance(seconds=9)
    assert (await refresh(stage, first["refresh_token"]))[1]["access_token"] == second["access_token"]
    stage.advance(seconds=2)
    status, refused = await refresh(stage, first["refresh_token"])
    assert (status, refused["error"], refused["errorCode"]) == (400, "invalid_grant", "OAU-213")
    assert await status_with(stage, second["access_token"]) == 200


async def test_case_17_revoking_an_access_token_ends_its_session_alone(stage: Stage) -> None:
    """The socket's half comes with the gateway."""
    demo = stage.running.demo
    revoked, other = await stage.running.token(), await stage.running.token()
    answer = await stage.running.http.post(
        "/restapi/oauth/revoke", data={"token": revoked["access_token"]}, auth=(demo.client_id, demo.client_secret)
    )
    assert answer.status_code == 200
    assert await status_with(stage, revoked["access_token"]) == 401
    status, refused = await refresh(stage, revoked["refresh_token"])
    assert (status, refused["errorCode"]) == (400, "OAU-213")
    assert await status_with(stage, other["access_token"]) == 200
    assert (await refresh(stage, other["refresh_token"]))[0] == 200


async def test_a_webhook_subscription_outlives_the_session_that_made_it(stage: Stage) -> None:
    demo = stage.running.demo
    tokens = await stage.running.token()
    answer = await stage.running.http.post(
        "/restapi/v1.0/subscription",
        json={
            "eventFilters": [PRESENCE],
            "deliveryMode": {"transportType": "WebHook", "address": stage.receiver.url},
        },
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    stage.made.append((stage.admin, f"/restapi/v1.0/subscription/{answer.json()['id']}"))
    await stage.running.http.post(
        "/restapi/oauth/revoke", data={"token": tokens["access_token"]}, auth=(demo.client_id, demo.client_secret)
    )
    await stage.publish(stage.presence())
    (delivery,) = await stage.receiver.wait_for(1)
    assert delivery.json()["subscriptionId"] == answer.json()["id"]
