"""Contract cases 1 to 22: OAuth (`wire-protocol.md`, section 7). Of 17 the socket's half comes with the gateway."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections import Counter
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bellwire.model.identity import Grant
from bellwire.model.ids import AccountId
from tests.integration.api.stage import (
    ACCOUNT,
    ALICE,
    APP,
    BOB,
    JWT_GRANT,
    LIMITED,
    MAIN_NUMBER,
    PASSWORD,
    PUBLIC,
    REDIRECT,
    SECRET,
    Stage,
    basic,
)

VERIFIER = "a-verifier-of-at-least-forty-three-characters.~_"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize_query(client: str = PUBLIC, **more: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | more


async def code_of(stage: Stage, *, username: str = "alice@northwind.example", **query: str) -> dict[str, str]:
    """Walk through the login page; returns the parameters of the redirect."""
    page = await stage.client.get("/restapi/oauth/authorize", params=query)
    assert page.status_code == 200, page.text
    answer = await stage.client.post(
        "/restapi/oauth/authorize",
        data={"login_state": login_state_of(page), "username": username, "password": PASSWORD},
    )
    assert answer.status_code == 302, answer.text
    return redirect_parameters(answer)


def login_state_of(page: httpx.Response) -> str:
    found = re.search(r'name="login_state" value="([^"]+)"', page.text)
    assert found is not None
    return unescape(found[1])


def redirect_parameters(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def assert_refused(answer: httpx.Response, error: str, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"], body["errorCode"]) == (400, error, code), body
    assert body["error_description"] == body["message"] == body["errors"][0]["message"]
    assert body["errors"][0]["errorCode"] == code


async def test_case_01_a_jwt_is_exchanged_for_tokens(stage: Stage) -> None:
    body = await stage.login()
    assert body["token_type"] == "bearer"
    assert body["owner_id"] == ALICE
    assert set(body["scope"].split()) >= {"ReadAccounts", "A2PSMS"}
    assert body["session_id"] and body["endpoint_id"]
    assert type(body["expires_in"]) is int and type(body["refresh_token_expires_in"]) is int
    assert re.fullmatch(r"[A-Za-z0-9\-_.~]+", body["access_token"])
    assert re.fullmatch(r"[A-Za-z0-9\-_.~]+", body["refresh_token"])


async def test_case_02_the_answer_is_json_and_states_the_granted_ttl(stage: Stage) -> None:
    answer = await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt(), access_token_ttl="1234")
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["expires_in"] == 1234
    stage.clock.advance(1233)
    assert await stage.status_with(body["access_token"]) == 200
    stage.clock.advance(1)
    assert await stage.status_with(body["access_token"]) == 401


async def test_case_03_a_public_client_redeems_a_code_without_authorization(stage: Stage) -> None:
    found = await code_of(stage, **authorize_query(state="s&t=1"))
    assert found["state"] == "s&t=1"
    assert found["expires_in"] == "60"
    assert found["from"] == "bellwire"
    answer = await stage.post_token(
        auth=None,
        grant_type="authorization_code",
        client_id=PUBLIC,
        code=found["code"],
        redirect_uri=REDIRECT,
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["owner_id"] == ALICE


async def test_case_04_basic_with_an_empty_password_names_a_public_client(stage: Stage) -> None:
    answer = await stage.post_token(auth=(PUBLIC, ""), grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert answer.status_code == 200
    answer = await stage.post_token(auth=(APP, ""), grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert_refused(answer, "invalid_client", "OAU-146")


async def test_case_05_client_id_beside_basic_has_to_be_equal(stage: Stage) -> None:
    assertion = await stage.jwt()
    same = await stage.post_token(grant_type=JWT_GRANT, assertion=assertion, client_id=APP)
    assert same.status_code == 200
    other = await stage.post_token(grant_type=JWT_GRANT, assertion=assertion, client_id=PUBLIC)
    assert_refused(other, "invalid_client", "OAU-146")


async def test_the_secret_may_come_in_the_body_or_percent_encoded(stage: Stage) -> None:
    assertion = await stage.jwt()
    in_body = await stage.post_token(
        auth=None, grant_type=JWT_GRANT, assertion=assertion, client_id=APP, client_secret=SECRET
    )
    assert in_body.status_code == 200
    encoded = await stage.post_token(auth=(APP, "s3cret%2Fwith%2Bsigns"), grant_type=JWT_GRANT, assertion=assertion)
    assert encoded.status_code == 200


async def test_case_06_a_ttl_of_minus_one_is_the_shortest(stage: Stage) -> None:
    first = await stage.login()
    answer = await stage.refresh(first["refresh_token"], access_token_ttl="-1", refresh_token_ttl="604800")
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 600)


@pytest.mark.parametrize("asked", ["99999", "NaN", "inf", "soon", ""])
async def test_case_07_a_ttl_over_the_default_or_no_number_is_the_default(stage: Stage, asked: str) -> None:
    answer = await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt(), access_token_ttl=asked)
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 3600)


@pytest.mark.parametrize(("asked", "granted"), [("99999999", 604800), ("0", 604800), ("-1", 604800), ("1000", 1000)])
async def test_case_08_a_refresh_ttl_over_the_default_is_the_default(stage: Stage, asked: str, granted: int) -> None:
    answer = await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt(), refresh_token_ttl=asked)
    assert answer.json()["refresh_token_expires_in"] == granted


@pytest.mark.parametrize(
    ("username", "extension"),
    [
        (f"{MAIN_NUMBER}*101", ""),
        (MAIN_NUMBER, "101"),
        (MAIN_NUMBER.replace("+", " "), "101"),
        ("(555) 123-0000", "101"),
        ("15551230000*101", "101"),
        ("+15551230101", ""),
        ("alice@northwind.example", ""),
        ("alice@northwind.example", "101"),
    ],
)
async def test_case_09_every_spelling_of_a_user_finds_the_same_owner(
    stage: Stage, username: str, extension: str
) -> None:
    answer = await stage.post_token(grant_type="password", username=username, extension=extension, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert answer.json()["owner_id"] == ALICE


@pytest.mark.parametrize(
    ("username", "extension"),
    [
        (f"{MAIN_NUMBER}*102", "101"),
        (MAIN_NUMBER, ""),
        (f"{MAIN_NUMBER}*999", ""),
        ("alice@northwind.example", "102"),
        ("nobody", ""),
        ("bob*", ""),
    ],
)
async def test_a_name_that_means_nobody_is_refused_like_a_wrong_password(
    stage: Stage, username: str, extension: str
) -> None:
    answer = await stage.post_token(grant_type="password", username=username, extension=extension, password=PASSWORD)
    assert_refused(answer, "invalid_grant", "OAU-140")


async def test_case_10_a_wrong_secret_is_a_bad_request(stage: Stage) -> None:
    answer = await stage.post_token(auth=(APP, "wrong"), grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert_refused(answer, "invalid_client", "OAU-146")
    unknown = await stage.post_token(auth=("nobody", SECRET), grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert unknown.json() == answer.json()


async def test_case_11_a_spent_refresh_token_is_refused_after_the_grace(stage: Stage) -> None:
    first = await stage.login()
    await stage.refresh(first["refresh_token"])
    stage.clock.advance(60 * 60 + 1)
    assert_refused(await stage.refresh(first["refresh_token"]), "invalid_grant", "OAU-213")
    assert_refused(await stage.refresh("never-issued"), "invalid_grant", "OAU-213")


async def test_case_12_the_same_refresh_token_gives_the_same_pair_again(stage: Stage) -> None:
    first = await stage.login()
    second = (await stage.refresh(first["refresh_token"])).json()
    assert second["access_token"] != first["access_token"]
    assert (await stage.refresh(first["refresh_token"])).json() == second
    stage.clock.advance(59 * 60)
    late = (await stage.refresh(first["refresh_token"])).json()
    assert (late["access_token"], late["refresh_token"]) == (second["access_token"], second["refresh_token"])
    assert late["expires_in"] == 60


async def test_two_refreshes_at_the_same_time_get_the_same_pair(stage: Stage) -> None:
    first = await stage.login()
    answers = await asyncio.gather(*(stage.refresh(first["refresh_token"]) for _ in range(5)))
    assert len({answer.json()["access_token"] for answer in answers}) == 1


async def test_case_13_a_refresh_ends_the_old_access_token_at_once(stage: Stage) -> None:
    first = await stage.login()
    assert await stage.status_with(first["access_token"]) == 200
    second = (await stage.refresh(first["refresh_token"])).json()
    answer = await stage.get("/restapi/v1.0/account/~", first["access_token"])
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "OAU-213")
    assert await stage.status_with(second["access_token"]) == 200


async def test_case_14_the_grace_ends_ten_seconds_after_the_new_token_was_used(stage: Stage) -> None:
    first = await stage.login()
    second = (await stage.refresh(first["refresh_token"])).json()
    stage.clock.advance(30)
    assert await stage.status_with(second["access_token"]) == 200
    stage.clock.advance(10)
    assert (await stage.refresh(first["refresh_token"])).json()["access_token"] == second["access_token"]
    stage.clock.advance(1)
    assert_refused(await stage.refresh(first["refresh_token"]), "invalid_grant", "OAU-213")
    assert (await stage.refresh(second["refresh_token"])).status_code == 200


async def test_case_15_a_wrong_verifier_is_refused_and_no_method_means_plain(stage: Stage) -> None:
    def redeem(code: str, verifier: str | None) -> dict[str, str]:
        form = {"grant_type": "authorization_code", "client_id": PUBLIC, "code": code, "redirect_uri": REDIRECT}
        return form if verifier is None else form | {"code_verifier": verifier}

    for verifier in ("another-verifier-of-at-least-forty-three-characters", CHALLENGE, None):
        code = (await code_of(stage, **authorize_query()))["code"]
        assert_refused(await stage.post_token(auth=None, **redeem(code, verifier)), "invalid_grant", "OAU-106")
    plain = {"response_type": "code", "client_id": PUBLIC, "redirect_uri": REDIRECT, "code_challenge": VERIFIER}
    code = (await code_of(stage, **plain))["code"]
    assert_refused(await stage.post_token(auth=None, **redeem(code, VERIFIER + "x")), "invalid_grant", "OAU-106")
    code = (await code_of(stage, **plain))["code"]
    assert (await stage.post_token(auth=None, **redeem(code, VERIFIER))).status_code == 200


async def test_case_16_a_code_works_once(stage: Stage) -> None:
    code = (await code_of(stage, **authorize_query()))["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": PUBLIC,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    assert (await stage.post_token(auth=None, **form)).status_code == 200
    assert_refused(await stage.post_token(auth=None, **form), "invalid_grant", "OAU-106")


@pytest.mark.parametrize(
    ("change", "seconds", "code"),
    [
        ({"redirect_uri": "myapp://done"}, 0, "OAU-109"),
        ({"redirect_uri": ""}, 0, "OAU-109"),
        ({}, 60, "OAU-108"),
        ({"client_id": ""}, 0, "OAU-110"),
    ],
)
async def test_a_code_is_held_to_its_request(stage: Stage, change: dict[str, str], seconds: int, code: str) -> None:
    issued = (await code_of(stage, **authorize_query()))["code"]
    stage.clock.advance(seconds)
    form = {
        "grant_type": "authorization_code",
        "client_id": PUBLIC,
        "code": issued,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    } | change
    auth = (APP, SECRET) if "client_id" in change else None
    assert_refused(await stage.post_token(auth=auth, **form), "invalid_grant", code)


async def test_case_17_revoking_the_access_token_ends_its_session(stage: Stage) -> None:
    tokens = await stage.login()
    assert await stage.status_with(tokens["access_token"]) == 200
    answer = await stage.client.post(
        "/restapi/oauth/revoke", data={"token": tokens["access_token"]}, headers={"Authorization": basic(APP, SECRET)}
    )
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert await stage.status_with(tokens["access_token"]) == 401
    assert_refused(await stage.refresh(tokens["refresh_token"]), "invalid_grant", "OAU-213")


async def test_a_session_is_revoked_by_its_refresh_token_in_the_query_too(stage: Stage) -> None:
    tokens = await stage.login()
    answer = await stage.client.post(
        f"/restapi/oauth/revoke?token={tokens['refresh_token']}", headers={"Authorization": basic(APP, SECRET)}
    )
    assert answer.status_code == 200
    assert await stage.status_with(tokens["access_token"]) == 401


async def test_a_session_is_not_revoked_by_another_application(stage: Stage) -> None:
    tokens = await stage.login()
    answer = await stage.client.post(
        "/restapi/oauth/revoke", data={"token": tokens["access_token"], "client_id": PUBLIC}
    )
    assert answer.status_code == 200
    assert await stage.status_with(tokens["access_token"]) == 200


async def test_case_18_revoking_an_unknown_token_succeeds(stage: Stage) -> None:
    headers = {"Authorization": basic(APP, SECRET)}
    answer = await stage.client.post("/restapi/oauth/revoke", data={"token": "unknown"}, headers=headers)
    assert answer.status_code == 200
    nothing = await stage.client.post("/restapi/oauth/revoke", headers=headers)
    assert_refused(nothing, "invalid_request", "CMN-101")


async def test_case_19_empty_parameters_count_as_absent(stage: Stage) -> None:
    empty = dict.fromkeys(("state", "brand_id", "ui_options", "localeId", "prompt", "code_challenge"), "")
    query = {"response_type": "code", "client_id": APP, "redirect_uri": REDIRECT} | empty
    found = await code_of(stage, **query)
    assert "state" not in found
    answer = await stage.post_token(grant_type="authorization_code", code=found["code"], redirect_uri=REDIRECT)
    assert answer.status_code == 200


@pytest.mark.parametrize("uri", ["https://evil.example/", REDIRECT + "&more=1", "https://client.example/oauth", ""])
async def test_case_20_an_unregistered_redirect_uri_is_refused_in_place(stage: Stage, uri: str) -> None:
    answer = await stage.client.get("/restapi/oauth/authorize", params=authorize_query(client=APP, redirect_uri=uri))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.json()["error"] == "invalid_request"
    page = await stage.client.get(
        "/restapi/oauth/authorize",
        params=authorize_query(client=APP, redirect_uri=uri),
        headers={"Accept": "text/html"},
    )
    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")


async def test_case_21_json_at_the_token_endpoint_is_an_unsupported_media_type(stage: Stage) -> None:
    answer = await stage.client.post(
        "/restapi/oauth/token", json={"grant_type": JWT_GRANT}, headers={"Authorization": basic(APP, SECRET)}
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (415, "CMN-104")
    assert (await stage.client.post("/restapi/oauth/token")).status_code == 415


async def test_case_22_the_sixth_login_ends_the_least_recently_used_session(stage: Stage) -> None:
    sessions = []
    for _ in range(5):
        sessions.append(await stage.login())
        stage.clock.advance(1)
    for place in (0, 2, 3, 4):  # the second is not used any more
        assert await stage.status_with(sessions[place]["access_token"]) == 200
        stage.clock.advance(1)
    sixth = await stage.login()
    seen = [await stage.status_with(tokens["access_token"]) for tokens in [*sessions, sixth]]
    assert seen == [200, 401, 200, 200, 200, 200]
    bobs = await stage.login(BOB)
    assert await stage.status_with(bobs["access_token"]) == 200
    assert await stage.status_with(sessions[0]["access_token"]) == 200


async def test_a_repeated_parameter_is_refused(stage: Stage) -> None:
    answer = await stage.client.post(
        "/restapi/oauth/token",
        content=f"grant_type=password&username=a&username=b&client_id={PUBLIC}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert_refused(answer, "invalid_request", "OAU-111")


@pytest.mark.parametrize(
    ("form", "error", "code"),
    [
        ({"scope": "SMS"}, "invalid_request", "CMN-101"),
        ({"grant_type": "partner_jwt", "assertion": "x"}, "unsupported_grant_type", "OAU-112"),
        ({"grant_type": JWT_GRANT}, "invalid_request", "CMN-101"),
        ({"grant_type": JWT_GRANT, "assertion": "no.jwt.atall"}, "invalid_grant", "OAU-140"),
        ({"grant_type": JWT_GRANT, "assertion": "x" * 9000}, "invalid_request", "CMN-101"),
        ({"grant_type": "authorization_code", "code": "unknown"}, "invalid_grant", "OAU-106"),
        ({"grant_type": JWT_GRANT, "client_assertion": "x"}, "invalid_client", "OAU-146"),
        ({f"p{n}": "1" for n in range(70)}, "invalid_request", "CMN-104"),
    ],
)
async def test_a_bad_token_request_is_refused_with_its_code(
    stage: Stage, form: dict[str, str], error: str, code: str
) -> None:
    assert_refused(await stage.post_form(form), error, code)


@pytest.mark.parametrize("header", ["Basic", "Basic ???", "Basic bm9jb2xvbg==", "Basic OnNlY3JldA==", "Digest x"])
async def test_unreadable_client_authentication_is_refused(stage: Stage, header: str) -> None:
    answer = await stage.client.post(
        "/restapi/oauth/token", data={"grant_type": JWT_GRANT}, headers={"Authorization": header}
    )
    assert_refused(answer, "invalid_client", "OAU-146")


async def test_a_jwt_is_good_only_within_its_limits(stage: Stage) -> None:
    async def login(assertion: str) -> httpx.Response:
        return await stage.post_token(grant_type=JWT_GRANT, assertion=assertion)

    for_another = await stage.jwt(client_ids=[LIMITED])
    assert_refused(await login(for_another), "invalid_grant", "OAU-140")
    end = stage.clock.now().replace(microsecond=0)
    assert_refused(await login(await stage.jwt(expires_at=end)), "invalid_grant", "OAU-140")
    token, _never_saved = stage.jwts.mint_jwt(ALICE)
    assert_refused(await login(token), "invalid_grant", "OAU-140")
    good = await stage.jwt(client_ids=[APP, LIMITED])
    assert (await login(good)).status_code == 200
    head, body, signature = good.split(".")
    assert_refused(await login(f"{head}.{body}.{signature[::-1]}"), "invalid_grant", "OAU-140")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert_refused(await login(f"{unsigned}.{body}."), "invalid_grant", "OAU-140")


async def test_a_login_form_does_not_pass_for_a_jwt(stage: Stage) -> None:
    page = await stage.client.get("/restapi/oauth/authorize", params=authorize_query())
    answer = await stage.post_token(grant_type=JWT_GRANT, assertion=login_state_of(page))
    assert_refused(answer, "invalid_grant", "OAU-140")


async def test_repeated_wrong_passwords_lock_the_login_for_a_while(stage: Stage) -> None:
    async def login(password: str) -> httpx.Response:
        return await stage.post_token(grant_type="password", username="bob", password=password)

    for _ in range(2):
        assert_refused(await login("wrong"), "invalid_grant", "OAU-140")
    assert (await login(PASSWORD)).status_code == 200
    for _ in range(3):
        assert_refused(await login("wrong"), "invalid_grant", "OAU-140")
    assert_refused(await login(PASSWORD), "invalid_grant", "OAU-147")
    stage.clock.advance(301)
    assert (await login(PASSWORD)).status_code == 200


async def test_guesses_in_parallel_are_counted_before_they_are_tried(stage: Stage) -> None:
    answers = await asyncio.gather(
        *(stage.post_token(grant_type="password", username="bob", password=f"guess {n}") for n in range(12))
    )
    assert sorted(answer.json()["errorCode"] for answer in answers) == ["OAU-140"] * 3 + ["OAU-147"] * 9


async def test_one_password_tried_on_many_users_is_stopped_by_address(stage: Stage) -> None:
    """Each login is locked by itself, so whoever tries one password on all of them would meet no limit."""
    await stage.change_application(PUBLIC, rate_limit_factor=100)
    page = await stage.client.get("/restapi/oauth/authorize", params=authorize_query())
    form = {"login_state": login_state_of(page), "password": "Summer2026"}

    async def log_in(name: str, **changed: str) -> httpx.Response:
        return await stage.client.post("/restapi/oauth/authorize", data=form | {"username": name} | changed)

    assert (await log_in("bob", password=PASSWORD)).status_code == 302
    tried = await asyncio.gather(*(log_in(f"user-{number}") for number in range(40)))
    assert Counter(answer.status_code for answer in tried) == {400: 30, 429: 10}
    right = await log_in("bob", password=PASSWORD)
    assert (right.status_code, right.json()["errorCode"]) == (429, "CMN-301")
    assert "from this address" in right.json()["message"]
    public = await stage.post_token(
        auth=None, client_id=PUBLIC, grant_type="password", username="bob", password=PASSWORD
    )
    assert public.status_code == 429
    assert (await stage.post_token(grant_type="password", username="bob", password=PASSWORD)).status_code == 200
    stage.clock.advance(int(right.headers["retry-after"]))
    assert (await log_in("bob", password=PASSWORD)).status_code == 302


async def test_a_grant_that_the_application_may_not_use_is_refused(stage: Stage) -> None:
    await stage.change_application(APP, grants=frozenset({Grant.PASSWORD}))
    answer = await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert_refused(answer, "unauthorized_client", "OAU-112")
    without_refresh = await stage.post_token(grant_type="password", username="bob", password=PASSWORD)
    assert not {"refresh_token", "refresh_token_expires_in"} & set(without_refresh.json())


async def test_a_disabled_user_or_one_of_another_account_can_not_log_in(stage: Stage) -> None:
    carl = await stage.post_token(grant_type="password", username="carl", password=PASSWORD)
    assert_refused(carl, "invalid_grant", "OAU-141")
    await stage.change_application(APP, account_id=AccountId("500100"))
    alice = await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt())
    assert_refused(alice, "invalid_grant", "OAU-141")
    await stage.change_application(APP, account_id=ACCOUNT)
    assert (await stage.post_token(grant_type=JWT_GRANT, assertion=await stage.jwt())).status_code == 200


async def test_a_narrower_scope_is_granted_as_asked(stage: Stage) -> None:
    assertion = await stage.jwt()
    narrow = await stage.post_token(grant_type=JWT_GRANT, assertion=assertion, scope="SMS Faxes Unknown")
    assert narrow.json()["scope"] == "Faxes SMS"
    answer = await stage.get("/restapi/v1.0/account/~", narrow.json()["access_token"])
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "CMN-401")
    none = await stage.post_token(grant_type=JWT_GRANT, assertion=assertion, scope="Unknown")
    assert_refused(none, "invalid_scope", "CMN-401")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "with space"}, "invalid_request"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
    ],
)
async def test_a_bad_authorization_request_is_told_by_redirect(
    stage: Stage, change: dict[str, str], error: str
) -> None:
    answer = await stage.client.get("/restapi/oauth/authorize", params=authorize_query(state="kept") | change)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(REDIRECT + "&")
    found = redirect_parameters(answer)
    assert (found["error"], found["state"]) == (error, "kept")
    assert found["error_description"]


async def test_authorize_takes_its_parameters_by_post_as_well(stage: Stage) -> None:
    page = await stage.client.post("/restapi/oauth/authorize", data=authorize_query())
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_the_login_page_is_accessible_and_loads_nothing(stage: Stage) -> None:
    page = await stage.client.get(
        "/restapi/oauth/authorize", params=authorize_query(client=APP, login_hint='bob"><script>')
    )
    assert '<html lang="en">' in page.text
    for name in ("username", "extension", "password"):
        assert f'<label for="{name}">' in page.text and f'id="{name}"' in page.text
    assert "Everything &lt;b&gt;bold" in page.text and "<script>" not in page.text
    assert 'value="bob&quot;&gt;&lt;script&gt;"' in page.text
    assert not re.search(r"(src|href)=|@import|url\(", page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "form-action 'self' https://client.example" in policy
    assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"


async def test_a_failed_login_is_told_on_the_page(stage: Stage) -> None:
    page = await stage.client.get("/restapi/oauth/authorize", params=authorize_query())
    form = {"login_state": login_state_of(page), "username": "bob", "password": "wrong"}
    answer = await stage.client.post("/restapi/oauth/authorize", data=form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text and "Invalid resource owner credentials" in answer.text
    assert 'value="bob"' in answer.text and "wrong" not in answer.text
    again = await stage.client.post(
        "/restapi/oauth/authorize", data=form | {"login_state": login_state_of(answer), "password": PASSWORD}
    )
    assert again.status_code == 302


async def test_cancelling_the_login_is_told_to_the_application(stage: Stage) -> None:
    page = await stage.client.get("/restapi/oauth/authorize", params=authorize_query(state="kept"))
    answer = await stage.client.post(
        "/restapi/oauth/authorize", data={"login_state": login_state_of(page), "decision": "cancel"}
    )
    assert redirect_parameters(answer)["error"] == "access_denied"


async def test_a_login_form_is_taken_only_fresh_unchanged_and_from_our_own_page(stage: Stage) -> None:
    page = await stage.client.get("/restapi/oauth/authorize", params=authorize_query())
    form = {"login_state": login_state_of(page), "username": "bob", "password": PASSWORD}

    async def status_of(changed: dict[str, str], **headers: str) -> int:
        answer = await stage.client.post("/restapi/oauth/authorize", data=form | changed, headers=headers)
        return answer.status_code

    assert await status_of({"login_state": form["login_state"][:-4] + "AAAA"}) == 400
    assert await status_of({}, **{"Sec-Fetch-Site": "cross-site"}) == 400
    assert await status_of({}, Origin="https://evil.example") == 400
    assert await status_of({}, Origin="null") == 400
    assert await status_of({}, Origin="http://bellwire.test") == 302
    stage.clock.advance(601)
    assert await status_of({}) == 400


async def test_requests_of_one_user_at_the_token_endpoint_are_limited(stage: Stage) -> None:
    assertion = await stage.jwt()

    async def login(**form: str) -> httpx.Response:
        return await stage.post_token(auth=(LIMITED, SECRET), grant_type=JWT_GRANT, **form)

    answers = [await login(assertion=assertion) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].headers["x-rate-limit-group"] == "auth"
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    assert answers[5].headers["retry-after"] == "60"
    assert (await login(assertion=await stage.jwt(BOB))).status_code == 200
    unknown = [(await login(assertion="no.such.jwt")).status_code for _ in range(6)]
    assert unknown == [400] * 5 + [429]
