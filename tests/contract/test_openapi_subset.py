"""Our answers against `openapi-subset.json`, the published description of the compatible API.

Each of its operations is served, or says 501 CMN-202. What is served answers in the published form, in success and in
refusal; a refusal whose status the description doesn't know has the general envelope all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator, FormatChecker

from bellwire.testing.receiver import WebhookReceiver
from tests.contract import published_reference as reference
from tests.e2e.in_process import JWT_BEARER, Running, running_server

pytestmark = [
    pytest.mark.skipif(not reference.IS_HERE, reason=reference.ABSENT),
    pytest.mark.asyncio(loop_scope="module"),
]

SUBSET: dict[str, Any] = (
    json.loads((reference.FOLDER / "openapi-subset.json").read_text())
    if reference.IS_HERE
    else {"paths": {}, "components": {}}
)
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = [(method, path) for path, found in SUBSET["paths"].items() for method in found if method in METHODS]

ACCOUNT = "/restapi/v1.0/account/{accountId}"
A2P = f"{ACCOUNT}/a2p-sms"
CONSENTS = "/restapi/v2/accounts/{accountId}/sms/consents"
GENERAL = "/restapi/v1.0/subscription"
WEBINAR = "/webinar/notifications/v1/subscriptions"
SERVED = {
    ("get", "/.well-known/openid-configuration"),
    ("get", "/restapi/oauth/authorize"),
    ("post", "/restapi/oauth/authorize"),
    ("post", "/restapi/oauth/token"),
    ("post", "/restapi/oauth/revoke"),
    ("post", "/restapi/oauth/wstoken"),
    ("get", f"{ACCOUNT}/extension"),
    ("get", f"{ACCOUNT}/extension/{{extensionId}}"),
    ("get", f"{ACCOUNT}/extension/{{extensionId}}/phone-number"),
    ("post", f"{A2P}/batches"),
    *(("get", f"{A2P}/{what}") for what in ("batches", "batches/{batchId}", "messages", "messages/{messageId}")),
    ("get", f"{A2P}/statuses"),
    ("get", f"{A2P}/opt-outs"),
    ("post", f"{A2P}/opt-outs/bulk-assign"),
    *((method, CONSENTS) for method in ("get", "patch")),
    *(("get", f"{CONSENTS}/{what}") for what in ("export", "history")),
    ("post", f"{CONSENTS}/search"),
    *((method, path) for path in (GENERAL, WEBINAR) for method in ("get", "post")),
    *((method, f"{path}/{{subscriptionId}}") for path in (GENERAL, WEBINAR) for method in ("get", "put", "delete")),
    *(("post", f"{path}/{{subscriptionId}}/renew") for path in (GENERAL, WEBINAR)),
}
FILTER = {
    GENERAL: "/restapi/v1.0/account/~/extension/~/presence",
    WEBINAR: "/webinar/configuration/v1/company/sessions",
}
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
"""Needs a permission that the application with few permissions doesn't have."""
CREATED = {GENERAL: 200, WEBINAR: 201}


@dataclass(frozen=True, slots=True)
class Client:
    """Calls the server, and holds every answer against the published description."""

    running: Running
    receiver: WebhookReceiver
    bearer: dict[str, str]
    limited: dict[str, str]

    async def call(
        self, method: str, path: str, expected: int, *, ids: dict[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        """One request by the path as it is published, with `ids` or `~` in its places; with `bearer` unless said."""
        target = re.sub(r"\{(\w+)\}", lambda place: (ids or {}).get(place[1], "~"), path)
        headers = request.pop("headers", self.bearer)
        answer = await self.running.http.request(method, target, headers=headers, **request)
        assert answer.status_code == expected, answer.text
        assert_as_published(answer, method, path)
        return answer

    async def subscribe(self, path: str, expected: int, *filters: str, **more: Any) -> httpx.Response:
        """Create a subscription; `mode` and other fields on top of what is right."""
        mode = {"transportType": "WebHook", "address": self.receiver.url} | more.pop("mode", {})
        headers = more.pop("headers", self.bearer)
        body = {"eventFilters": list(filters or [FILTER[path]]), "deliveryMode": mode} | more
        return await self.call("post", path, expected, json=body, headers=headers)


def assert_as_published(answer: httpx.Response, method: str, path: str) -> None:
    """The answer has the form that the description gives for its status, and an error has the envelope."""
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        body = answer.json()
        first = body["errors"][0]
        assert (body["errorCode"], body["message"]) == (first["errorCode"], first["message"])
        assert re.fullmatch(r"[A-Z]{3}-\d{3}", first["errorCode"])
    response = SUBSET["paths"][path][method]["responses"].get(str(answer.status_code), {})
    while "$ref" in response:
        response = SUBSET["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "content" in response:
        schema = response["content"]["application/json"]["schema"]
        whole = {"components": SUBSET["components"], **schema}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(answer.json())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_server(tmp_path_factory.mktemp("subset")) as running, WebhookReceiver() as receiver:
        yield Client(running, receiver, await running.bearer(), await running.limited())


async def test_what_is_served_is_published() -> None:
    assert set(OPERATIONS) >= SERVED


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
async def test_every_operation_is_served_or_said_to_be_unsupported(client: Client, method: str, path: str) -> None:
    target = re.sub(r"\{\w+\}", "1", path)
    answer = await client.running.http.request(method, target, json={} if method != "get" else None)

    if (method, path) in SERVED:
        assert answer.status_code in (200, 400, 401, 415)  # who calls, and with what, is asked first
    else:
        assert (answer.status_code, answer.json()["errorCode"]) == (501, "CMN-202")
    assert_as_published(answer, method, path)


# Authorization


async def test_token_grants(client: Client) -> None:
    demo, basic = client.running.demo, (client.running.demo.client_id, client.running.demo.client_secret)

    async def grant(**form: str) -> dict[str, Any]:
        answer = await client.call("post", "/restapi/oauth/token", 200, data=form, auth=basic, headers={})
        granted: dict[str, Any] = answer.json()
        return granted

    await grant(grant_type=JWT_BEARER, assertion=demo.jwt)
    by_password = await grant(grant_type="password", username=demo.users[0].user_name, password=demo.password)
    await grant(grant_type="refresh_token", refresh_token=by_password["refresh_token"])
    await grant(grant_type="authorization_code", code=await _code(client), redirect_uri=demo.redirect_uri)


async def _code(client: Client) -> str:
    demo, path = client.running.demo, "/restapi/oauth/authorize"
    query = {"response_type": "code", "client_id": demo.client_id, "redirect_uri": demo.redirect_uri}
    page = await client.call("get", path, 200, params=query, headers={})
    login_state = re.search(r'name="login_state" value="([^"]+)"', page.text)
    assert login_state is not None
    form = {"login_state": login_state[1], "username": demo.users[0].user_name, "password": demo.password}
    answer = await client.call("post", path, 302, data=form, headers={})
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": JWT_BEARER}, "invalid_request"),
        ({"grant_type": JWT_BEARER, "assertion": "x.y.z"}, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": "x"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "unknown"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": JWT_BEARER, "assertion": "x", "scope": "Everything"}, "invalid_scope"),
        ({"grant_type": JWT_BEARER, "assertion": "x" * 9000}, "invalid_request"),
    ],
)
async def test_token_refusals(client: Client, form: dict[str, str], error: str) -> None:
    basic = (client.running.demo.client_id, client.running.demo.client_secret)
    answer = await client.call("post", "/restapi/oauth/token", 400, data=form or {"a": "b"}, auth=basic, headers={})

    assert answer.json()["error"] == error


async def test_a_token_request_of_an_unknown_client_or_another_type_is_refused(client: Client) -> None:
    path, form = "/restapi/oauth/token", {"grant_type": JWT_BEARER, "assertion": client.running.demo.jwt}

    answer = await client.call("post", path, 400, data=form, auth=("nobody", "x"), headers={})
    await client.call("post", path, 415, json=form, headers={})

    assert answer.json()["error"] == "invalid_client"


async def test_too_many_logins_are_slowed_down(client: Client) -> None:
    demo = client.running.demo
    basic = (demo.limited_client_id, demo.limited_client_secret)
    form = {"grant_type": JWT_BEARER, "assertion": demo.limited_jwt}
    for _ in range(10):
        answer = await client.running.http.post("/restapi/oauth/token", data=form, auth=basic)
        if answer.status_code != 200:
            break

    assert answer.status_code == 429
    assert answer.headers["retry-after"].isdigit()
    assert_as_published(answer, "post", "/restapi/oauth/token")


async def test_revoking(client: Client) -> None:
    demo, path = client.running.demo, "/restapi/oauth/revoke"
    basic = (demo.client_id, demo.client_secret)
    token = (await client.running.token())["access_token"]

    await client.call("post", path, 200, data={"token": token}, auth=basic, headers={})
    await client.call("post", path, 400, data={"token": token}, auth=("nobody", "x"), headers={})
    await client.call("post", path, 400, auth=basic, headers={})


async def test_authorize_refusals(client: Client) -> None:
    demo, path = client.running.demo, "/restapi/oauth/authorize"
    asked = {"response_type": "code", "client_id": demo.client_id, "redirect_uri": demo.redirect_uri}

    redirected = await client.call("get", path, 302, params=asked | {"prompt": "none"}, headers={})
    for wrong in ({"client_id": "nobody"}, {"redirect_uri": "https://elsewhere.example/"}):
        await client.call("get", path, 400, params=asked | wrong, headers={})
        await client.call("post", path, 400, data=asked | wrong, headers={})

    assert redirected.headers["location"].startswith(demo.redirect_uri)


async def test_openid_configuration(client: Client) -> None:
    await client.call("get", "/.well-known/openid-configuration", 200, headers={})


# The account


@pytest.mark.parametrize(
    "own", [f"{ACCOUNT}/extension/{{extensionId}}/phone-number", f"{ACCOUNT}/extension/{{extensionId}}"]
)
async def test_reading_an_extension(client: Client, own: str) -> None:
    await client.call("get", own, 200)
    await client.call("get", own, 200, ids={"extensionId": client.running.demo.other_extension_id})
    await client.call("get", own, 404, ids={"extensionId": "999999"})
    await client.call("get", own, 404, ids={"accountId": "999999"})
    await client.call("get", own, 401, headers={})
    await client.call("get", own, 401, headers={"Authorization": "Bearer nonsense"})


async def test_listing_extensions(client: Client) -> None:
    path = f"{ACCOUNT}/extension"
    pages = [await client.call("get", path, 200, params={"perPage": "5", "page": page}) for page in "1234"]
    await client.call("get", path, 200, params={"status": ["Enabled", "Disabled"], "type": "User"})
    await client.call("get", path, 400, params={"status": "Asleep"})
    await client.call("get", path, 400, params={"page": "0"})

    assert sum(len(page.json()["records"]) for page in pages) == pages[0].json()["paging"]["totalElements"]


# Subscriptions


@pytest.mark.parametrize("path", [GENERAL, WEBINAR])
async def test_the_life_of_a_subscription(client: Client, path: str) -> None:
    created = await client.subscribe(path, CREATED[path], expiresIn=3600)
    ids = {"subscriptionId": created.json()["id"]}
    one, renewal = f"{path}/{{subscriptionId}}", f"{path}/{{subscriptionId}}/renew"

    listed = await client.call("get", path, 200)
    await client.call("get", one, 200, ids=ids)
    await client.call("put", one, 200, ids=ids, json={"eventFilters": [FILTER[path]], "expiresIn": 7200})
    await client.call("put", one, 200, ids=ids)
    await client.call("post", renewal, 200, ids=ids)
    await client.call("delete", one, 204, ids=ids)
    await client.call("delete", one, 404, ids=ids)
    await client.call("get", one, 404, ids=ids)
    await client.call("put", one, 404, ids=ids, json={})
    await client.call("post", renewal, 404, ids=ids)

    assert [record["id"] for record in listed.json()["records"]] == [ids["subscriptionId"]]


@pytest.mark.parametrize("path", [GENERAL, WEBINAR])
async def test_a_filter_of_the_other_endpoint_is_refused(client: Client, path: str) -> None:
    others = FILTER[GENERAL if path == WEBINAR else WEBINAR]
    refused = await client.subscribe(path, 400, FILTER[path], others)

    assert refused.json()["errors"][0]["parameterName"].startswith("eventFilters")


async def test_a_subscription_is_in_force_in_part_where_a_permission_is_missing(client: Client) -> None:
    created = await client.subscribe(GENERAL, 200, FILTER[GENERAL], MESSAGES, headers=client.limited)
    ids = {"subscriptionId": created.json()["id"]}
    await client.call("delete", f"{GENERAL}/{{subscriptionId}}", 204, ids=ids, headers=client.limited)

    assert len(created.json()["disabledFilters"]) == 1


@pytest.mark.parametrize("path", [GENERAL, WEBINAR])
@pytest.mark.parametrize(
    ("fields", "code", "parameter"),
    [
        ({"eventFilters": []}, "CMN-101", "eventFilters"),
        ({"eventFilters": "text"}, "CMN-101", "eventFilters"),
        ({"eventFilters": [None]}, "CMN-101", "eventFilters[0]"),
        ({"eventFilters": ["/nowhere"]}, "SUB-508", "eventFilters"),
        ({"expiresIn": 0}, "CMN-101", "expiresIn"),
        ({"expiresIn": "soon"}, "CMN-101", "expiresIn"),
        ({"mode": {"transportType": "Pigeon"}}, "CMN-101", "deliveryMode.transportType"),
        ({"mode": {"transportType": "WebSocket"}}, "CMN-101", "deliveryMode.transportType"),
        ({"mode": {"address": ""}}, "CMN-101", "deliveryMode.address"),
        ({"mode": {"address": "ftp://example.com/"}}, "CMN-101", "deliveryMode.address"),
        ({"mode": {"verificationToken": "a\nb"}}, "CMN-101", "deliveryMode.verificationToken"),
        ({"mode": {"signingSecret": "short"}}, "CMN-101", "deliveryMode.signingSecret"),
        ({"mode": {"address": "http://127.0.0.1:1/"}}, "SUB-521", "deliveryMode.address"),
    ],
)
async def test_subscription_refusals(
    client: Client, path: str, fields: dict[str, Any], code: str, parameter: str
) -> None:
    refused = (await client.subscribe(path, 400, **dict(fields))).json()["errors"][0]

    assert (refused["errorCode"], refused["parameterName"].partition("[")[0]) == (code, parameter.partition("[")[0])


async def test_a_subscription_without_permission_is_forbidden(client: Client) -> None:
    await client.subscribe(GENERAL, 403, MESSAGES, headers=client.limited)
    await client.subscribe(WEBINAR, 403, headers=client.limited)
    await client.subscribe(GENERAL, 401, headers={"Authorization": "Bearer nonsense"})


async def test_more_than_thirty_subscriptions_are_forbidden(client: Client) -> None:
    ids = [(await client.subscribe(GENERAL, 200)).json()["id"] for _ in range(30)]
    answer = await client.subscribe(GENERAL, 403)
    await client.call("get", GENERAL, 200)
    for each in ids:
        await client.call("delete", f"{GENERAL}/{{subscriptionId}}", 204, ids={"subscriptionId": each})

    assert answer.json()["errorCode"] == "SUB-505"
