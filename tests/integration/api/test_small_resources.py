"""Account, extensions, numbers, discovery and versions, as SDKs and samples read them first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.stage import ACCOUNT, ALICE, ALICE_NUMBER, BOB, CARL, MAIN_NUMBER, QUEUE, STRANGER, Stage

BASE = "http://bellwire.test"
ACCOUNT_URI = f"{BASE}/restapi/v1.0/account/{ACCOUNT}"
EXTENSIONS = "/restapi/v1.0/account/~/extension"


async def read(stage: Stage, path: str, user: Any = ALICE) -> dict[str, Any]:
    answer = await stage.get(path, (await stage.login(user))["access_token"])
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_the_account_is_read_by_tilde_or_id(stage: Stage) -> None:
    expected = {
        "id": ACCOUNT,
        "uri": ACCOUNT_URI,
        "mainNumber": MAIN_NUMBER,
        "status": "Confirmed",
        "setupWizardState": "Completed",
    }
    assert await read(stage, "/restapi/v1.0/account/~") == expected
    assert await read(stage, f"/restapi/v1.0/account/{ACCOUNT}") == expected


async def test_an_extension_is_read_by_tilde_or_id(stage: Stage) -> None:
    alice = await read(stage, f"{EXTENSIONS}/~")
    assert alice == await read(stage, f"{EXTENSIONS}/{ALICE}")
    assert (alice["id"], alice["uri"]) == (int(ALICE), f"{ACCOUNT_URI}/extension/{ALICE}")
    assert (alice["extensionNumber"], alice["name"], alice["type"], alice["status"]) == (
        "101",
        "Alice A",
        "User",
        "Enabled",
    )
    assert alice["account"] == {"id": ACCOUNT, "uri": ACCOUNT_URI}
    assert alice["permissions"]["admin"]["enabled"] is True
    assert "email" not in alice["contact"]


async def test_other_extensions_are_seen_only_with_the_right_to(stage: Stage) -> None:
    bob = (await stage.login(BOB))["access_token"]
    assert (await stage.get(f"{EXTENSIONS}/~", bob)).status_code == 200
    for path, status, code in (
        (f"{EXTENSIONS}/{ALICE}", 403, "CMN-404"),
        (f"{EXTENSIONS}/{ALICE}/phone-number", 403, "CMN-404"),
        (EXTENSIONS, 403, "CMN-408"),
        (f"{EXTENSIONS}/{STRANGER}", 404, "CMN-102"),
        (f"{EXTENSIONS}/999", 404, "CMN-102"),
    ):
        answer = await stage.get(path, bob)
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [ALICE, BOB, CARL, QUEUE]),
        ("?status=Enabled", [ALICE, BOB, QUEUE]),
        ("?status=Enabled&status=Disabled&type=User", [ALICE, BOB, CARL]),
        ("?type=Department", [QUEUE]),
        ("?status=", [ALICE, BOB, CARL, QUEUE]),
        ("?extensionNumber=102", [BOB]),
        ("?email=bob@northwind.example", [BOB]),
        ("?type=Bot", []),
    ],
)
async def test_extensions_are_listed_by_number_and_filter(stage: Stage, query: str, expected: list[str]) -> None:
    body = await read(stage, EXTENSIONS + query)
    assert [record["id"] for record in body["records"]] == [int(e) for e in expected]
    assert body["paging"]["totalElements"] == len(expected)


async def test_lists_are_paged_with_links_that_keep_the_filter(stage: Stage) -> None:
    body = await read(stage, f"{EXTENSIONS}?perPage=2&page=1&type=User")
    assert [record["id"] for record in body["records"]] == [int(ALICE), int(BOB)]
    assert body["paging"] == {
        "page": 1,
        "perPage": 2,
        "pageStart": 0,
        "pageEnd": 1,
        "totalPages": 2,
        "totalElements": 3,
    }
    assert body["navigation"] == {
        "firstPage": {"uri": f"{ACCOUNT_URI}/extension?type=User&page=1&perPage=2"},
        "nextPage": {"uri": f"{ACCOUNT_URI}/extension?type=User&page=2&perPage=2"},
        "lastPage": {"uri": f"{ACCOUNT_URI}/extension?type=User&page=2&perPage=2"},
    }
    second = await read(stage, f"{EXTENSIONS}?perPage=2&page=2&type=User")
    assert [record["id"] for record in second["records"]] == [int(CARL)]
    assert "nextPage" not in second["navigation"]
    beyond = await read(stage, f"{EXTENSIONS}?perPage=2&page=9")
    assert (beyond["records"], "pageStart" in beyond["paging"]) == ([], False)
    assert (await read(stage, f"{EXTENSIONS}?perPage=5000"))["paging"]["perPage"] == 1000


async def test_numbers_of_an_extension_tell_what_they_can(stage: Stage) -> None:
    body = await read(stage, f"{EXTENSIONS}/~/phone-number")
    assert [(n["phoneNumber"], n["usageType"]) for n in body["records"]] == [
        (MAIN_NUMBER, "MainCompanyNumber"),
        (ALICE_NUMBER, "DirectNumber"),
    ]
    assert "A2PSmsSender" in body["records"][0]["features"]
    assert body["records"][1]["extension"]["id"] == int(ALICE)
    direct = await read(stage, f"{EXTENSIONS}/~/phone-number?usageType=DirectNumber")
    assert [n["id"] for n in direct["records"]] == [702]
    assert (await read(stage, f"{EXTENSIONS}/~/phone-number?status=Pending"))["records"] == []


async def test_versions_and_status_need_no_login(stage: Stage) -> None:
    versions = (await stage.client.get("/restapi")).json()
    assert versions["apiVersions"] == [(await stage.client.get("/restapi/v1.0")).json()]
    assert versions["apiVersions"][0]["uri"] == f"{BASE}/restapi/v1.0"
    status = await stage.client.get("/restapi/v1.0/status")
    assert (status.status_code, status.content) == (200, b"")


async def test_entry_points_are_absolute_and_ours(stage: Stage) -> None:
    initial = (await stage.client.get("/.well-known/entry-points/initial?clientId=x&brandId=1210")).json()
    external_uri = initial["discoveryApi"]["defaultExternalUri"]
    assert initial["authApi"]["defaultTokenUri"] == f"{BASE}/restapi/oauth/token"
    assert (await stage.client.get(external_uri)).status_code == 401
    answer = await stage.get(external_uri, (await stage.login())["access_token"])
    assert answer.headers["discovery-tag"]
    external = answer.json()
    assert external["rcv"]["baseApiUri"] == BASE
    assert external["authApi"]["tokenUri"] == f"{BASE}/restapi/oauth/token"
    openid = (await stage.client.get(initial["authApi"]["oidcDiscoveryUri"])).json()
    assert openid["token_endpoint"] == f"{BASE}/restapi/oauth/token"
    assert openid["code_challenge_methods_supported"] == ["plain", "S256"]
