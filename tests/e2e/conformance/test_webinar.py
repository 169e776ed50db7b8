"""Wire contract, 4, against the whole server: cases 59 and 60, and the rules that have no case."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conformance.stage import GENERAL, WEBINAR, Stage, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = "/webinar/configuration/v1/company/sessions"
RUNTIME = "/webinar/runtime/v1/company/sessions/state"
REGISTRATION = "/webinar/registration/v1/company/sessions/state"
REGISTRANTS = "/webinar/registration/v1/company/sessions/registrants"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
WEEK = 604_800


def event(stage: Stage, topic: str, *, webinar: str = "70001", host: str = "", **more: Any) -> dict[str, Any]:
    demo = stage.running.demo
    user = {"userId": host or demo.extension_id, "accountId": demo.account_id, "domain": "pbx"}
    body = {"id": "71001", "webinar": {"id": webinar, "title": "Open house", "host": {"linkedUser": user}}}
    of_family: dict[str, dict[str, Any]] = {
        SESSIONS: {
            "creationTime": "2026-03-02T12:00:00.000Z",
            "lastModifiedTime": "2026-03-02T12:00:00.000Z",
            "scheduledStartTime": "2026-04-01T15:00:00.000Z",
            "scheduledDuration": 3600,
            "timeZone": "America/New_York",
        },
        RUNTIME: {"status": "Active", "runtimeStatus": "Live"},
        REGISTRATION: {"registrationStatus": "Open", "registrantCount": 3, "hasRealRegistrants": True},
        REGISTRANTS: {
            "session": {"id": "71001"},
            "creationTime": "2026-03-05T08:00:00.000Z",
            "lastModifiedTime": "2026-03-05T08:00:00.000Z",
            "firstName": "Cleo",
            "lastName": "Dale",
            "email": "cleo.dale@example.com",
            "registrationTime": "2026-03-05T08:00:00.000Z",
        },
    }
    return {"event": topic, "accountId": demo.account_id, "body": body | of_family[topic], **more}


async def test_case_59_create_answers_201_and_the_id_is_unknown_under_the_general_path(stage: Stage) -> None:
    answer = await stage.create(SESSIONS, path=WEBINAR)
    assert answer.status_code == 201
    made = answer.json()
    assert made["uri"] == f"{stage.running.url}{WEBINAR}/{made['id']}"
    assert (made["eventFilters"], made["status"]) == ([SESSIONS], "Active")
    for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
        assert_refused(await stage.call(method, f"{GENERAL}/{made['id']}{suffix}"), 404, "CMN-102")
    assert await stage.listed() == []
    assert [record["id"] for record in await stage.listed(WEBINAR)] == [made["id"]]


async def test_a_general_subscription_is_unknown_under_the_webinar_path(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE)
    for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
        assert_refused(await stage.call(method, f"{WEBINAR}/{made['id']}{suffix}"), 404, "CMN-102")
    listing = (await stage.call("GET", WEBINAR)).json()
    assert listing == {"uri": f"{stage.running.url}{WEBINAR}", "records": []}


async def test_filters_of_the_one_endpoint_are_sub_508_at_the_other(stage: Stage) -> None:
    for wanted in (SESSIONS, RUNTIME, REGISTRATION, REGISTRANTS):
        assert_refused(await stage.create(wanted), 400, "SUB-508", "eventFilters")
    assert_refused(await stage.create(PRESENCE, path=WEBINAR), 400, "SUB-508", "eventFilters")
    assert_refused(await stage.create(SESSIONS, PRESENCE, path=WEBINAR), 400, "SUB-508", "eventFilters")


async def test_only_webhooks_are_to_be_had(stage: Stage) -> None:
    answer = await stage.create(SESSIONS, path=WEBINAR, mode={"transportType": "WebSocket"})
    assert_refused(answer, 400, "CMN-101", "deliveryMode.transportType")


@pytest.mark.parametrize("content", [b"", b"null", b"{}"])
async def test_an_empty_put_renews_as_the_renewal_does(stage: Stage, content: bytes) -> None:
    made = await stage.subscribe(SESSIONS, path=WEBINAR, expiresIn=600)
    put = await stage.call("PUT", made["uri"], content=content)
    assert put.status_code == 200
    assert WEEK - 1 <= put.json()["expiresIn"] <= WEEK
    stage.advance(seconds=100)
    renewed = await stage.call("POST", made["uri"] + "/renew")
    assert renewed.status_code == 200
    assert WEEK - 1 <= renewed.json()["expiresIn"] <= WEEK
    assert renewed.json()["eventFilters"] == [SESSIONS]


async def test_put_replaces_the_filters_and_delete_ends_it(stage: Stage) -> None:
    made = await stage.subscribe(SESSIONS, path=WEBINAR)
    put = await stage.call("PUT", made["uri"], json={"eventFilters": [RUNTIME]})
    assert put.json()["eventFilters"] == [RUNTIME]
    await stage.publish(event(stage, SESSIONS), event(stage, RUNTIME))
    (delivery,) = await stage.receiver.wait_for(1)
    assert delivery.json()["event"] == RUNTIME
    deleted = await stage.call("DELETE", made["uri"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert_refused(await stage.call("GET", made["uri"]), 404, "CMN-102")


async def test_the_limit_of_thirty_is_counted_apart(stage: Stage) -> None:
    for _ in range(30):
        await stage.subscribe(SESSIONS, path=WEBINAR)
    assert_refused(await stage.create(SESSIONS, path=WEBINAR), 403, "SUB-505")
    assert len(stage.receiver.handshakes) == 30
    assert (await stage.create(PRESENCE)).status_code == 200


@pytest.mark.parametrize("topic", [SESSIONS, RUNTIME, REGISTRATION, REGISTRANTS])
async def test_case_60_with_a_webinar_id_only_that_webinars_events_come(stage: Stage, topic: str) -> None:
    wanted = f"{topic}?webinarId=70002"
    made = await stage.subscribe(wanted, path=WEBINAR)
    await stage.publish(
        event(stage, topic, webinar="70001"), event(stage, topic, webinar="70002"), event(stage, topic, webinar="7000")
    )
    await stage.settle()
    (delivery,) = stage.receiver.notifications
    assert delivery.json()["event"] == wanted
    assert delivery.json()["subscriptionId"] == made["id"]
    assert delivery.json()["body"]["webinar"]["id"] == "70002"


async def test_host_and_webinar_together_are_both_needed(stage: Stage) -> None:
    host = stage.running.demo.other_extension_id
    await stage.subscribe(f"{RUNTIME}?hostUserId={host}&webinarId=70002", path=WEBINAR)
    await stage.publish(
        event(stage, RUNTIME, webinar="70002"),
        event(stage, RUNTIME, webinar="70001", host=host),
        event(stage, RUNTIME, webinar="70002", host=host),
    )
    await stage.settle()
    (delivery,) = stage.receiver.notifications
    assert delivery.json()["body"]["webinar"]["host"]["linkedUser"]["userId"] == host


async def test_an_expired_one_is_sub_507_for_a_day(stage: Stage) -> None:
    made = await stage.subscribe(SESSIONS, path=WEBINAR, expiresIn=60)
    stage.advance(seconds=60)
    assert_refused(await stage.call("GET", made["uri"]), 404, "SUB-507")
    assert_refused(await stage.call("GET", f"{GENERAL}/{made['id']}"), 404, "CMN-102")
    stage.advance(hours=24)
    assert_refused(await stage.call("GET", made["uri"]), 404, "CMN-102")
