"""Batches, messages and statuses over HTTP, from a real records database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchStatus, MessageStatus
from tests.conformance.sms_reading import a_batch as a_strangers_batch
from tests.conformance.sms_reading import a_message
from tests.integration.api.a2p_stage import A2P, OURS, THEIRS, A2pStage, a_batch, set_a2p_stage
from tests.integration.api.stage import ACCOUNT, LIMITED, SECRET, STRANGER

OTHER = "+12025550102"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[A2pStage]:
    async with set_a2p_stage(tmp_path_factory.mktemp("data")) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared: A2pStage) -> A2pStage:
    await shared.clear()
    return shared


def inbound(stage: A2pStage, *, minutes: int = 0, sender: str = THEIRS) -> Any:
    at = stage.stage.clock.now() + timedelta(minutes=minutes)
    return replace(
        a_message(to=sender), account_id=ACCOUNT, recipient=OURS, created_at=at, modified_at=at + timedelta(seconds=1)
    )


async def test_a_batch_is_read_as_it_is_listed_without_rejected_entries(stage: A2pStage) -> None:
    batch = a_batch(stage, "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10")
    await stage.shelf.put_batch(batch)
    read = await stage.get(f"{A2P}/batches/{batch.id}")
    assert read == {
        "id": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
        "from": OURS,
        "batchSize": 2,
        "processedCount": 1,
        "creationTime": "2026-11-23T09:00:00.000000Z",
        "lastModifiedTime": "2026-11-23T09:00:01.000000Z",
        "status": "Processing",
        "rejected": [],
    }
    assert (await stage.get(f"{A2P}/batches"))["records"] == [read]


async def test_a_completed_batch_has_its_cost(stage: A2pStage) -> None:
    batch = replace(a_batch(stage, "a"), status=BatchStatus.COMPLETED, processed=2, cost_micros=14_000)
    await stage.shelf.put_batch(batch)
    assert (await stage.get(f"{A2P}/batches/a"))["cost"] == 0.014


async def test_batches_are_found_by_sender_state_and_time(stage: A2pStage) -> None:
    await stage.shelf.put_batch(a_batch(stage, "old", minutes=-25 * 60))
    await stage.shelf.put_batch(a_batch(stage, "running", minutes=-2))
    await stage.shelf.put_batch(replace(a_batch(stage, "done", minutes=-1), status=BatchStatus.COMPLETED))
    path = f"{A2P}/batches"
    assert await stage.ids(path) == ["running", "done"]
    assert await stage.ids(path, dateFrom="2026-11-22") == ["old", "running", "done"]
    assert await stage.ids(path, dateTo="2026-11-23T08:00:00Z") == ["old"]
    assert await stage.ids(path, dateTo="2026-11-23T00:00:00-08:00") == ["old"]
    assert await stage.ids(path, status="Completed") == ["done"]
    assert await stage.ids(path, status=["Completed", "Processing", "Queued"]) == ["running", "done"]
    assert await stage.ids(path, status=["Sent", "Queued"]) == []
    assert await stage.ids(path, **{"from": OURS.removeprefix("+")}) == ["running", "done"]
    assert await stage.ids(path, **{"from": "+18005550100"}) == []
    assert await stage.ids(path, **{"from": ""}) == ["running", "done"]


async def test_a_message_has_no_text_in_a_list_unless_it_is_asked_for(stage: A2pStage) -> None:
    (number,) = await stage.shelf.put_messages(inbound(stage))
    (simple,) = (await stage.get(f"{A2P}/messages"))["records"]
    (detailed,) = (await stage.get(f"{A2P}/messages", view="Detailed"))["records"]
    assert simple == {
        "id": number,
        "from": THEIRS,
        "to": [OURS],
        "creationTime": "2026-11-23T09:00:00.000000Z",
        "lastModifiedTime": "2026-11-23T09:00:01.000000Z",
        "messageStatus": "Delivered",
        "segmentCount": 2,
        "cost": 0.014,
        "direction": "Inbound",
    }
    assert detailed == simple | {"text": "own text"}
    assert await stage.get(f"{A2P}/messages/{number}") == detailed


async def test_messages_are_found_by_batch_direction_numbers_and_time(stage: A2pStage) -> None:
    batch = a_batch(stage, "b", minutes=-25 * 60)
    await stage.shelf.put_batch(batch)
    sent, other = await stage.shelf.put_messages(a_message(batch), a_message(batch, to=OTHER))
    (came,) = await stage.shelf.put_messages(inbound(stage))
    path = f"{A2P}/messages"
    assert await stage.ids(path) == [came]  # the last 24 hours alone
    assert await stage.ids(path, batchId="b") == [sent, other]
    assert await stage.ids(path, batchId="nothing") == []
    assert await stage.ids(path, batchId="b", dateFrom="2026-11-23") == []
    assert await stage.ids(path, dateFrom="2026") == [sent, other, came]
    assert await stage.ids(path, dateFrom="2026-11-22", direction="Outbound") == [sent, other]
    assert await stage.ids(path, dateFrom="2026-11-22", direction=["Inbound", "Outbound"]) == [sent, other, came]
    assert await stage.ids(path, dateFrom="2026-11-22", phoneNumber=OTHER) == [other]
    assert await stage.ids(path, dateFrom="2026-11-22", phoneNumber=[OTHER, THEIRS]) == [sent, other, came]
    assert await stage.ids(f"{path}?dateFrom=2026-11-22T00:00:00 00:00&phoneNumber=+12025550102") == [other]


async def test_pages_visit_each_message_once_though_more_come_in_between(stage: A2pStage) -> None:
    stored = await stage.shelf.put_messages(*[inbound(stage, minutes=-5) for _ in range(7)])
    path, seen = f"{A2P}/messages", []
    page = await stage.get(path, perPage=3)
    while True:
        seen += [record["id"] for record in page["records"]]
        await stage.shelf.put_messages(inbound(stage, minutes=1))  # later than the window that the first page fixed
        if "nextPageToken" not in page["paging"]:
            break
        page = await stage.get(path, pageToken=page["paging"]["nextPageToken"])
        assert page["paging"]["perPage"] == 3
    assert seen == stored
    back = await stage.get(path, pageToken=page["paging"]["previousPageToken"])
    assert [record["id"] for record in back["records"]] == stored[3:6]
    first = await stage.get(path, pageToken=back["paging"]["firstPageToken"])
    assert [record["id"] for record in first["records"]] == stored[:3]
    assert "previousPageToken" not in first["paging"]
    again = await stage.get(path, pageToken=back["paging"]["pageToken"])
    assert again["records"] == back["records"]


async def test_a_page_is_of_a_thousand_by_default_and_at_most(stage: A2pStage) -> None:
    for query in ({}, {"perPage": 5000}, {"perPage": 10**15}):
        for path in (f"{A2P}/messages", f"{A2P}/batches"):
            assert (await stage.get(path, **query))["paging"]["perPage"] == 1000


async def test_statuses_count_all_five_with_error_codes_of_failures(stage: A2pStage) -> None:
    batch = a_batch(stage, "b")
    await stage.shelf.put_batch(batch)
    refused = replace(
        a_message(batch), status=MessageStatus.SENDING_FAILED, error_code="SMS-RC-413", cost_micros=None, segments=None
    )
    await stage.shelf.put_messages(
        a_message(batch), a_message(batch), refused, replace(refused, error_code="SMS-UP-430")
    )
    assert await stage.get(f"{A2P}/statuses", batchId="b") == {
        "queued": {"count": 0, "cost": 0},
        "sent": {"count": 0, "cost": 0},
        "delivered": {"count": 2, "cost": 0.028},
        "sendingFailed": {"count": 2, "cost": 0, "errorCodeCounts": {"SMS-RC-413": 1, "SMS-UP-430": 1}},
        "deliveryFailed": {"count": 0, "cost": 0, "errorCodeCounts": {}},
    }
    assert (await stage.get(f"{A2P}/statuses", direction="Inbound"))["delivered"]["count"] == 0
    assert (await stage.get(f"{A2P}/statuses", phoneNumber=OTHER))["delivered"]["count"] == 0


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("batches", {"status": "Lost"}, "status[0]"),
        ("batches", {"dateFrom": "yesterday"}, "dateFrom"),
        ("batches", {"dateFrom": "2026-02-30"}, "dateFrom"),
        ("batches", {"dateFrom": "2026-03-02", "dateTo": "2026-03-01"}, "dateFrom"),
        ("batches", {"from": "me"}, "from"),
        ("batches", {"perPage": 0}, "perPage"),
        ("batches", {"perPage": "many"}, "perPage"),
        ("batches", {"pageToken": "x"}, "pageToken"),
        ("messages", {"view": "Full"}, "view"),
        ("messages", {"direction": "Sideways"}, "direction[0]"),
        ("messages", {"phoneNumber": "+0"}, "phoneNumber"),
        ("messages", {"phoneNumber": [f"+120255501{n:02}" for n in range(16)]}, "phoneNumber"),
        ("messages", {"pageToken": ""}, "pageToken"),
        ("messages", {"dateTo": "1767225600"}, "dateTo"),
        ("statuses", {"phoneNumber": [f"+120255501{n:02}" for n in range(16)]}, "phoneNumber"),
        ("statuses", {"dateTo": "9999-12-31T23:59:59-05:00"}, "dateTo"),
    ],
)
async def test_a_parameter_that_is_not_understood_is_named(
    stage: A2pStage, path: str, query: dict[str, Any], parameter: str
) -> None:
    assert await stage.refused(f"{A2P}/{path}", **query) == (400, "CMN-101", parameter)


async def test_a_token_is_good_for_its_own_list_only(stage: A2pStage) -> None:
    await stage.shelf.put_messages(*[inbound(stage) for _ in range(3)])
    token = (await stage.get(f"{A2P}/messages", perPage=2, direction="Inbound"))["paging"]["nextPageToken"]
    assert await stage.refused(f"{A2P}/batches", pageToken=token) == (400, "CMN-101", "pageToken")
    other = await stage.refused(f"{A2P}/messages", pageToken=token, direction="Outbound")
    assert other == (400, "CMN-101", "pageToken")
    assert len(await stage.ids(f"{A2P}/messages", pageToken=token, direction="Inbound")) == 1


async def test_what_is_not_of_the_account_is_not_found(stage: A2pStage) -> None:
    foreign = a_strangers_batch("foreign", account=AccountId("500100"))
    await stage.shelf.put_batch(foreign)
    (number,) = await stage.shelf.put_messages(a_message(foreign))
    for path, parameter in (
        (f"{A2P}/batches/foreign", "batchId"),
        (f"{A2P}/messages/{number}", "messageId"),
        (f"{A2P}/messages/none", "messageId"),
        ("/restapi/v1.0/account/500100/a2p-sms/batches", "accountId"),
        ("/restapi/v1.0/account/500100/a2p-sms/statuses", "accountId"),
    ):
        assert await stage.refused(path) == (404, "CMN-102", parameter)
    stranger = (await stage.stage.login(STRANGER))["access_token"]
    seen = await stage.call("GET", f"{A2P}/messages", token=stranger, params={"batchId": "foreign"})
    assert [record["id"] for record in seen.json()["records"]] == [number]


@pytest.mark.parametrize("path", ["batches", "batches/x", "messages", "messages/1", "statuses"])
async def test_the_application_needs_the_permission_and_is_asked_before_anything_else(
    stage: A2pStage, path: str
) -> None:
    limited = (await stage.stage.login(auth=(LIMITED, SECRET)))["access_token"]
    for token, expected in ((limited, (403, "CMN-401")), ("nonsense", (401, "OAU-129"))):
        answer = await stage.call("GET", f"{A2P}/{path}", token=token, params={"dateFrom": "x", "phoneNumber": "y"})
        assert (answer.status_code, answer.json()["errorCode"]) == expected


async def test_reading_counts_as_light(stage: A2pStage) -> None:
    for path in (f"{A2P}/batches", f"{A2P}/messages", f"{A2P}/statuses"):
        answer = await stage.call("GET", path)
        assert answer.headers["x-rate-limit-group"] == "light"
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert "content-length" in answer.headers
