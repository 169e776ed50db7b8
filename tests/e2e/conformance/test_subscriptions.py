"""Wire contract, 3.1 to 3.5 and 3.11, against the whole server: cases 37 to 46, and the rules that have no case."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.e2e.conformance.stage import GENERAL, WEBINAR, Stage, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
SESSIONS = "/restapi/v1.0/account/~/telephony/sessions"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MILLISECONDS_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TEN_YEARS = 315_360_000
WEEK = 604_800


async def test_case_37_create_answers_200_active_with_real_ids_and_no_verification_token(stage: Stage) -> None:
    answer = await stage.create(PRESENCE, f"{MESSAGES}?direction=Inbound", mode={"verificationToken": "t0ken"})
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "id": body["id"],
        "uri": f"{stage.running.url}{GENERAL}/{body['id']}",
        "eventFilters": [f"{stage.own}/presence", f"{stage.account}/a2p-sms/messages?direction=Inbound"],
        "creationTime": body["creationTime"],
        "expirationTime": body["expirationTime"],
        "expiresIn": body["expiresIn"],
        "status": "Active",
        "deliveryMode": {"transportType": "WebHook", "encryption": False, "address": stage.receiver.url},
    }
    assert UUID.fullmatch(body["id"])
    assert MILLISECONDS_UTC.fullmatch(body["creationTime"])
    assert MILLISECONDS_UTC.fullmatch(body["expirationTime"])


async def test_the_verification_token_is_in_no_later_answer_either(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, mode={"verificationToken": "never-seen-again"})
    path = f"{GENERAL}/{made['id']}"
    for method, at in (("GET", GENERAL), ("GET", path), ("PUT", path), ("POST", path + "/renew")):
        answer = await stage.call(method, at)
        assert answer.status_code == 200
        assert "never-seen-again" not in answer.text


async def test_a_subscription_is_read_at_its_uri_as_it_was_created_and_is_in_the_list(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE)
    read = (await stage.call("GET", made["uri"])).json()
    assert read == {**made, "expiresIn": read["expiresIn"]}
    assert [record["id"] for record in await stage.listed()] == [made["id"]]
    listing = (await stage.call("GET", GENERAL)).json()
    assert listing["uri"] == f"{stage.running.url}{GENERAL}"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("to=+16505550180&direction=Inbound", "to=+16505550180&direction=Inbound"),
        ("direction=Inbound&to=+16505550180", "direction=Inbound&to=+16505550180"),
        ("to=%2B16505550180", "to=%2B16505550180"),
        ("to=+16505550180&to=+16505550181", "to=+16505550180&to=+16505550181"),
    ],
)
async def test_a_query_is_kept_verbatim_and_in_order_with_its_raw_plus(stage: Stage, written: str, kept: str) -> None:
    made = await stage.subscribe(f"{MESSAGES}?{written}")
    assert made["eventFilters"] == [f"{stage.account}/a2p-sms/messages?{kept}"]


async def test_own_ids_mean_the_same_as_a_tilde_and_every_place_of_it_is_resolved(stage: Stage) -> None:
    extension = stage.running.demo.extension_id
    made = await stage.subscribe(
        f"/restapi/v1.0/account/~/extension/{extension}/presence", f"{stage.account}/extension/~/message-store"
    )
    assert made["eventFilters"] == [f"{stage.own}/presence", f"{stage.own}/message-store"]


async def test_case_38_without_expires_in_it_is_seven_days(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE)
    assert WEEK - 1 <= made["expiresIn"] <= WEEK
    stage.advance(seconds=10)
    read = (await stage.call("GET", made["uri"])).json()
    assert WEEK - 20 < read["expiresIn"] <= WEEK - 10
    assert read["expirationTime"] == made["expirationTime"]


async def test_case_39_more_than_ten_years_is_clamped_and_less_than_a_second_refused(stage: Stage) -> None:
    for too_long in (TEN_YEARS + 100, 10**15):
        made = await stage.subscribe(PRESENCE, expiresIn=too_long)
        assert TEN_YEARS - 1 <= made["expiresIn"] <= TEN_YEARS
    for wrong in (0, -1, "3600", 1.5):
        assert_refused(await stage.create(PRESENCE, expiresIn=wrong), 400, "CMN-101", "expiresIn")


async def test_case_40_the_thirty_first_is_refused_and_its_address_not_called(stage: Stage) -> None:
    """They are asked for at the same time: what is under way counts."""
    answers = await asyncio.gather(*(stage.create(PRESENCE) for _ in range(31)))
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    assert_refused(refused, 403, "SUB-505")
    assert_refused(await stage.create(PRESENCE), 403, "SUB-505")
    assert len(stage.receiver.handshakes) == 30
    assert len(await stage.listed()) == 30


async def test_deleted_and_expired_subscriptions_do_not_count_against_the_limit(stage: Stage) -> None:
    made = [await stage.subscribe(PRESENCE, expiresIn=60) for _ in range(30)]
    assert_refused(await stage.create(PRESENCE), 403, "SUB-505")
    assert (await stage.call("DELETE", made[0]["uri"])).status_code == 204
    assert (await stage.create(PRESENCE)).status_code == 200
    assert_refused(await stage.create(PRESENCE), 403, "SUB-505")
    stage.advance(seconds=61)
    assert (await stage.create(PRESENCE)).status_code == 200
    assert len(await stage.listed()) == 2


async def test_the_limit_is_each_users_and_applications_own(stage: Stage) -> None:
    for _ in range(30):
        await stage.subscribe(PRESENCE)
    assert (await stage.colleague.create(PRESENCE)).status_code == 200
    assert (await stage.elsewhere.create(PRESENCE)).status_code == 200


async def test_case_41_another_application_of_the_same_user_has_a_separate_list(stage: Stage) -> None:
    mine = await stage.subscribe(PRESENCE)
    theirs = await stage.elsewhere.subscribe(PRESENCE)
    colleagues = await stage.colleague.subscribe(PRESENCE)
    assert [record["id"] for record in await stage.listed()] == [mine["id"]]
    assert [record["id"] for record in await stage.elsewhere.listed()] == [theirs["id"]]
    assert [record["id"] for record in await stage.colleague.listed()] == [colleagues["id"]]
    for user in (stage.elsewhere, stage.colleague):
        for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
            assert_refused(await user.call(method, f"{GENERAL}/{mine['id']}{suffix}"), 404, "CMN-102")
    assert (await stage.call("GET", mine["uri"])).status_code == 200


async def test_case_42_put_replaces_filters_and_renews_and_leaves_the_address(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, expiresIn=600)
    stage.advance(seconds=300)
    body = {
        "eventFilters": [f"{MESSAGES}?direction=Inbound"],
        "deliveryMode": {"transportType": "WebHook", "address": "https://elsewhere.example.com/"},
        "expiresIn": 7200,
    }
    answer = await stage.call("PUT", made["uri"], json=body)
    assert answer.status_code == 200
    assert answer.json()["eventFilters"] == [f"{stage.account}/a2p-sms/messages?direction=Inbound"]
    assert answer.json()["deliveryMode"] == made["deliveryMode"]
    assert 7199 <= answer.json()["expiresIn"] <= 7200
    assert answer.json()["creationTime"] == made["creationTime"]
    assert len(stage.receiver.handshakes) == 1
    number = stage.running.demo.a2p_number
    await stage.publish(stage.presence(uuid="before"), stage.message(number, uuid="after"))
    (notification,) = await stage.receiver.wait_for(1)
    assert notification.json()["uuid"] == "after"


async def test_filters_without_expires_in_get_the_default_lifetime(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, expiresIn=TEN_YEARS)
    answer = await stage.call("PUT", made["uri"], json={"eventFilters": [PRESENCE, SESSIONS]})
    assert WEEK - 1 <= answer.json()["expiresIn"] <= WEEK


@pytest.mark.parametrize("content", [b"", b"null", b"{}"])
async def test_case_43_an_empty_put_and_a_renewal_give_the_same_default_expiration(
    stage: Stage, content: bytes
) -> None:
    put = await stage.subscribe(PRESENCE, expiresIn=600)
    renewed = await stage.subscribe(PRESENCE, expiresIn=600)
    answers = [
        await stage.call("PUT", put["uri"], content=content),
        await stage.call("POST", renewed["uri"] + "/renew"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert WEEK - 1 <= answer.json()["expiresIn"] <= WEEK
        assert answer.json()["eventFilters"] == [f"{stage.own}/presence"]


async def test_renewing_a_ten_year_subscription_shortens_it_to_seven_days(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, expiresIn=TEN_YEARS)
    renewed = (await stage.call("POST", made["uri"] + "/renew")).json()
    assert WEEK - 1 <= renewed["expiresIn"] <= WEEK
    stage.advance(seconds=WEEK)
    assert_refused(await stage.call("GET", made["uri"]), 404, "SUB-507")


async def test_case_44_delete_answers_204_and_then_there_is_nothing(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE)
    deleted = await stage.call("DELETE", made["uri"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method, suffix in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("POST", "/renew")):
        assert_refused(await stage.call(method, made["uri"] + suffix), 404, "CMN-102", "subscriptionId")
    assert await stage.listed() == []
    other = await stage.subscribe(PRESENCE)
    await stage.publish(stage.presence())
    (notification,) = await stage.receiver.wait_for(1)
    assert notification.json()["subscriptionId"] == other["id"]


async def test_case_45_a_bad_filter_is_sub_508_and_another_accounts_sub_406(stage: Stage) -> None:
    bad = ["/restapi/v1.0/account/~/presense", f"{PRESENCE}?colour=red", f"{MESSAGES}?direction=Sideways"]
    answer = await stage.create(PRESENCE, *bad)
    message = assert_refused(answer, 400, "SUB-508", "eventFilters")
    assert all(text in answer.text for text in bad), message
    assert_refused(await stage.create(PRESENCE, "/restapi/v1.0/account/500100/presence"), 403, "SUB-406")
    assert stage.receiver.handshakes == []
    assert await stage.listed() == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("message-store", "SUB-405"),
        ("voicemail", "SUB-405"),
        ("fax?direction=Inbound", "SUB-405"),
        ("missed-calls", "SUB-527"),
        ("telephony/sessions", "CMN-408"),
    ],
)
async def test_what_is_another_extensions_is_refused_to_an_ordinary_user_by_the_code_of_its_kind(
    stage: Stage, path: str, code: str
) -> None:
    assert_refused(await stage.colleague.create(f"{stage.own}/{path}"), 403, code, "eventFilters")
    assert (await stage.create(f"{stage.others}/{path}")).status_code == 200


async def test_an_unknown_extension_is_sub_408(stage: Stage) -> None:
    answer = await stage.create(PRESENCE, f"{stage.account}/extension/999999999/presence")
    assert_refused(answer, 403, "SUB-408", "eventFilters")


async def test_case_46_a_filter_that_is_not_permitted_is_disabled_and_the_others_work(stage: Stage) -> None:
    answer = await stage.colleague.create(PRESENCE, SESSIONS)
    assert answer.status_code == 200
    body = answer.json()
    assert body["eventFilters"] == [f"{stage.others}/presence"]
    (disabled,) = body["disabledFilters"]
    assert disabled["filter"] == f"{stage.account}/telephony/sessions"
    assert disabled["reason"] == "SUB-412"
    assert "ReadCompanyTelephony" in disabled["message"]
    assert_refused(await stage.colleague.create(SESSIONS), 403, "CMN-408", "eventFilters")
    assert_refused(await stage.elsewhere.create(MESSAGES.replace("~", "1")), 403, "SUB-406", "eventFilters")
    assert_refused(await stage.elsewhere.create(SESSIONS), 403, "CMN-401", "eventFilters")
    colleague = stage.running.demo.other_extension_id
    await stage.publish(_session(stage), stage.presence(colleague, uuid="allowed"))
    (notification,) = await stage.receiver.wait_for(1)
    assert notification.json()["uuid"] == "allowed"


@pytest.mark.parametrize("transport", ["PubNub", "RC/APNS", "RC/GCM", "RC/GSM", "webhook", "", "WebSocket", 7, None])
async def test_over_http_the_transport_is_webhook_alone(stage: Stage, transport: Any) -> None:
    answer = await stage.create(PRESENCE, mode={"transportType": transport})
    assert_refused(answer, 400, "CMN-101", "deliveryMode.transportType")
    assert stage.receiver.handshakes == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"eventFilters": [PRESENCE]}, "deliveryMode"),
        ({"eventFilters": [PRESENCE], "deliveryMode": {"transportType": "WebHook"}}, "deliveryMode.address"),
        ({"deliveryMode": {"transportType": "WebHook", "address": "https://a.example"}}, "eventFilters"),
        (
            {"eventFilters": [], "deliveryMode": {"transportType": "WebHook", "address": "https://a.example"}},
            "eventFilters",
        ),
        (
            {"eventFilters": [PRESENCE, ""], "deliveryMode": {"transportType": "WebHook", "address": "https://a.ex"}},
            "eventFilters[1]",
        ),
    ],
)
async def test_what_is_required_and_missing_is_named(stage: Stage, body: dict[str, Any], parameter: str) -> None:
    assert_refused(await stage.call("POST", GENERAL, json=body), 400, "CMN-101", parameter)


async def test_keys_that_the_contract_does_not_have_are_ignored(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, id="mine", uri="https://a.example", status="Blacklisted")
    assert (made["status"], made["uri"]) == ("Active", f"{stage.running.url}{GENERAL}/{made['id']}")


async def test_an_expired_subscription_is_sub_507_for_a_day_and_then_unknown(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, expiresIn=60)
    stage.advance(seconds=60)
    assert await stage.listed() == []
    for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
        assert_refused(await stage.call(method, made["uri"] + suffix), 404, "SUB-507")
    stage.advance(hours=23, minutes=50)
    assert_refused(await stage.call("GET", made["uri"]), 404, "SUB-507")
    stage.advance(minutes=10)
    assert_refused(await stage.call("GET", made["uri"]), 404, "CMN-102")


async def test_an_expired_subscription_gets_nothing_more(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, expiresIn=60)
    longer = await stage.subscribe(PRESENCE, expiresIn=3600)
    stage.advance(seconds=60)
    await stage.until_there_are(1)
    await stage.publish(stage.presence())
    await stage.settle()
    assert [each.json()["subscriptionId"] for each in stage.receiver.notifications] == [longer["id"]]


async def test_an_unknown_id_is_not_found_whatever_it_looks_like(stage: Stage) -> None:
    for unknown in ("5a0b8a3e-0000-4000-8000-00000000dead", "1234", "~"):
        for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/renew"), ("DELETE", "")):
            answer = await stage.call(method, f"{GENERAL}/{unknown}{suffix}")
            assert_refused(answer, 404, "CMN-102", "subscriptionId")


async def test_the_webinar_endpoint_counts_apart(stage: Stage) -> None:
    for _ in range(30):
        await stage.subscribe(PRESENCE)
    answer = await stage.create("/webinar/configuration/v1/company/sessions", path=WEBINAR)
    assert answer.status_code == 201


def _session(stage: Stage) -> dict[str, Any]:
    party = {
        "accountId": stage.running.demo.account_id,
        "extensionId": stage.running.demo.other_extension_id,
        "id": "p-1",
        "direction": "Inbound",
        "from": {"phoneNumber": "+12025550188"},
        "to": {"phoneNumber": "+12025550143"},
        "status": {"code": "Answered"},
        "missedCall": False,
        "standAlone": False,
        "muted": False,
    }
    body = {
        "sequence": 3,
        "sessionId": "600001",
        "telephonySessionId": "s-1",
        "eventTime": "2026-03-02T11:00:02.500Z",
        "accountId": stage.running.demo.account_id,
        "parties": [party],
        "origin": {"type": "Call"},
    }
    return {"event": f"{stage.account}/telephony/sessions", "body": body}
