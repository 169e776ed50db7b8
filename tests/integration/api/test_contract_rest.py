"""Contract cases 23 to 36: REST conventions (`wire-protocol.md`, section 7). 33 belongs to SMS."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bellwire.api.conventions import Conventions
from bellwire.api.public_url import PublicUrl, TrustedProxies
from bellwire.model.directory import Status
from tests.integration.api.stage import ACCOUNT, ALICE, APP, BOB, LIMITED, ORIGIN, SECRET, Stage, set_stage

ACCOUNT_PATH = "/restapi/v1.0/account/~"
JSON = {"Content-Type": "application/json"}


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["errorCode"]) == (status, code), body
    assert (body["errorCode"], body["message"]) == (body["errors"][0]["errorCode"], body["errors"][0]["message"])
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    return body


@pytest.fixture
async def token(stage: Stage) -> str:
    return str((await stage.login())["access_token"])


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
async def test_case_23_the_scheme_may_be_in_any_case(stage: Stage, token: str, scheme: str) -> None:
    answer = await stage.client.get(ACCOUNT_PATH, headers={"Authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


async def test_case_24_the_token_may_be_in_the_query(stage: Stage, token: str) -> None:
    assert (await stage.client.get(ACCOUNT_PATH, params={"access_token": token})).status_code == 200


async def test_case_25_leading_slashes_are_collapsed(stage: Stage, token: str) -> None:
    answer = await stage.client.get("http://bellwire.test//restapi/v1.0/account/~", params={"access_token": token})
    assert answer.status_code == 200
    trailing = await stage.client.get(f"{ACCOUNT_PATH}/extension/", params={"access_token": token})
    assert trailing.status_code == 200
    two = await stage.client.get(f"{ACCOUNT_PATH}/extension//", params={"access_token": token})
    assert_problem(two, 404, "CMN-120")


async def test_case_26_json_content_type_without_a_body_is_legal(stage: Stage, token: str) -> None:
    headers = JSON | {"Authorization": f"bearer {token}"}
    assert (await stage.client.get(ACCOUNT_PATH, headers=headers)).status_code == 200
    assert (await stage.client.delete("/restapi/v1.0/probe/1", headers=headers)).status_code == 204
    assert (await stage.client.post("/restapi/v1.0/probe/1/renew", headers=headers)).status_code == 200


@pytest.mark.parametrize("body", [b"", b"null", b" null\n"])
async def test_case_27_an_empty_body_or_null_is_empty(stage: Stage, token: str, body: bytes) -> None:
    headers = JSON | {"Authorization": f"bearer {token}"}
    answer = await stage.client.put("/restapi/v1.0/probe/1", headers=headers, content=body)
    assert (answer.status_code, answer.json()["text"]) == (200, None)


async def test_case_28_an_expired_token_is_told_as_such(stage: Stage) -> None:
    tokens = await stage.login()
    assert await stage.status_with(tokens["access_token"]) == 200
    stage.clock.advance(3600)
    answer = await stage.get(ACCOUNT_PATH, tokens["access_token"])
    assert_problem(answer, 401, "OAU-128")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    renewed = (await stage.refresh(tokens["refresh_token"])).json()
    assert await stage.status_with(renewed["access_token"]) == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "CMN-405"),
        ({"Authorization": "Bearer"}, "OAU-149"),
        ({"Authorization": "Bearer with space"}, "OAU-149"),
        ({"Authorization": "Bearer " + "x" * 600}, "OAU-149"),
        ({"Authorization": "Bearer tooshort"}, "OAU-129"),
        ({"Authorization": "Bearer " + "x" * 43}, "OAU-213"),
        ({"Authorization": "Basic YTpi"}, "OAU-151"),
    ],
)
async def test_a_token_that_is_no_token_is_told_apart(stage: Stage, headers: dict[str, str], code: str) -> None:
    assert_problem(await stage.client.get(ACCOUNT_PATH, headers=headers), 401, code)


async def test_case_29_any_error_repeats_its_first_entry_at_the_top(stage: Stage, token: str) -> None:
    headers = {"Authorization": f"bearer {token}"}
    requests = [
        (stage.client.get("/nowhere"), 404, "CMN-120"),
        (stage.client.get(ACCOUNT_PATH), 401, "CMN-405"),
        (stage.client.patch(ACCOUNT_PATH, headers=headers), 405, "CMN-104"),
        (stage.client.get("/restapi/v1.0/account/1", headers=headers), 404, "CMN-102"),
        (stage.client.get(f"{ACCOUNT_PATH}/extension?page=0", headers=headers), 400, "CMN-101"),
        (stage.client.get("/restapi/v1.0/probe/bug/python"), 500, "CMN-203"),
        (stage.client.get("/restapi/v1.0/probe/bug/operator"), 500, "CMN-203"),
        (stage.client.get("/team-messaging/v1/chats"), 501, "CMN-202"),
        (stage.client.post("/restapi/oauth/token", json={}), 415, "CMN-104"),
        (stage.client.get("/restapi/oauth/authorize"), 400, "CMN-101"),
    ]
    for request, status, code in requests:
        assert_problem(await request, status, code)


async def test_case_30_every_response_has_a_request_id(stage: Stage, token: str) -> None:
    for path in (ACCOUNT_PATH, "/nowhere", "/restapi", "/restapi/v1.0/probe/bug/python"):
        answer = await stage.get(path, token)
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["rcrequestid"])
        assert answer.headers["x-request-id"] == answer.headers["rcrequestid"]
        assert answer.headers["content-language"] == "en-US"
        assert "transfer-encoding" not in answer.headers and int(answer.headers["content-length"]) > 0
    echoed = await stage.get(ACCOUNT_PATH, token, RCRequestId="my-id_1.2:3")
    assert echoed.headers["rcrequestid"] == echoed.headers["x-request-id"] == "my-id_1.2:3"
    for unsafe in ("x" * 65, "a b", "<script>", ""):
        assert (await stage.get(ACCOUNT_PATH, token, RCRequestId=unsafe)).headers["rcrequestid"] != unsafe


async def test_a_bug_is_logged_under_the_request_id(stage: Stage, log: list[MutableMapping[str, Any]]) -> None:
    answer = await stage.client.get("/restapi/v1.0/probe/bug/python", headers={"RCRequestId": "find-me"})
    assert_problem(answer, 500, "CMN-203")
    assert "ZeroDivision" not in answer.text
    (entry,) = [entry for entry in log if entry["event"] == "request.failed"]
    assert (entry["request_id"], entry["path"]) == ("find-me", "/restapi/v1.0/probe/bug/python")


async def test_case_31_the_fifty_first_light_request_in_a_minute_is_refused(stage: Stage) -> None:
    token = (await stage.login(auth=(LIMITED, SECRET)))["access_token"]
    answers = [await stage.get(ACCOUNT_PATH, token) for _ in range(51)]
    assert [answer.status_code for answer in answers] == [200] * 50 + [429]
    first, last = answers[0].headers, answers[50].headers
    assert [first[f"x-rate-limit-{name}"] for name in ("group", "limit", "remaining", "window")] == [
        "light",
        "50",
        "49",
        "60",
    ]
    assert (last["x-rate-limit-remaining"], last["retry-after"]) == ("0", "60")
    assert_problem(answers[50], 429, "CMN-301")
    medium = await stage.get(f"{ACCOUNT_PATH}/extension", token)
    assert (medium.status_code, medium.headers["x-rate-limit-limit"]) == (200, "40")
    bob = (await stage.login(BOB, auth=(LIMITED, SECRET)))["access_token"]
    assert await stage.status_with(bob) == 200
    assert await stage.status_with((await stage.login())["access_token"]) == 200


async def test_case_32_a_request_during_the_penalty_restarts_it(stage: Stage) -> None:
    token = (await stage.login(auth=(LIMITED, SECRET)))["access_token"]
    for _ in range(51):
        await stage.get(ACCOUNT_PATH, token)
    stage.clock.advance(59)
    assert await stage.status_with(token) == 429
    stage.clock.advance(59)
    assert await stage.status_with(token) == 429
    stage.clock.advance(60)
    assert await stage.status_with(token) == 200


async def test_case_34_a_preflight_is_answered_for_its_origin(stage: Stage, token: str) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "client-id"}
    answer = await stage.client.options("/restapi/v1.0/subscription/1", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    for name in ("Authorization", "Client-Id", "Content-Type", "X-User-Agent", "Discovery-Tag", "RCRequestId"):
        assert name in answer.headers["access-control-allow-headers"]
    called = await stage.get(ACCOUNT_PATH, token, Origin=ORIGIN)
    assert called.headers["access-control-allow-origin"] == ORIGIN
    assert called.headers["vary"] == "Origin"
    for name in ("Retry-After", "X-Rate-Limit-Remaining", "RCRequestId", "Discovery-Tag", "Discovery-Required"):
        assert name in called.headers["access-control-expose-headers"]
    failed = await stage.client.get("/restapi/v1.0/probe/bug/python", headers={"Origin": ORIGIN})
    assert failed.headers["access-control-allow-origin"] == ORIGIN


async def test_a_foreign_origin_gets_no_permission(stage: Stage, token: str) -> None:
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = await stage.client.options(ACCOUNT_PATH, headers=foreign)
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)
    called = await stage.get(ACCOUNT_PATH, token, Origin="https://evil.example")
    assert (called.status_code, "access-control-allow-origin" in called.headers) == (200, False)


async def test_any_origin_is_echoed_where_all_may_call() -> None:
    stage = await set_stage(conventions=Conventions(cors_origins="*"))
    answer = await stage.client.get("/restapi", headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "https://any.example"


async def test_case_35_two_different_method_overrides_are_refused(stage: Stage, token: str) -> None:
    path = "/restapi/v1.0/probe/1"
    headers = {"Authorization": f"bearer {token}"}
    both = await stage.client.post(f"{path}?_method=DELETE", headers=headers | {"X-HTTP-Method-Override": "PUT"})
    assert_problem(both, 400, "CMN-101")
    same = await stage.client.post(f"{path}?_method=DELETE", headers=headers | {"X-HTTP-Method-Override": "delete"})
    assert same.status_code == 204
    assert (await stage.client.post(f"{path}?_method=DELETE", headers=headers)).status_code == 204
    put = await stage.client.post(path, headers=headers | {"X-HTTP-Method-Override": "PUT"}, json={"text": "hello"})
    assert put.json()["text"] == "hello"
    assert_problem(await stage.client.post(f"{path}?_method=TRACE", headers=headers), 400, "CMN-101")
    ignored = await stage.client.get(f"{ACCOUNT_PATH}?_method=DELETE", headers=headers)
    assert ignored.status_code == 200


async def test_case_36_an_unknown_path_is_not_found_in_json(stage: Stage) -> None:
    for path in ("/", "/restapi/v1.0/nothing", "/restapi/v9", "/docs", "/redoc"):
        answer = await stage.client.get(path)
        assert answer.status_code == 404
        assert answer.json()["errorCode"] in ("CMN-120", "CMN-102")
    assert_problem(await stage.client.get("/restapi/v1.0/nothing"), 404, "CMN-120")


async def test_a_wrong_method_is_told_with_all_that_are_allowed(stage: Stage) -> None:
    answer = await stage.client.get("/restapi/v1.0/probe/1")
    assert_problem(answer, 405, "CMN-104")
    assert answer.headers["allow"] == "DELETE, PUT"


@pytest.mark.parametrize(
    ("body", "status", "code", "parameter"),
    [
        (b"{", 400, "CMN-103", None),
        (b"\xff\xfe", 400, "CMN-103", None),
        (b"[" * 9000, 400, "CMN-103", None),
        (b"1" * 9000, 400, "CMN-103", None),
        (b"[]", 400, "CMN-101", None),
        (b"{}", 400, "CMN-101", "text"),
        (b'{"text": 5}', 400, "CMN-101", "text"),
        (b'{"text": "x", "tags": ["a", null]}', 400, "CMN-101", "tags[1]"),
        (b'{"text": "much longer than it may be \\ud800"}', 400, "CMN-101", "text"),
        (b'{"text": "%s"}' % (b"x" * 10_000), 413, "CMN-104", None),
    ],
)
async def test_a_bad_body_is_refused_with_the_place(
    *, stage: Stage, token: str, body: bytes, status: int, code: str, parameter: str | None
) -> None:
    headers = JSON | {"Authorization": f"bearer {token}"}
    answer = await stage.client.put("/restapi/v1.0/probe/1", headers=headers, content=body)
    problem = assert_problem(answer, status, code)
    assert problem["errors"][0].get("parameterName") == parameter


async def test_a_body_of_another_type_is_an_unsupported_media_type(stage: Stage, token: str) -> None:
    headers = {"Authorization": f"bearer {token}", "Content-Type": "text/plain"}
    answer = await stage.client.put("/restapi/v1.0/probe/1", headers=headers, content=b'{"text": "x"}')
    assert_problem(answer, 415, "CMN-104")


async def test_a_body_without_a_length_is_limited_as_it_comes(stage: Stage, token: str) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 1000

    headers = JSON | {"Authorization": f"bearer {token}"}
    answer = await stage.client.put("/restapi/v1.0/probe/1", headers=headers, content=endless())
    assert_problem(answer, 413, "CMN-104")


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNT_PATH}/extension/%00",
        f"{ACCOUNT_PATH}/extension/%ff%fe",
        f"{ACCOUNT_PATH}/extension/{'9' * 5000}",
        f"{ACCOUNT_PATH}/extension/%F0%9F%98%80",
        "/restapi/v1.0/account/%2F",
    ],
)
async def test_strange_characters_in_a_path_are_not_found(stage: Stage, token: str, path: str) -> None:
    assert (await stage.get(path, token)).status_code == 404


async def test_strange_characters_in_a_query_do_no_harm(stage: Stage, token: str) -> None:
    answer = await stage.get(f"{ACCOUNT_PATH}/extension?email=%ff%00&status=&page=1&%ff=%fe", token)
    assert (answer.status_code, answer.json()["records"]) == (200, [])
    assert_problem(await stage.get(f"{ACCOUNT_PATH}/extension?status=%ff%00", token), 400, "CMN-101")


async def test_a_disabled_extension_account_or_application_ends_access(stage: Stage, token: str) -> None:
    alice, account = stage.identity.extension(ALICE), stage.identity.account(ACCOUNT)
    assert alice is not None and account is not None
    assert await stage.status_with(token) == 200
    await stage.identity.save_extension(replace(alice, status=Status.DISABLED))
    assert_problem(await stage.get(ACCOUNT_PATH, token), 401, "OAU-141")
    await stage.identity.save_extension(alice)
    await stage.identity.save_account(replace(account, status=Status.DISABLED))
    assert_problem(await stage.get(ACCOUNT_PATH, token), 401, "OAU-141")
    await stage.identity.save_account(account)
    await stage.change_application(APP, status=Status.DISABLED)
    assert_problem(await stage.get(ACCOUNT_PATH, token), 401, "OAU-141")
    await stage.change_application(APP, status=Status.ENABLED)
    assert await stage.status_with(token) == 200


async def test_a_permission_taken_from_the_application_is_gone_at_once(stage: Stage, token: str) -> None:
    await stage.change_application(APP, permissions=frozenset())
    assert_problem(await stage.get(ACCOUNT_PATH, token), 403, "CMN-401")


async def test_another_extension_is_forbidden_and_an_unknown_one_not_found(stage: Stage, token: str) -> None:
    for own in ("~", ALICE):
        assert (await stage.get(f"/restapi/v1.0/probe/extension/{own}", token)).json() == {"id": ALICE}
    assert_problem(await stage.get(f"/restapi/v1.0/probe/extension/{BOB}", token), 403, "CMN-404")
    assert_problem(await stage.get("/restapi/v1.0/probe/extension/500101", token), 404, "CMN-102")


@pytest.mark.parametrize("kind", ["publisher", "admin"])
async def test_a_key_opens_its_own_door_alone(stage: Stage, kind: str) -> None:
    path = f"/restapi/v1.0/probe/key/{kind}"
    assert (await stage.get(path, f"{kind}-key")).json() == {"key": f"{kind}-key"}
    other = "admin" if kind == "publisher" else "publisher"
    for wrong in (f"{other}-key", "old-publisher-key", "unknown", "x" * 5000):
        assert_problem(await stage.get(path, wrong), 401, "OAU-213")
    assert_problem(await stage.client.get(path), 401, "CMN-405")
    assert_problem(await stage.client.get(path, headers={"Authorization": "Basic x"}), 401, "OAU-151")


async def test_absolute_uris_follow_the_configured_or_the_requested_host() -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example"}
    for public_url, peer, expected in (
        (PublicUrl("https://bellwire.example/prefix/"), "1.2.3.4", "https://bellwire.example/prefix/restapi"),
        (PublicUrl(proxies=proxies), "10.1.2.3", "https://public.example/restapi"),
        (PublicUrl(proxies=proxies), "1.2.3.4", "http://bellwire.test/restapi"),
        (PublicUrl(), "10.1.2.3", "http://bellwire.test/restapi"),
    ):
        stage = await set_stage(public_url=public_url)
        transport = httpx.ASGITransport(app=stage.app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://bellwire.test") as client:
            assert (await client.get("/restapi", headers=forwarded)).json()["uri"] == expected
            bad = await client.get("/restapi", headers={"Host": "evil.example/<x>"})
            assert "evil" not in bad.text


async def test_a_session_costs_no_read_after_its_first_request(stage: Stage, token: str) -> None:
    assert await stage.status_with(token) == 200
    reads, writes = stage.identity.reads, stage.identity.session_writes
    for _ in range(20):
        stage.clock.advance(10)
        assert await stage.status_with(token) == 200
    assert (stage.identity.reads, stage.identity.session_writes) == (reads, writes)
    stage.clock.advance(120)
    assert await stage.status_with(token) == 200
    assert stage.identity.session_writes == writes + 1


async def test_a_session_that_the_store_ends_is_out_of_the_cache(stage: Stage, token: str) -> None:
    assert await stage.status_with(token) == 200
    for session in await stage.identity.sessions_of(APP, ALICE):
        await stage.identity.remove_session(session.id)
    assert_problem(await stage.get(ACCOUNT_PATH, token), 401, "OAU-213")
