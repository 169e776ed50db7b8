"""Opt-outs and consents over HTTP: two versions of one store."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from tests.conformance.consents_reading import a_consent
from tests.integration.api.a2p_stage import A2P, CONSENTS, OURS, A2pStage, set_a2p_stage
from tests.integration.api.stage import ACCOUNT, ALICE, ALICE_NUMBER, BOB, LIMITED, SECRET

X, Y, Z = "+12025550101", "+12025550102", "+12025550103"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[A2pStage]:
    async with set_a2p_stage(tmp_path_factory.mktemp("data")) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared: A2pStage) -> A2pStage:
    await shared.clear()
    return shared


def consent(recipient: str, status: ConsentStatus = ConsentStatus.OPT_OUT, *, sender: str = OURS) -> Any:
    return replace(a_consent(sender, recipient, status), account_id=ACCOUNT)


async def assign(stage: A2pStage, **body: Any) -> Any:
    answer = await stage.call("POST", f"{A2P}/opt-outs/bulk-assign", json={"from": OURS} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def patch(stage: A2pStage, *records: dict[str, Any], expected: int = 200) -> Any:
    answer = await stage.call("PATCH", CONSENTS, json={"records": list(records)})
    assert answer.status_code == expected, answer.text
    return answer.json()


def record(to: str, status: str = "OptOut", **more: Any) -> dict[str, Any]:
    return {"from": OURS, "to": to, "optStatus": status, "source": "Api"} | more


async def search(stage: A2pStage, **body: Any) -> list[dict[str, Any]]:
    answer = await stage.call("POST", f"{CONSENTS}/search", json=body)
    assert answer.status_code == 200, answer.text
    records: list[dict[str, Any]] = answer.json()["records"]
    return records


async def events(stage: A2pStage) -> list[dict[str, Any]]:
    """Bodies of the opt-out events that wait for the log."""
    waiting = await stage.outbox.first(100)
    assert all(one.event.topic == f"/restapi/v1.0/account/{ACCOUNT}/a2p-sms/opt-outs" for one in waiting)
    return [msgspec.json.decode(one.event.body) for one in waiting]


# The first version


async def test_opt_outs_are_listed_by_number_and_status(stage: A2pStage) -> None:
    await stage.consents.put(consent(X), consent(Y, ConsentStatus.OPT_IN), consent(Z, sender=ALICE_NUMBER))
    path = f"{A2P}/opt-outs"

    async def listed(**query: Any) -> list[tuple[str, str]]:
        return [(one["to"], one["status"]) for one in (await stage.get(path, **query))["records"]]

    assert await listed() == [(X, "OptOut"), (Z, "OptOut")]
    assert await listed(status="optin") == [(Y, "OptIn")]
    assert await listed(status="all") == [(X, "OptOut"), (Y, "OptIn"), (Z, "OptOut")]
    assert await listed(**{"from": "*"}) == [(X, "OptOut"), (Z, "OptOut")]
    assert await listed(**{"from": OURS}) == [(X, "OptOut")]
    assert await listed(to=Y, status="all") == [(Y, "OptIn")]
    assert (await stage.get(f"{path}?to={Z}&from={ALICE_NUMBER}"))["records"] == [
        {"from": ALICE_NUMBER, "to": Z, "status": "OptOut", "source": "Recipient"}
    ]


async def test_opt_outs_have_pages(stage: A2pStage) -> None:
    await stage.consents.put(*[consent(f"+120255501{n:02}") for n in range(5)])
    page = await stage.get(f"{A2P}/opt-outs", perPage=2, status="all")
    seen = list(page["records"])
    while "nextPageToken" in page["paging"]:
        page = await stage.get(f"{A2P}/opt-outs", pageToken=page["paging"]["nextPageToken"])
        seen += page["records"]
    assert [one["to"] for one in seen] == [f"+120255501{n:02}" for n in range(5)]
    assert (await stage.get(f"{A2P}/opt-outs"))["paging"]["perPage"] == 1000


async def test_all_opt_outs_are_a_table_where_csv_is_wanted(stage: A2pStage) -> None:
    many = [consent(f"+1202555{n:04}") for n in range(1001)]
    await stage.consents.put(*many, replace(consent(Y), recipient="+12035550199", source=ConsentSource.API))
    answer = await stage.call("GET", f"{A2P}/opt-outs", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    columns, *rows = csv.reader(io.StringIO(answer.text))
    assert columns == ["from", "to", "status", "source"]
    assert len(rows) == 1002
    assert rows[0] == [OURS, "+12025550000", "OptOut", "Recipient"]
    assert rows[-1] == [OURS, "+12035550199", "OptOut", "Account"]


async def test_numbers_are_assigned_in_bulk_and_bad_ones_told_back(stage: A2pStage) -> None:
    answer = await assign(stage, optOuts=[X, "12025550101", "nobody", X], optIns=[Y, ""])
    reason = "The number has to be in E.164 format, as +16505550100"
    assert answer == {
        "optOuts": {
            "successful": [X, X],
            "failed": [{"to": "12025550101", "errorMessage": reason}, {"to": "nobody", "errorMessage": reason}],
        },
        "optIns": {"successful": [Y], "failed": [{"to": "", "errorMessage": reason}]},
    }
    assert (await stage.get(f"{A2P}/opt-outs", status="all"))["records"] == [
        {"from": OURS, "to": X, "status": "OptOut", "source": "Account"},
        {"from": OURS, "to": Y, "status": "OptIn", "source": "Account"},
    ]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "optOuts"),
        ({"optOuts": [], "optIns": []}, "optOuts"),
        ({"optOuts": [X], "optIns": [Y, X]}, "optIns"),
        ({"from": "+18005550100", "optOuts": [X]}, "from"),
        ({"from": "me", "optOuts": [X]}, "from"),
        ({"from": None, "optOuts": [X]}, "from"),
        ({"optOuts": "all"}, "optOuts"),
        ({"optOuts": [1]}, "optOuts[0]"),
    ],
)
async def test_an_assignment_that_makes_no_sense_is_refused_whole(
    stage: A2pStage, body: dict[str, Any], parameter: str
) -> None:
    answer = await stage.call("POST", f"{A2P}/opt-outs/bulk-assign", json={"from": OURS} | body)
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["errorCode"], first["parameterName"]) == (400, "CMN-101", parameter)
    assert (await stage.get(f"{A2P}/opt-outs", status="all"))["records"] == []


async def test_what_can_not_be_told_back_is_refused_before_anything_is_assigned(stage: A2pStage) -> None:
    body = json.dumps({"from": OURS, "optOuts": [X, "\ud800"]})
    answer = await stage.call(
        "POST", f"{A2P}/opt-outs/bulk-assign", content=body, headers={"Content-Type": "application/json"}
    )
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["errorCode"], first["parameterName"]) == (400, "CMN-101", "optOuts[1]")
    assert (await stage.get(f"{A2P}/opt-outs", status="all"))["records"] == []


async def test_a_change_over_the_api_is_announced_if_it_changes_something(stage: A2pStage) -> None:
    await assign(stage, optOuts=[X], optIns=[Y])
    assert await events(stage) == [{"from": OURS, "to": X, "active": True}]
    await assign(stage, optOuts=[X])
    await patch(stage, record(X, "OptIn"))
    assert await events(stage) == [
        {"from": OURS, "to": X, "active": True},
        {"from": OURS, "to": X, "active": False},
    ]


# The second version


async def test_what_the_first_version_changed_the_second_one_shows_and_the_other_way_round(stage: A2pStage) -> None:
    await assign(stage, optOuts=[X])
    (found,) = await search(stage, to=[X])
    assert found == {
        "from": OURS,
        "to": X,
        "optStatus": "OptOut",
        "source": "Api",
        "coverage": "PhoneNumber",
        "lastModifiedTime": "2026-11-23T09:00:00.000000Z",
    }
    await patch(stage, record(X, "OptIn", source="Carrier"))
    assert (await stage.get(f"{A2P}/opt-outs", status="optin"))["records"] == [
        {"from": OURS, "to": X, "status": "OptIn", "source": "Carrier"}
    ]


async def test_consents_are_listed_and_searched(stage: A2pStage) -> None:
    await stage.consents.put(consent(X), consent(Y, ConsentStatus.OPT_IN), consent(Z, sender=ALICE_NUMBER))

    async def listed(**query: Any) -> list[str]:
        return [one["to"] for one in (await stage.get(CONSENTS, **query))["records"]]

    assert await listed() == [X, Z]
    assert await listed(optStatus=["OptIn", "OptOut"]) == [X, Y, Z]
    assert await listed(**{"from": [OURS, ALICE_NUMBER]}, to=[X, Z]) == [X, Z]
    assert await listed(coverage="Account") == []
    assert await listed(campaignType=["Promotional", "Informational"]) == [X, Z]
    assert [one["to"] for one in await search(stage)] == [X, Y, Z]
    assert [one["to"] for one in await search(stage, optStatus="OptIn")] == [Y]
    assert [one["to"] for one in await search(stage, **{"from": [ALICE_NUMBER]}, coverage=["PhoneNumber"])] == [Z]


async def test_a_search_without_a_body_is_of_all(stage: A2pStage) -> None:
    await stage.consents.put(consent(X))
    for content in (b"", b"null", b"{}"):
        answer = await stage.call(
            "POST", f"{CONSENTS}/search", content=content, headers={"Content-Type": "application/json"}
        )
        assert [one["to"] for one in answer.json()["records"]] == [X]


async def test_consents_have_pages_of_a_hundred(stage: A2pStage) -> None:
    await stage.consents.put(*[consent(f"+120255501{n:02}") for n in range(5)])
    assert (await stage.get(CONSENTS))["paging"]["perPage"] == 100
    assert (await stage.get(CONSENTS, perPage=5000))["paging"]["perPage"] == 1000
    first = (await stage.call("POST", f"{CONSENTS}/search", json={"perPage": 3, "optStatus": "OptOut"})).json()
    second = (
        await stage.call("POST", f"{CONSENTS}/search", json={"pageToken": first["paging"]["nextPageToken"]})
    ).json()
    assert [one["to"] for one in (*first["records"], *second["records"])] == [f"+120255501{n:02}" for n in range(5)]
    assert "nextPageToken" not in second["paging"]


async def test_a_token_keeps_as_many_numbers_as_a_list_may_have(stage: A2pStage) -> None:
    numbers = [f"+123456789012{n:03}" for n in range(50)]
    await stage.consents.put(*[consent(number) for number in numbers])
    asked = {"from": [OURS, *numbers[:49]], "to": numbers}
    page = await stage.get(CONSENTS, perPage=30, **asked)
    rest = await stage.get(CONSENTS, pageToken=page["paging"]["nextPageToken"], **asked)
    assert [one["to"] for one in (*page["records"], *rest["records"])] == numbers


async def test_a_patch_sets_what_it_can_and_tells_back_the_rest(stage: A2pStage) -> None:
    answer = await patch(
        stage,
        record(X),
        record("12025550102"),
        record(Z, **{"from": "+18005550100"}),
        record(Z, coverage="Account"),
        record(Y, "OptIn", source="Recipient"),
    )
    reasons = [(one["from"], one["to"], one["error"]["errorCode"], one["error"]["message"])
               for one in answer["failedRecords"]]  # fmt: skip
    assert reasons == [
        (OURS, "12025550102", "CMN-101", "The number has to be in E.164 format, as +16505550100"),
        ("+18005550100", Z, "CMN-101", "The number is not one of this account"),
        (OURS, Z, "CMN-101", "Only consents with the coverage PhoneNumber can be changed"),
    ]
    assert [(one["to"], one["optStatus"], one["source"]) for one in await search(stage)] == [
        (X, "OptOut", "Api"),
        (Y, "OptIn", "Recipient"),
    ]


async def test_a_patch_without_failures_says_nothing(stage: A2pStage) -> None:
    assert await patch(stage, record(X)) == {}


async def test_of_two_records_of_one_pair_the_later_holds(stage: A2pStage) -> None:
    await patch(stage, record(X), record(X, "OptIn"))
    assert [one["optStatus"] for one in await search(stage)] == ["OptIn"]


@pytest.mark.parametrize(
    ("records", "parameter"),
    [
        ([], "records"),
        ([record(X)] * 1001, "records"),
        ("all", "records"),
        ([record(X), "x"], "records[1]"),
        ([{"from": OURS, "to": X, "source": "Api"}], "records[0].optStatus"),
        ([record(X, "Perhaps")], "records[0].optStatus"),
        ([record(X, source="Rumour")], "records[0].source"),
        ([record(X) | {"to": 5}], "records[0].to"),
    ],
)
async def test_a_patch_of_another_form_is_refused_whole(stage: A2pStage, records: Any, parameter: str) -> None:
    answer = await stage.call("PATCH", CONSENTS, json={"records": records})
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["errorCode"], first["parameterName"]) == (400, "CMN-101", parameter)
    assert await search(stage) == []


async def test_history_says_who_when_and_how(stage: A2pStage) -> None:
    await assign(stage, optOuts=[X])
    stage.stage.clock.advance(60)
    stage.token = (await stage.stage.login(BOB))["access_token"]
    await patch(stage, record(X, "OptIn", source="Recipient"), record(Y))
    history = await stage.get(f"{CONSENTS}/history", to=X)
    assert history["records"] == [
        {
            "from": OURS,
            "to": X,
            "optStatus": "OptOut",
            "source": "Api",
            "createdAt": "2026-11-23T09:00:00.000000Z",
            "method": "opt-outs/bulk-assign",
            "extensionId": ALICE,
        },
        {
            "from": OURS,
            "to": X,
            "optStatus": "OptIn",
            "source": "Recipient",
            "createdAt": "2026-11-23T09:01:00.000000Z",
            "method": "consents v2",
            "extensionId": BOB,
        },
    ]
    page = await stage.get(f"{CONSENTS}/history", perPage=2)
    rest = await stage.get(f"{CONSENTS}/history", pageToken=page["paging"]["nextPageToken"])
    assert [one["to"] for one in (*page["records"], *rest["records"])] == [X, X, Y]


async def test_all_consents_are_exported_as_a_table(stage: A2pStage) -> None:
    await stage.consents.put(
        consent(X),
        replace(
            consent(Y, ConsentStatus.OPT_IN),
            coverage=ConsentCoverage.ACCOUNT,
            campaign_type="Promotional",
            notes='said "yes", twice',
        ),
    )
    answer = await stage.call("GET", f"{CONSENTS}/export")
    assert answer.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["External Party Number", "Internal Party Number", "Consent Status", "Source", "Coverage", "Campaign Type",
         "Notes", "Last Modified Time"],
        [X, OURS, "OptOut", "Recipient", "PhoneNumber", "", "said so by phone", "2026-11-23T09:30:15.123456Z"],
        [Y, OURS, "OptIn", "Recipient", "Company", "Promotional", 'said "yes", twice', "2026-11-23T09:30:15.123456Z"],
    ]  # fmt: skip


async def test_every_answer_has_a_tag_that_changes_with_what_it_says(stage: A2pStage) -> None:
    async def tags() -> dict[str, str]:
        answers = {path: await stage.call("GET", f"{CONSENTS}{path}") for path in ("", "/history", "/export")}
        answers["/search"] = await stage.call("POST", f"{CONSENTS}/search", json={})
        return {path: answer.headers["etag"] for path, answer in answers.items()}

    before = await tags()
    assert await tags() == before
    changed = await stage.call("PATCH", CONSENTS, json={"records": [record(X)]})
    assert changed.headers["etag"].startswith('"')
    after = await tags()
    assert all(before[path] != after[path] for path in before)


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("", {"to": "me"}, "to"),
        ("", {"to": [f"+1202555{n:04}" for n in range(51)]}, "to"),
        ("", {"optStatus": "Perhaps"}, "optStatus[0]"),
        ("", {"coverage": "World"}, "coverage[0]"),
        ("", {"perPage": 0}, "perPage"),
        ("", {"pageToken": "x"}, "pageToken"),
        ("/history", {"to": [f"+120255501{n:02}" for n in range(21)]}, "to"),
        ("/history", {"pageToken": "x"}, "pageToken"),
    ],
)
async def test_a_parameter_that_is_not_understood_is_named(
    stage: A2pStage, path: str, query: dict[str, Any], parameter: str
) -> None:
    assert await stage.refused(CONSENTS + path, **query) == (400, "CMN-101", parameter)


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"to": []}, "to"),
        ({"to": ["12025550101"]}, "to[0]"),
        ({"from": [f"+120255501{n:02}" for n in range(21)]}, "from"),
        ({"optStatus": ["OptOut"]}, "optStatus"),
        ({"perPage": 0}, "perPage"),
        ({"perPage": "5"}, "perPage"),
        ({"pageToken": "x"}, "pageToken"),
    ],
)
async def test_a_search_that_is_not_understood_is_refused(
    stage: A2pStage, body: dict[str, Any], parameter: str
) -> None:
    answer = await stage.call("POST", f"{CONSENTS}/search", json=body)
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["errorCode"], first["parameterName"]) == (400, "CMN-101", parameter)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CONSENTS),
        ("PATCH", CONSENTS),
        ("POST", f"{CONSENTS}/search"),
        ("GET", f"{CONSENTS}/history"),
        ("GET", f"{CONSENTS}/export"),
        ("GET", f"{A2P}/opt-outs"),
        ("POST", f"{A2P}/opt-outs/bulk-assign"),
    ],
)
async def test_the_application_needs_the_permission_and_the_account_is_the_caller_s(
    stage: A2pStage, method: str, path: str
) -> None:
    limited = (await stage.stage.login(auth=(LIMITED, SECRET)))["access_token"]
    bodies: dict[str, Any] = {
        CONSENTS: {"records": [record(X)]},
        f"{A2P}/opt-outs/bulk-assign": {"from": OURS, "optOuts": [X]},
    }
    body = bodies.get(path, {}) if method != "GET" else None
    answer = await stage.call(method, path, token=limited, json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "CMN-401")
    other = await stage.call(method, path.replace("~", "500100"), json=body)
    assert (other.status_code, other.json()["errorCode"]) == (404, "CMN-102")
    served = await stage.call(method, path, json=body)
    assert (served.status_code, served.headers["x-rate-limit-group"]) == (200, "light")
