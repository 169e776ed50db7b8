"""Both subscription APIs over HTTP (wire contract, 3 and 4; conformance cases 23, 26, 27, 37 to 48, 57 and 59)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import SubscriptionStatus, TransportType
from bellwire.storage.records import FILE_NAME, Records
from bellwire.testing.receiver import Reply
from tests.doubles.subscriptions import a_subscription, all_of
from tests.integration.api.stage import ACCOUNT, ALICE, APP, BOB, LIMITED, PUBLIC
from tests.integration.api.subscribing_stage import (
    BASE,
    GENERAL,
    WEBINAR,
    SubscribingStage,
    set_subscribing_stage,
)

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
OWN_PRESENCE = f"/restapi/v1.0/account/{ACCOUNT}/extension/{ALICE}/presence"
SESSIONS = "/restapi/v1.0/account/~/telephony/sessions"
OWN_SESSIONS = f"/restapi/v1.0/account/{ACCOUNT}/telephony/sessions"
REMINDER = "/restapi/v1.0/subscription/~?threshold={}&interval={}"
WEBINAR_FILTER = "/webinar/configuration/v1/company/sessions"
SIGNING_SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
SUBSET = Path(__file__).resolve().parents[4] / "shared" / "reference" / "openapi-subset.json"


@pytest.fixture(scope="module")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A records database whose tables are made: making them takes longer than most tests here."""

    async def make(path: Path) -> None:
        records = Records(path)
        await records.open()
        await records.close()

    path = tmp_path_factory.mktemp("records") / FILE_NAME
    asyncio.run(make(path))
    return path


@pytest.fixture
async def stage(tmp_path: Path, empty_records: Path) -> AsyncIterator[SubscribingStage]:
    shutil.copy(empty_records, tmp_path)
    async with set_subscribing_stage(tmp_path) as built:
        yield built


def assert_refused(answer: httpx.Response, status: int, code: str, parameter: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["errorCode"], body["errors"][0]["errorCode"]) == (code, code)
    assert body["message"] == body["errors"][0]["message"]
    if parameter is not None:
        assert body["errors"][0]["parameterName"] == parameter


async def test_case_37_create_answers_200_with_real_ids_and_without_secrets(stage: SubscribingStage) -> None:
    answer = await stage.create(
        f"{PRESENCE}?detailedTelephonyState=true&sipData=true",
        mode={"verificationToken": "token-1", "signingSecret": SIGNING_SECRET},
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "uri": f"{BASE}{GENERAL}/{body['id']}",
        "id": body["id"],
        "eventFilters": [f"{OWN_PRESENCE}?detailedTelephonyState=true&sipData=true"],
        "creationTime": "2026-11-23T09:00:00.000Z",
        "expirationTime": "2026-11-30T09:00:00.000Z",
        "expiresIn": 604_800,
        "status": "Active",
        "deliveryMode": {"transportType": "WebHook", "encryption": False, "address": stage.receiver.url},
    }
    assert len(body["id"]) == 36
    assert "token-1" not in answer.text
    assert "whsec_" not in (await stage.call("GET", GENERAL)).text


async def test_case_38_without_expires_in_it_is_seven_days_counting_down(stage: SubscribingStage) -> None:
    created = (await stage.create(PRESENCE)).json()
    assert 604_799 <= created["expiresIn"] <= 604_800
    stage.stage.clock.advance(0.25)
    assert (await stage.call("GET", f"{GENERAL}/{created['id']}")).json()["expiresIn"] == 604_799


async def test_case_39_expires_in_is_clamped_and_zero_is_refused(stage: SubscribingStage) -> None:
    assert (await stage.create(PRESENCE, expiresIn=315_360_001)).json()["expiresIn"] == 315_360_000
    for wrong in (0, -1, "600", 1.5, True):
        assert_refused(await stage.create(PRESENCE, expiresIn=wrong), 400, "CMN-101", "expiresIn")


async def test_case_40_the_thirty_first_is_refused_and_its_address_not_called(stage: SubscribingStage) -> None:
    for _ in range(30):
        assert (await stage.create(PRESENCE)).status_code == 200
    handshakes = len(stage.receiver.handshakes)
    assert_refused(await stage.create(PRESENCE), 403, "SUB-505")
    assert len(stage.receiver.handshakes) == handshakes == 30
    records = (await stage.call("GET", GENERAL)).json()["records"]
    assert len(records) == 30
    assert (await stage.create(WEBINAR_FILTER, path=WEBINAR)).status_code == 201


async def test_case_41_another_application_of_the_same_user_has_its_own_list(stage: SubscribingStage) -> None:
    mine = (await stage.create(PRESENCE)).json()
    login = await stage.stage.post_token(
        auth=None,
        grant_type="password",
        client_id=PUBLIC,
        username="alice@northwind.example",
        password="correct horse",
    )
    other_token = login.json()["access_token"]
    assert (await stage.call("GET", GENERAL, token=other_token)).json() == {"uri": BASE + GENERAL, "records": []}
    assert (await stage.call("GET", GENERAL)).json()["records"] == [mine]
    assert_refused(await stage.call("GET", f"{GENERAL}/{mine['id']}", token=other_token), 404, "CMN-102")
    bob = await stage.token_of(BOB)
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
        assert_refused(await stage.call(method, f"{GENERAL}/{mine['id']}{path}", token=bob), 404, "CMN-102")


async def test_case_42_put_replaces_filters_and_not_the_address(stage: SubscribingStage) -> None:
    created = (await stage.create(PRESENCE, expiresIn=60)).json()
    stage.stage.clock.advance(30)
    body = {
        "eventFilters": [SESSIONS],
        "deliveryMode": {"transportType": "WebHook", "address": "https://elsewhere.example.com/"},
    }
    answer = await stage.call("PUT", f"{GENERAL}/{created['id']}", json=body)
    assert answer.status_code == 200
    assert answer.json() == created | {
        "eventFilters": [OWN_SESSIONS],
        "expirationTime": "2026-11-30T09:00:30.000Z",
        "expiresIn": 604_800,
    }
    assert len(stage.receiver.handshakes) == 1
    for ignored in ("PubNub", {"transportType": 7}, None):
        again = {"eventFilters": [SESSIONS], "expiresIn": 90, "deliveryMode": ignored}
        assert (await stage.call("PUT", f"{GENERAL}/{created['id']}", json=again)).json()["expiresIn"] == 90


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b'{"eventFilters": null, "expiresIn": null}'])
async def test_case_43_and_27_an_empty_put_is_a_renewal(stage: SubscribingStage, content: bytes) -> None:
    first = (await stage.create(PRESENCE, expiresIn=10_000_000)).json()
    second = (await stage.create(PRESENCE, expiresIn=60)).json()
    stage.stage.clock.advance(10)
    put = await stage.call("PUT", f"{GENERAL}/{first['id']}", content=content)
    renewed = await stage.call("POST", f"{GENERAL}/{second['id']}/renew")
    assert (put.status_code, renewed.status_code) == (200, 200)
    assert put.json()["expirationTime"] == renewed.json()["expirationTime"] == "2026-11-30T09:00:10.000Z"
    assert put.json()["eventFilters"] == [OWN_PRESENCE]


async def test_case_44_and_26_delete_answers_204_and_then_nothing_is_there(stage: SubscribingStage) -> None:
    id_ = (await stage.create(PRESENCE)).json()["id"]
    deleted = await stage.call("DELETE", f"{GENERAL}/{id_}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert_refused(await stage.call("GET", f"{GENERAL}/{id_}"), 404, "CMN-102")
    assert_refused(await stage.call("DELETE", f"{GENERAL}/{id_}"), 404, "CMN-102")
    assert await all_of(stage.store) == []


async def test_case_45_every_bad_filter_is_named_and_another_account_is_forbidden(stage: SubscribingStage) -> None:
    bad = ["/restapi/v1.0/account/~/presense", f"{PRESENCE}?colour=red"]
    answer = await stage.create(PRESENCE, *bad)
    assert_refused(answer, 400, "SUB-508")
    for text in bad:
        assert text in answer.text
    assert_refused(await stage.create(PRESENCE, "/restapi/v1.0/account/500100/presence"), 403, "SUB-406")
    assert_refused(
        await stage.create(f"/restapi/v1.0/account/{ACCOUNT}/extension/999/presence"), 403, "SUB-408", "eventFilters"
    )
    assert stage.receiver.handshakes == []


async def test_case_46_what_is_not_permitted_is_listed_as_disabled(stage: SubscribingStage) -> None:
    bob = await stage.token_of(BOB)
    answer = await stage.create(PRESENCE, SESSIONS, token=bob)
    assert answer.status_code == 200
    body = answer.json()
    assert body["eventFilters"] == [f"/restapi/v1.0/account/{ACCOUNT}/extension/{BOB}/presence"]
    (disabled,) = body["disabledFilters"]
    assert (disabled["filter"], disabled["reason"]) == (OWN_SESSIONS, "SUB-412")
    assert "ReadCompanyTelephony" in disabled["message"]
    assert_refused(await stage.create(SESSIONS, token=bob), 403, "CMN-408", "eventFilters")
    limited = await stage.token_of(ALICE, LIMITED)
    assert_refused(await stage.create(PRESENCE, token=limited), 403, "CMN-401", "eventFilters")


@pytest.mark.parametrize("name", ["verificationToken", "validationToken"])
async def test_case_47_one_empty_handshake_is_posted_before_the_subscription_exists(
    stage: SubscribingStage, name: str
) -> None:
    assert (await stage.create(PRESENCE, mode={name: "token-1"})).status_code == 200
    (handshake,) = stage.receiver.handshakes
    assert (handshake.method, handshake.body) == ("POST", b"")
    assert handshake.headers["verification-token"] == "token-1"
    assert handshake.validation_token


async def test_the_verification_token_wins_over_its_other_name(stage: SubscribingStage) -> None:
    await stage.create(PRESENCE, mode={"validationToken": "other", "verificationToken": "token-1"})
    assert stage.receiver.handshakes[0].headers["verification-token"] == "token-1"


async def test_case_48_without_an_echo_nothing_is_stored(stage: SubscribingStage) -> None:
    stage.receiver.handshake = lambda _: Reply()
    assert_refused(await stage.create(PRESENCE), 400, "SUB-520")
    assert await all_of(stage.store) == []
    assert (await stage.call("GET", GENERAL)).json()["records"] == []


@pytest.mark.parametrize(
    ("mode", "parameter"),
    [
        ({"transportType": "WebSocket"}, "deliveryMode.transportType"),
        ({"transportType": "PubNub"}, "deliveryMode.transportType"),
        ({"transportType": "webhook"}, "deliveryMode.transportType"),
        ({"transportType": 7}, "deliveryMode.transportType"),
        ({"address": None}, "deliveryMode.address"),
        ({"address": ""}, "deliveryMode.address"),
        ({"address": "ftp://receiver.example.com"}, "deliveryMode.address"),
        ({"address": "receiver"}, "deliveryMode.address"),
        ({"verificationToken": "two\r\nlines"}, "deliveryMode.verificationToken"),
        ({"signingSecret": "whsec_short"}, "deliveryMode.signingSecret"),
        ({"signingSecret": ""}, "deliveryMode.signingSecret"),
    ],
)
async def test_a_bad_delivery_mode_is_refused_by_the_name_of_its_field(
    stage: SubscribingStage, mode: dict[str, Any], parameter: str
) -> None:
    assert_refused(await stage.create(PRESENCE, mode=mode), 400, "CMN-101", parameter)
    assert await all_of(stage.store) == []


async def test_a_socket_subscription_is_said_to_be_made_over_the_socket(stage: SubscribingStage) -> None:
    answer = await stage.create(PRESENCE, mode={"transportType": "WebSocket"})
    assert "over the socket" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"deliveryMode": {"transportType": "WebHook", "address": "https://a.example"}}, "eventFilters"),
        ({"eventFilters": [PRESENCE]}, "deliveryMode"),
        ({"eventFilters": [PRESENCE], "deliveryMode": {}}, "deliveryMode.transportType"),
        ({"eventFilters": [], "deliveryMode": {"transportType": "WebHook"}}, "eventFilters"),
        ({"eventFilters": PRESENCE, "deliveryMode": {"transportType": "WebHook"}}, "eventFilters"),
        ({"eventFilters": [""], "deliveryMode": {"transportType": "WebHook"}}, "eventFilters[0]"),
        ({"eventFilters": [PRESENCE, 7], "deliveryMode": {"transportType": "WebHook"}}, "eventFilters[1]"),
        ({"eventFilters": [PRESENCE] * 101, "deliveryMode": {"transportType": "WebHook"}}, "eventFilters"),
    ],
)
async def test_what_is_missing_or_of_the_wrong_type_is_named(
    stage: SubscribingStage, body: dict[str, Any], parameter: str
) -> None:
    assert_refused(await stage.call("POST", GENERAL, json=body), 400, "CMN-101", parameter)


async def test_a_body_that_is_no_json_or_empty_makes_no_subscription(stage: SubscribingStage) -> None:
    assert_refused(await stage.call("POST", GENERAL, content=b"{"), 400, "CMN-103")
    assert_refused(await stage.call("POST", GENERAL, content=b""), 400, "CMN-101")
    assert_refused(await stage.call("POST", GENERAL, content=b"[]"), 400, "CMN-101")


async def test_keys_that_the_contract_does_not_have_are_ignored(stage: SubscribingStage) -> None:
    answer = await stage.create(PRESENCE, id="mine", uri="http://x", status="Blacklisted", mode={"encryption": True})
    assert answer.status_code == 200
    assert answer.json()["status"] == "Active"
    assert answer.json()["deliveryMode"]["encryption"] is False


async def test_case_57_reminder_times_that_do_not_fit_are_sub_516(stage: SubscribingStage) -> None:
    for threshold, interval, lifetime in ((61, 15, 120), (60, 31, 600), (60, 4, 600)):
        answer = await stage.create(PRESENCE, REMINDER.format(threshold, interval), expiresIn=lifetime)
        assert_refused(answer, 400, "SUB-516", "eventFilters")
    created = await stage.create(REMINDER.format(60, 15), expiresIn=120)
    assert created.json()["eventFilters"] == [REMINDER.format(60, 15)]


async def test_case_59_webinar_create_is_201_and_its_id_unknown_to_the_other_endpoint(
    stage: SubscribingStage,
) -> None:
    answer = await stage.create(WEBINAR_FILTER, path=WEBINAR)
    assert answer.status_code == 201
    webinar = answer.json()
    assert webinar["uri"] == f"{BASE}{WEBINAR}/{webinar['id']}"
    assert_refused(await stage.call("GET", f"{GENERAL}/{webinar['id']}"), 404, "CMN-102")
    general = (await stage.create(PRESENCE)).json()
    assert_refused(await stage.call("GET", f"{WEBINAR}/{general['id']}"), 404, "CMN-102")
    assert_refused(await stage.create(WEBINAR_FILTER), 400, "SUB-508")
    assert_refused(await stage.create(PRESENCE, path=WEBINAR), 400, "SUB-508")
    assert (await stage.call("GET", WEBINAR)).json() == {"uri": BASE + WEBINAR, "records": [webinar]}
    stage.stage.clock.advance(1)
    for answer in (
        await stage.call("PUT", f"{WEBINAR}/{webinar['id']}"),
        await stage.call("POST", f"{WEBINAR}/{webinar['id']}/renew"),
    ):
        assert answer.json()["expirationTime"] == "2026-11-30T09:00:01.000Z"
    assert (await stage.call("DELETE", f"{WEBINAR}/{webinar['id']}")).status_code == 204


async def test_an_expired_subscription_is_sub_507_for_a_day_and_unknown_after(stage: SubscribingStage) -> None:
    id_ = (await stage.create(PRESENCE, expiresIn=60)).json()["id"]
    stage.stage.clock.advance(60)
    assert_refused(await stage.call("GET", f"{GENERAL}/{id_}"), 404, "SUB-507")
    assert await stage.upkeep.expire_due(stage.stage.clock.now()) == [id_]
    assert await all_of(stage.store) == []
    stage.stage.clock.advance(600)
    assert_refused(await stage.call("PUT", f"{GENERAL}/{id_}"), 404, "SUB-507")
    stage.stage.clock.advance(24 * 3600)
    stage.token = await stage.token_of()
    assert_refused(await stage.call("GET", f"{GENERAL}/{id_}"), 404, "CMN-102")


async def test_a_blacklisted_subscription_says_why_and_is_validated_again_on_renewal(
    stage: SubscribingStage,
) -> None:
    created = (await stage.create(PRESENCE)).json()
    await stage.upkeep.blacklist(SubscriptionId(created["id"]), "Webhook responses with code: [404]")
    path = f"{GENERAL}/{created['id']}"
    body = (await stage.call("GET", path)).json()
    assert body["status"] == "Blacklisted"
    assert body["blacklistedData"] == {
        "reason": "Webhook responses with code: [404]",
        "blacklistedAt": "2026-11-23T09:00:00.000Z",
    }
    assert_fits(body, "SubscriptionInfo")
    stage.receiver.handshake = lambda _: Reply(status=404)
    assert_refused(await stage.call("POST", f"{path}/renew"), 400, "SUB-525")
    assert (await all_of(stage.store))[0].status is SubscriptionStatus.BLACKLISTED
    stage.receiver.handshake = lambda request: Reply(headers=(("Validation-Token", request.validation_token or ""),))
    assert (await stage.call("POST", f"{path}/renew")).json() == created
    assert stage.delivery.told[-1] == ("reactivate", created["id"])


async def test_a_socket_subscription_is_listed_renewed_without_effect_and_not_updated(
    stage: SubscribingStage,
) -> None:
    socket = a_subscription(
        transport=TransportType.WEB_SOCKET, webhook=None, owner_id=ALICE, account_id=ACCOUNT, client_id=APP
    )
    await stage.live.open(socket, [])
    (record,) = (await stage.call("GET", GENERAL)).json()["records"]
    assert record["deliveryMode"] == {"transportType": "WebSocket"}
    assert_fits(record, "SubscriptionInfo")
    assert_refused(await stage.call("PUT", f"{GENERAL}/{socket.id}"), 405, "SUB-511")
    assert (await stage.call("POST", f"{GENERAL}/{socket.id}/renew")).json() == record


@pytest.mark.parametrize("id_", ["nothing", "5a0b8a3e-0000-4000-8000-00000000dead", "%00", "x" * 300])
async def test_an_unknown_id_is_not_found(stage: SubscribingStage, id_: str) -> None:
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
        assert_refused(await stage.call(method, f"{GENERAL}/{id_}{path}"), 404, "CMN-102", "subscriptionId")


async def test_a_token_is_needed_and_requests_are_counted_by_their_group(stage: SubscribingStage) -> None:
    assert (await stage.client.get(GENERAL)).status_code == 401
    listed = await stage.call("GET", GENERAL)
    assert listed.headers["x-rate-limit-group"] == "light"
    created = await stage.create(PRESENCE)
    assert created.headers["x-rate-limit-group"] == "medium"
    path = f"{GENERAL}/{created.json()['id']}"
    groups = {
        method + suffix: (await stage.call(method, path + suffix)).headers["x-rate-limit-group"]
        for method, suffix in (("GET", ""), ("POST", "/renew"), ("PUT", ""), ("DELETE", ""))
    }
    assert groups == {"GET": "light", "POST/renew": "light", "PUT": "medium", "DELETE": "medium"}


async def test_the_python_sdks_trailing_slash_makes_no_difference(stage: SubscribingStage) -> None:
    assert (await stage.create(PRESENCE, path=GENERAL + "/")).status_code == 200


async def test_answers_fit_the_published_schemas(stage: SubscribingStage) -> None:
    created = (await stage.create(PRESENCE, SESSIONS, token=await stage.token_of(BOB))).json()
    assert created["disabledFilters"]
    assert_fits(created, "SubscriptionInfo")
    assert_fits((await stage.create(PRESENCE)).json(), "SubscriptionInfo")
    assert_fits((await stage.call("GET", GENERAL)).json(), "SubscriptionListResource")


def assert_fits(body: Any, schema: str) -> None:
    if not SUBSET.exists():
        pytest.skip("the reference data is not here")
    components = json.loads(SUBSET.read_text())["components"]
    whole = {"components": components, "$ref": f"#/components/schemas/{schema}"}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(body)
