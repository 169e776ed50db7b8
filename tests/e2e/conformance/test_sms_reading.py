"""Reading High Volume SMS and keeping consents, as the contract says: cases 33, 87 to 90 and 93 to 96.

Texts are really sent, through the simulator; every answer is held against the published schemas.
"""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import pytest
from ringcentral import SDK

from tests.e2e.conformance.stage import Stage, assert_refused
from tests.e2e.conformance.test_sms_sending import A2P, messages_when_final, recipient, send, text_us

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONSENTS = "/restapi/v2/accounts/~/sms/consents"


async def get(stage: Stage, path: str, **query: Any) -> dict[str, Any]:
    answer = await stage.call("GET", path, params=query or None)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def all_pages(stage: Stage, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """The records of each page, following `nextPageToken` alone."""
    page = await get(stage, path, **query)
    pages = [page["records"]]
    while token := page["paging"].get("nextPageToken"):
        page = await get(stage, path, pageToken=token)
        pages.append(page["records"])
    return pages


async def test_case_33_a_raw_plus_of_the_python_sdk_is_a_plus(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    demo = stage.running.demo
    platform = SDK(demo.client_id, demo.client_secret, stage.running.url).platform()
    them = recipient("0201")
    batch = await send(stage, them, recipient("0202"))

    def ask() -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
        platform.login(jwt=demo.jwt)
        answer = platform.get(f"{A2P}/messages", {"phoneNumber": them})
        counts = platform.get(f"{A2P}/statuses", {"phoneNumber": [them, "+12025550199"]}).json_dict()
        return answer.request().url, answer.json_dict()["records"], counts

    url, records, counts = await asyncio.to_thread(ask)
    assert f"phoneNumber={them}" in url  # unescaped, which is what this case is about
    assert [(one["batchId"], one["to"]) for one in records] == [(batch["id"], [them])]
    assert sum(count["count"] for count in counts.values()) == 1


async def test_case_87_text_is_in_the_detailed_view_and_in_a_single_message(stage: Stage) -> None:
    batch = await send(stage, recipient("0203"), text="Hello €")
    simple, other, detailed = [
        (await get(stage, f"{A2P}/messages", batchId=batch["id"], **view))["records"]
        for view in ({}, {"view": "Simple"}, {"view": "Detailed"})
    ]
    assert all("text" not in record for record in (*simple, *other))
    assert [record["text"] for record in detailed] == ["Hello €"]
    assert (await get(stage, f"{A2P}/messages/{detailed[0]['id']}"))["text"] == "Hello €"


async def test_case_88_without_dates_a_list_is_of_the_last_24_hours_and_a_batch_is_whole(stage: Stage) -> None:
    old = await send(stage, recipient("0204"))
    await messages_when_final(stage, old["id"])
    stage.advance(hours=24, minutes=1)
    new = await send(stage, recipient("0205"))
    (message,) = await messages_when_final(stage, new["id"])

    async def listed(path: str, **query: Any) -> set[str]:
        return {one.get("batchId", one["id"]) for one in (await get(stage, f"{A2P}/{path}", **query))["records"]}

    for path in ("messages", "batches"):
        assert new["id"] in await listed(path)
        assert old["id"] not in await listed(path)
        assert {old["id"], new["id"]} <= await listed(path, dateFrom=old["creationTime"])
        assert new["id"] not in await listed(path, dateFrom=old["creationTime"], dateTo=old["creationTime"])
    assert await listed("messages", batchId=old["id"]) == {old["id"]}
    counted = await get(stage, f"{A2P}/statuses", batchId=old["id"])
    assert counted["delivered"]["count"] == 1
    number = message["to"][0]
    assert (await get(stage, f"{A2P}/statuses", phoneNumber=number))["delivered"] == {"count": 1, "cost": 0.007}


async def test_case_89_page_tokens_visit_each_record_once_and_the_last_page_has_none(stage: Stage) -> None:
    numbers = [recipient(f"02{n}") for n in range(10, 17)]
    batch = await send(stage, *numbers)
    pages = await all_pages(stage, f"{A2P}/messages", batchId=batch["id"], perPage=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [record["to"][0] for page in pages for record in page] == numbers

    in_one = await get(stage, f"{A2P}/messages", batchId=batch["id"])
    assert in_one["paging"].keys() == {"perPage", "pageToken", "firstPageToken"}
    assert in_one["paging"]["perPage"] == 1000

    for _ in range(3):
        await send(stage, recipient("0217"))
    batches = [record["id"] for page in await all_pages(stage, f"{A2P}/batches", perPage=2) for record in page]
    assert len(batches) == len(set(batches)) >= 4
    for path in ("messages", "batches", "opt-outs"):
        assert_refused(await stage.call("GET", f"{A2P}/{path}?pageToken=bad"), 400, "CMN-101", "pageToken")


async def test_case_90_statuses_are_five_keys_with_zeros_and_error_codes_of_failures(stage: Stage) -> None:
    batch = await send(stage, recipient("0220"), recipient("9430"), recipient("9430"), recipient("8411"))
    await messages_when_final(stage, batch["id"])
    assert await get(stage, f"{A2P}/statuses", batchId=batch["id"]) == {
        "queued": {"count": 0, "cost": 0},
        "sent": {"count": 0, "cost": 0},
        "delivered": {"count": 1, "cost": 0.007},
        "sendingFailed": {"count": 2, "cost": 0, "errorCodeCounts": {"SMS-UP-430": 2}},
        "deliveryFailed": {"count": 1, "cost": 0.007, "errorCodeCounts": {"SMS-CAR-411": 1}},
    }
    nothing = await get(stage, f"{A2P}/statuses", batchId="00000000-0000-0000-0000-000000000000")
    assert {name: count["count"] for name, count in nothing.items()} == dict.fromkeys(
        ("queued", "sent", "delivered", "sendingFailed", "deliveryFailed"), 0
    )


async def test_case_93_bulk_assign_needs_a_number_and_tells_what_became_of_each(stage: Stage) -> None:
    ours = stage.running.demo.a2p_number
    out, in_ = recipient("0230"), recipient("0231")

    async def assign(**lists: list[str]) -> Any:
        return await stage.call("POST", f"{A2P}/opt-outs/bulk-assign", json={"from": ours, **lists})

    nothing: list[dict[str, list[str]]] = [{}, {"optOuts": [], "optIns": []}]
    for empty in nothing:
        assert_refused(await assign(**empty), 400, "CMN-101", "optOuts")
    assert_refused(await assign(optOuts=[out], optIns=[out]), 400, "CMN-101", "optIns")
    answer = await assign(optOuts=[out, "12"], optIns=[in_])
    assert answer.status_code == 200
    assert answer.json()["optOuts"]["successful"] == [out]
    assert [one["to"] for one in answer.json()["optOuts"]["failed"]] == ["12"]
    assert answer.json()["optOuts"]["failed"][0]["errorMessage"]
    assert answer.json()["optIns"] == {"successful": [in_], "failed": []}

    (refused,) = await messages_when_final(stage, (await send(stage, out))["id"])
    assert (refused["messageStatus"], refused["errorCode"]) == ("SendingFailed", "SMS-RC-413")


async def test_a_bulk_assignment_is_told_to_those_who_want_opt_outs(stage: Stage) -> None:
    ours, them = stage.running.demo.a2p_number, recipient("0232")
    await stage.subscribe(f"{A2P}/opt-outs?from={ours}")
    for change in ({"optOuts": [them]}, {"optOuts": [them]}, {"optIns": [them]}):
        await stage.call("POST", f"{A2P}/opt-outs/bulk-assign", json={"from": ours, **change})
    told = [notification.json()["body"] for notification in await stage.receiver.wait_for(2, timeout=30)]
    assert told == [{"from": ours, "to": them, "active": True}, {"from": ours, "to": them, "active": False}]


async def test_case_94_opt_outs_are_a_table_for_those_who_accept_csv(stage: Stage) -> None:
    ours, them = stage.running.demo.a2p_number, recipient("0240")
    await text_us(stage, them, "STOP")
    answer = await stage.running.http.get(
        f"{A2P}/opt-outs", headers={**await stage.running.bearer(), "Accept": "text/csv"}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    columns, *rows = csv.reader(io.StringIO(answer.text))
    assert columns == ["from", "to", "status", "source"]
    assert [ours, them, "OptOut", "Recipient"] in rows
    listed = (await get(stage, f"{A2P}/opt-outs", to=them))["records"]
    assert listed == [{"from": ours, "to": them, "status": "OptOut", "source": "Recipient"}]


async def test_case_95_a_patch_with_one_bad_record_tells_it_back_and_sets_the_others(stage: Stage) -> None:
    ours, them = stage.running.demo.a2p_number, recipient("0250")
    good = {"from": ours, "to": them, "optStatus": "OptOut", "source": "Api"}
    bad = {"from": "+12025550199", "to": them, "optStatus": "OptOut", "source": "Api"}  # nobody's number
    answer = await stage.call("PATCH", CONSENTS, json={"records": [good, bad]})
    assert answer.status_code == 200
    assert answer.headers["etag"]
    (failed,) = answer.json()["failedRecords"]
    assert failed.pop("error")["errorCode"] == "CMN-101"
    assert failed == bad
    found = await stage.call("POST", f"{CONSENTS}/search", json={"to": [them]})
    assert found.headers["etag"]
    assert [(one["from"], one["optStatus"], one["source"]) for one in found.json()["records"]] == [
        (ours, "OptOut", "Api")
    ]
    fine = await stage.call("PATCH", CONSENTS, json={"records": [good | {"optStatus": "OptIn"}]})
    assert fine.json() == {}
    history = await stage.call("GET", f"{CONSENTS}/history", params={"to": them})
    assert [one["optStatus"] for one in history.json()["records"]] == ["OptOut", "OptIn"]
    assert {one["extensionId"] for one in history.json()["records"]} == {stage.running.demo.extension_id}


async def test_case_96_both_versions_and_the_keywords_show_one_store(stage: Stage) -> None:
    ours = stage.running.demo.a2p_number
    by_api, by_keyword = recipient("0260"), recipient("0261")
    await stage.call("POST", f"{A2P}/opt-outs/bulk-assign", json={"from": ours, "optOuts": [by_api]})
    await text_us(stage, by_keyword, "stop")
    found = await stage.call("POST", f"{CONSENTS}/search", json={"from": [ours], "to": [by_api, by_keyword]})
    assert [(one["to"], one["optStatus"], one["source"]) for one in found.json()["records"]] == sorted(
        [(by_api, "OptOut", "Api"), (by_keyword, "OptOut", "Recipient")]
    )
    listed = await get(stage, CONSENTS, to=[by_api, by_keyword])
    assert listed["records"] == found.json()["records"]
    await stage.call(
        "PATCH",
        CONSENTS,
        json={"records": [{"from": ours, "to": by_api, "optStatus": "OptIn", "source": "Upstream"}]},
    )
    older = (await get(stage, f"{A2P}/opt-outs", status="optin", to=by_api))["records"]
    assert [(one["status"], one["source"]) for one in older] == [("OptIn", "Upstream")]

    (keyword,) = (await get(stage, f"{CONSENTS}/history", to=by_keyword))["records"]
    assert (keyword["source"], "extensionId" in keyword) == ("Recipient", False)
    assert "STOP" in keyword["method"].upper()
    exported = await stage.call("GET", f"{CONSENTS}/export")
    rows = {row[0]: row for row in csv.reader(io.StringIO(exported.text))}
    assert rows[by_api][1:4] == [ours, "OptIn", "Upstream"]
    assert rows["External Party Number"][-1] == "Last Modified Time"


async def test_an_application_without_the_permission_is_refused(stage: Stage) -> None:
    for path in (f"{A2P}/batches", f"{A2P}/messages", f"{A2P}/statuses", f"{A2P}/opt-outs", CONSENTS):
        assert_refused(await stage.elsewhere.call("GET", path), 403, "CMN-401")
