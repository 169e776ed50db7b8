"""The admin API over HTTP, on real stores: statuses, bodies, pages, and that OpenAPI tells the truth of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI, Request

from bellwire.api.admin import admin_routes
from bellwire.api.app import build_app
from bellwire.engine.provision import ALL_ACCOUNTS, Provisioning
from bellwire.engine.provision_commands import NewAdminKey
from bellwire.engine.secrets import hash_secret
from bellwire.errors import Unauthenticated
from bellwire.model.identity import ApiKey, KeyKind
from bellwire.model.ids import AccountId
from bellwire.storage.records import RecordsStores, open_records
from tests.conformance.subscription_store import StoppedClock

ADMIN = "/bellwire/v1/admin"


class Admin:
    """A client with an admin key, that checks each answer against the application's OpenAPI document."""

    def __init__(self, app: FastAPI, key: str) -> None:
        self._document = app.openapi()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://test", headers={"Authorization": f"Bearer {key}"}
        )

    async def call(self, method: str, path: str, expected: int, body: object = None, **query: object) -> Any:
        answer = await self._client.request(
            method,
            ADMIN + path,
            params={name: str(value) for name, value in query.items()},
            content=None if body is None else json.dumps(body),
            headers={} if body is None else {"Content-Type": "application/json"},
        )
        assert answer.status_code == expected, answer.text
        documented = self._operation(method, ADMIN + path)["responses"][str(expected)]
        if expected == 204:
            assert answer.content == b""
            assert "content" not in documented
            return None
        schema = documented["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), schema | {"components": self._document["components"]})
        return answer.json()

    async def get(self, path: str, expected: int = 200, **query: object) -> Any:
        return await self.call("GET", path, expected, None, **query)

    async def post(self, path: str, body: object, expected: int = 201) -> Any:
        return await self.call("POST", path, expected, body)

    async def patch(self, path: str, body: object, expected: int = 200) -> Any:
        return await self.call("PATCH", path, expected, body)

    async def put(self, path: str, body: object, expected: int = 200) -> Any:
        return await self.call("PUT", path, expected, body)

    async def delete(self, path: str, expected: int = 204) -> Any:
        return await self.call("DELETE", path, expected)

    def _operation(self, method: str, path: str) -> Any:
        steps = path.split("/")
        for template, operations in self._document["paths"].items():
            parts = template.split("/")
            if len(parts) == len(steps) and all(
                part == step or part.startswith("{") for part, step in zip(parts, steps, strict=True)
            ):
                return operations[method.lower()]
        raise AssertionError(f"{method} {path} is not in the OpenAPI document")


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path, StoppedClock())
    yield stores
    await stores.close()


@pytest.fixture
def provisioning(stores: RecordsStores) -> Provisioning:
    return Provisioning(
        directory=stores.directory,
        writer=stores.directory,
        credentials=stores.credentials,
        installation=stores.installation,
        clock=StoppedClock(),
    )


@pytest.fixture
def app(stores: RecordsStores, provisioning: Provisioning) -> FastAPI:
    async def admin_key(request: Request) -> ApiKey:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = stores.credentials.key_with_hash(hash_secret(shown))
        if key is None or key.kind is not KeyKind.ADMIN:
            raise Unauthenticated("OAU-213", "This is no admin key")
        return key

    return build_app(routers=admin_routes(provisioning=provisioning, admin=admin_key), version="1")


@pytest.fixture
async def admin(app: FastAPI, provisioning: Provisioning) -> Admin:
    key = await provisioning.ensure_first_admin_key()
    assert key is not None
    return Admin(app, key)


@pytest.fixture
async def account(admin: Admin) -> str:
    """The path of a new account."""
    made = await admin.post("/accounts", {"companyName": "Acme"})
    return f"/accounts/{made['id']}"


@pytest.fixture
async def extension(admin: Admin, account: str) -> Any:
    return await admin.post(f"{account}/extensions", {"extensionNumber": "101", "firstName": "Anna"})


async def test_an_account_is_made_read_changed_and_deleted(admin: Admin) -> None:
    made = await admin.post("/accounts", {"companyName": "Acme", "mainNumber": "+16505550100"})
    assert made == {"id": made["id"], "companyName": "Acme", "mainNumber": "+16505550100", "status": "Enabled"}
    path = f"/accounts/{made['id']}"
    assert await admin.get(path) == made
    changed = await admin.patch(path, {"status": "Disabled", "mainNumber": None})
    assert changed == made | {"status": "Disabled", "mainNumber": None}
    assert await admin.get("/accounts") == {"records": [changed], "nextCursor": None}
    await admin.delete(path)
    await admin.delete(path, 404)
    assert (await admin.get(path, 404))["errorCode"] == "CMN-102"


async def test_an_extension_is_made_read_changed_and_deleted(admin: Admin, account: str, extension: Any) -> None:
    extensions = f"{account}/extensions"
    bob = await admin.post(
        extensions,
        {
            "extensionNumber": "102",
            "firstName": "Bob",
            "lastName": "Ågren",
            "email": "bob@example.org",
            "type": "Department",
            "isAdmin": True,
            "permissions": ["ReadCompanyTelephony", "ReadExtensions"],
            "monitoredLines": [extension["id"]],
            "favorites": [extension["id"]],
            "status": "Disabled",
        },
    )
    assert bob["permissions"] == ["ReadCompanyTelephony", "ReadExtensions"]
    path = f"{extensions}/{bob['id']}"
    assert await admin.patch(path, {"isAdmin": False, "favorites": []}) == bob | {"isAdmin": False, "favorites": []}
    await admin.post(extensions, {"extensionNumber": "102", "firstName": "Eve"}, 409)
    await admin.delete(path)
    await admin.get(path, 404)


async def test_numbers_and_devices_are_made_read_changed_and_deleted(
    admin: Admin, account: str, extension: Any
) -> None:
    number = await admin.post(
        f"{account}/numbers",
        {"phoneNumber": "+16505550101", "features": ["A2PSmsSender"], "extensionId": extension["id"]},
    )
    path = f"{account}/numbers/{number['id']}"
    assert await admin.patch(path, {"extensionId": None}) == number | {"extensionId": None}
    assert (await admin.get(path))["features"] == ["A2PSmsSender"]
    await admin.post(f"{account}/numbers", {"phoneNumber": "+16505550101"}, 409)
    await admin.delete(path)
    await admin.delete(path, 404)
    device = await admin.post(f"{account}/devices", {"name": "Desk", "extensionId": extension["id"]})
    path = f"{account}/devices/{device['id']}"
    assert await admin.patch(path, {"name": "Lobby"}) == device | {"name": "Lobby"}
    assert await admin.get(path) == device | {"name": "Lobby"}
    await admin.delete(path)
    await admin.delete(path, 404)
    assert (
        (await admin.get(f"{account}/numbers"))["records"] == (await admin.get(f"{account}/devices"))["records"] == []
    )


async def test_an_applications_secret_is_shown_only_when_it_is_made(admin: Admin) -> None:
    made = await admin.post(
        "/applications",
        {
            "name": "App",
            "permissions": ["SMS", "ReadPresence"],
            "grants": ["authorization_code", "refresh_token"],
            "redirectUris": ["https://example.org/back"],
            "rateLimitFactor": 2.5,
        },
    )
    secret = made.pop("clientSecret")
    path = f"/applications/{made['clientId']}"
    assert await admin.get(path) == made
    assert (made["isPublic"], made["permissions"]) == (False, ["ReadPresence", "SMS"])
    rotated = await admin.call("POST", f"{path}/secret", 201)
    assert rotated.pop("clientSecret") != secret
    assert rotated == made
    assert await admin.patch(path, {"status": "Disabled", "permissions": []}) == made | {
        "status": "Disabled",
        "permissions": [],
    }
    await admin.delete(path)
    await admin.get(path, 404)


async def test_a_public_application_has_no_secret(admin: Admin) -> None:
    made = await admin.post("/applications", {"name": "App", "permissions": [], "isPublic": True})
    assert made["clientSecret"] is None
    await admin.call("POST", f"/applications/{made['clientId']}/secret", 409)


async def test_a_user_gets_a_name_and_a_password(admin: Admin, extension: Any) -> None:
    path = f"/extensions/{extension['id']}/password"
    empty = {"extensionId": extension["id"], "userName": None, "hasPassword": False, "lockedUntil": None}
    assert await admin.get(path) == empty
    login = await admin.put(path, {"userName": "anna", "password": "correct horse"})
    assert login == empty | {"userName": "anna", "hasPassword": True}
    await admin.put(path, {}, 400)
    refused = await admin.put(path, {"password": "short"}, 400)
    assert refused["errors"][0]["parameterName"] == "password"
    assert "short" not in json.dumps(refused)
    await admin.delete(path)
    assert await admin.get(path) == empty | {"userName": "anna"}
    await admin.delete(path, 404)


async def test_a_jwt_is_shown_only_when_it_is_made(admin: Admin, extension: Any) -> None:
    path = f"/extensions/{extension['id']}/jwts"
    made = await admin.post(path, {"label": "CI", "expiresAt": "2027-01-01T00:00:00+01:00"})
    assert made.pop("token").count(".") == 2
    assert made["expiresAt"] == "2026-12-31T23:00:00Z"
    assert (await admin.get(path))["records"] == [made]
    await admin.delete(f"{path}/{made['jti']}")
    await admin.delete(f"{path}/{made['jti']}", 404)
    assert (await admin.get(path))["records"] == [made | {"revoked": True}]
    await admin.post(path, {"expiresAt": "2020-01-01T00:00:00Z"}, 400)


@pytest.mark.parametrize("kind", ["publisher", "admin"])
async def test_a_key_is_shown_only_when_it_is_made(admin: Admin, account: str, kind: str) -> None:
    path = f"/{kind}-keys"
    made = await admin.post(path, {"label": "Mine", "accountId": account.rpartition("/")[2]})
    assert made.pop("key").startswith("bwp_" if kind == "publisher" else "bwa_")
    assert made["kind"] == kind
    one = f"{path}/{made['id']}"
    assert await admin.get(one) == made
    assert await admin.patch(one, {"status": "Disabled"}) == made | {"status": "Disabled"}
    await admin.delete(one)
    await admin.delete(one, 404)


async def test_only_publisher_keys_have_a_default_account(admin: Admin, account: str) -> None:
    body = {"label": "Mine", "defaultAccountId": account.rpartition("/")[2]}
    assert (await admin.post("/publisher-keys", body))["defaultAccountId"] == body["defaultAccountId"]
    refused = await admin.post("/admin-keys", body, 400)
    assert refused["errors"][0]["parameterName"] == "defaultAccountId"


async def test_the_last_admin_key_can_not_be_deleted(admin: Admin) -> None:
    [key] = (await admin.get("/admin-keys"))["records"]
    await admin.delete(f"/admin-keys/{key['id']}", 409)


async def test_a_key_of_one_account_reaches_only_it(
    app: FastAPI, admin: Admin, account: str, extension: Any, provisioning: Provisioning
) -> None:
    other = await admin.post("/accounts", {"companyName": "Other"})
    made = await provisioning.admin_keys.create(
        ALL_ACCOUNTS, NewAdminKey(label="Scoped", account_id=AccountId(other["id"]))
    )
    scoped = Admin(app, made.key)
    assert (await scoped.get("/accounts"))["records"] == [other]
    await scoped.get(account, 404)
    await scoped.get(f"{account}/extensions", 404)
    await scoped.post(f"/extensions/{extension['id']}/jwts", {}, 404)
    await scoped.post("/accounts", {"companyName": "New"}, 403)
    await scoped.delete(f"/accounts/{other['id']}", 403)


async def test_lists_go_on_from_their_cursor(admin: Admin, account: str) -> None:
    path = f"{account}/extensions"
    made = [await admin.post(path, {"extensionNumber": f"{n}", "firstName": "A"}) for n in range(101, 106)]
    first = await admin.get(path, limit=3)
    assert first["records"] == made[:3]
    second = await admin.get(path, limit=3, cursor=first["nextCursor"])
    assert second == {"records": made[3:], "nextCursor": None}


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"cursor": "a b"}, {"cursor": ""}, {"x": 1}]
)
async def test_a_bad_page_is_refused(admin: Admin, query: dict[str, Any]) -> None:
    refused = await admin.get("/accounts", 400, **query)
    assert refused["errors"][0]["parameterName"] == next(iter(query))


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "companyName"),
        ({"companyName": ""}, "companyName"),
        ({"companyName": " "}, "companyName"),
        ({"companyName": "a\u0000"}, "companyName"),
        ({"companyName": "x" * 129}, "companyName"),
        ({"companyName": 7}, "companyName"),
        ({"companyName": "A", "mainNumber": "650"}, "mainNumber"),
        ({"companyName": "A", "status": "Gone"}, "status"),
        ({"companyName": "A", "id": "7"}, "id"),
    ],
)
async def test_a_bad_field_is_refused_by_its_name(admin: Admin, body: Any, parameter: str) -> None:
    refused = await admin.post("/accounts", body, 400)
    assert (refused["errorCode"], refused["errors"][0]["parameterName"]) == ("CMN-101", parameter)
    assert (await admin.get("/accounts"))["records"] == []


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("/applications", {"name": "A", "permissions": ["Everything"]}, "permissions[0]"),
        ("/applications", {"name": "A", "permissions": [], "grants": ["magic"]}, "grants[0]"),
        ("/applications", {"name": "A", "permissions": [], "accountId": ""}, "accountId"),
        ("/applications", {"name": "A", "permissions": [], "redirectUris": ["back"]}, "redirectUris[0]"),
        ("/applications", {"name": "A", "permissions": [], "redirectUris": ["https://e.org/"] * 21}, "redirectUris"),
        ("/applications", {"name": "A", "permissions": [], "rateLimitFactor": 0}, "rateLimitFactor"),
        ("/publisher-keys", {"label": "A", "defaultAccountId": "x" * 65}, "defaultAccountId"),
    ],
)
async def test_a_bad_part_of_a_list_or_reference_is_refused_by_its_place(
    admin: Admin, path: str, body: Any, parameter: str
) -> None:
    refused = await admin.post(path, body, 400)
    assert (refused["errorCode"], refused["errors"][0]["parameterName"]) == ("CMN-101", parameter)


async def test_without_an_admin_key_nothing_is_answered(app: FastAPI, account: str) -> None:
    stranger = Admin(app, "bwa_unknown")
    await stranger.get("/accounts", 401)
    await stranger.delete(account, 401)
