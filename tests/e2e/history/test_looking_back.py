"""History through the own API: attempts with plain sentences, notifications of an event, paging, scopes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bellwire.model.attempt import FailureCode
from bellwire.testing.receiver import Reply, WebhookReceiver
from tests.e2e.history.operator import MESSAGES, Operator, message
from tests.e2e.in_process import Running, running_server


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_server(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def test_attempts_at_a_failing_endpoint_say_what_is_wrong_in_a_plain_sentence(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    receiver.answer = lambda _: Reply(status=503)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(message(running, 1))
    await receiver.wait_for(2)
    path = f"/subscriptions/{subscription}/attempts"

    page = await operator.until(path, lambda page: len(page["records"]) >= 2, failure="status_5xx", outcome="failed")

    second, first = page["records"][-2:]
    assert (first["number"], second["number"]) == (1, 2)
    assert first["status"] == 503
    assert first["detail"].startswith("The endpoint failed to take the notification (status 503")
    assert first["address"] == receiver.url
    assert first["uuid"] == "m1"
    assert first["nextTryAt"] > first["startedAt"]
    assert await operator.records(path, failure="dns") == []
    assert await operator.records(path, event="m1") == await operator.records(path)
    assert (await operator.get("/deliveries", failure="status_5xx", limit=1))["records"][0]["failureCode"]

    receiver.answer = lambda _: Reply()
    done = await operator.until(path, lambda page: page["records"][0]["outcome"] == "delivered")
    assert done["records"][0]["detail"] == ""
    health = await operator.get(f"/subscriptions/{subscription}/health")
    assert health["delivered"] == 1
    assert health["failed"] >= 2
    assert health["lastFailure"]["detail"].startswith("The endpoint failed to take the notification")
    assert 0 < health["successRate"] < 1


async def test_the_notifications_of_an_event_say_who_got_it_and_who_did_not(running: Running) -> None:
    operator = Operator(running)
    async with WebhookReceiver() as taking, WebhookReceiver() as failing, WebhookReceiver() as paused:
        taker = (await running.subscribe(taking.url, MESSAGES))["id"]
        failing.answer = lambda _: Reply(status=500)
        failed = (await running.subscribe(failing.url, MESSAGES))["id"]
        held = (await running.subscribe(paused.url, MESSAGES))["id"]
        other = (await running.subscribe(paused.url, MESSAGES + "?direction=Outbound"))["id"]
        await operator.ask("POST", f"/subscriptions/{held}/pause")
        await running.publish(message(running, 1))
        await failing.wait_for(1)

        page = await operator.until(
            "/events/m1/notifications",
            lambda page: {record["state"] for record in page["records"]} == {"delivered", "waiting"},
        )

        found = {record["subscriptionId"]: record for record in page["records"]}
        assert set(found) == {taker, failed, held}
        assert other not in found
        assert page["isComplete"]
        assert found[taker]["state"] == "delivered"
        assert found[taker]["lastAttempt"]["status"] == 200
        assert found[taker]["lastAttempt"]["id"] is not None
        assert found[failed]["state"] == "waiting"
        assert found[failed]["attempts"] >= 1
        assert found[failed]["lastAttempt"]["detail"].startswith("The endpoint failed")
        assert (found[held]["state"], found[held]["attempts"]) == ("waiting", 0)

        backlog = await operator.get(f"/subscriptions/{held}/backlog")
        assert (backlog["rows"], backlog["isExact"]) == (1, True)
        assert backlog["records"][0]["uuid"] == "m1"
        assert backlog["oldestTimestamp"] == backlog["records"][0]["timestamp"]

        one_by_one = [record async for [record] in operator.pages("/events/m1/notifications", 1)]
        assert sorted(record["subscriptionId"] for record in one_by_one) == sorted(found)

        headers = await running.bearer()
        await running.http.delete(f"/restapi/v1.0/subscription/{taker}", headers=headers)
        page = await operator.get("/events/m1/notifications")
        gone = next(record for record in page["records"] if record["subscriptionId"] == taker)
        assert (gone["subscriptionExists"], gone["state"]) == (False, "delivered")


async def test_an_event_is_found_by_position_and_by_uuid(running: Running) -> None:
    operator = Operator(running)
    unnamed = message(running, 2)
    del unnamed["uuid"]
    await running.publish(message(running, 1), unnamed, message(running, 3, uuid="2"))
    newest = await operator.records("/events")
    assert [event["position"] for event in newest] == [3, 2, 1]

    by_uuid = await operator.get("/events/m1")
    assert by_uuid["body"]["text"] == "hi"
    assert by_uuid["family"] == "a2p_message"
    assert await operator.get("/events/1") == by_uuid
    generated = newest[1]["uuid"]
    assert (await operator.get(f"/events/{generated}"))["position"] == 2
    assert (await operator.get("/events/2"))["position"] == 2
    assert [event["position"] for event in await operator.records("/events", uuid="2")] == [3]
    error = await operator.get("/events/unheard-of", status=404)
    assert error["errorCode"] == "CMN-102"


async def test_events_are_filtered_and_every_page_is_new(running: Running) -> None:
    operator = Operator(running)
    account = running.demo.account_id
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    opt_out = {
        "event": f"/restapi/v1.0/account/{account}/a2p-sms/opt-outs",
        "body": {"from": "+16505550180", "to": "+12015550111", "active": True},
    }
    events = [message(running, n, timestamp=(noon + timedelta(minutes=n)).isoformat()) for n in range(25)]
    await running.publish(*events, opt_out)

    messages = await operator.records("/events", limit=7, family="a2p_message")
    assert [event["uuid"] for event in messages] == [f"m{n}" for n in reversed(range(25))]
    assert len(await operator.records("/events", limit=3, family="a2p_opt_out")) == 1
    between: dict[str, Any] = {"from": (noon + timedelta(minutes=5)).isoformat(), "to": "2026-03-01T12:10:00Z"}
    found = await operator.records("/events", **between)
    assert [event["uuid"] for event in found] == ["m9", "m8", "m7", "m6", "m5"]
    assert len(await operator.records("/events", topic=opt_out["event"])) == 1
    assert await operator.records("/events", account="1") == []
    for query, parameter in (({"family": "nope"}, "family"), ({"topic": "/x"}, "topic"), ({"cursor": "eA"}, "cursor")):
        error = await operator.get("/events", status=400, **query)
        assert error["errors"][0]["parameterName"] == parameter


async def test_a_filter_that_does_not_exist_is_refused_with_what_was_meant(running: Running) -> None:
    operator = Operator(running)
    error = await operator.get("/events", status=400, familly="a2p_message", family="a2p_message", nonsense=1)
    assert [(one["errorCode"], one["parameterName"]) for one in error["errors"]] == [
        ("CMN-101", "familly"),
        ("CMN-101", "nonsense"),
    ]
    assert error["message"] == "Parameter [familly] is unknown; did you mean [family]?"
    assert "it is one of account, cursor, family, from, limit, " in error["errors"][1]["message"]
    nobody = Operator(running, key="nobody's")
    await nobody.get("/events", status=401, familly="a2p_message")
    one = await operator.get("/subscriptions/any/health", status=400, x=1)
    assert one["message"] == "Parameter [x] is unknown: this request takes none"


async def test_paging_visits_every_attempt_and_every_subscription_once(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    ids = [(await running.subscribe(receiver.url, MESSAGES))["id"] for _ in range(4)]
    await running.publish(*(message(running, n) for n in range(12)))
    await receiver.wait_for(48)
    await operator.until("/deliveries", lambda page: len(page["records"]) == 48, limit=1000)

    attempts = await operator.records("/deliveries", limit=7)
    assert len({attempt["id"] for attempt in attempts}) == 48
    assert [int(attempt["id"]) for attempt in attempts] == sorted((int(a["id"]) for a in attempts), reverse=True)
    of_one = await operator.records(f"/subscriptions/{ids[0]}/attempts", limit=5)
    assert sorted(attempt["uuid"] for attempt in of_one) == sorted(f"m{n}" for n in range(12))
    listed = await operator.records("/subscriptions", limit=3)
    assert [record["id"] for record in listed] == sorted(ids)


async def test_a_key_of_another_account_sees_nothing_of_it(running: Running, receiver: WebhookReceiver) -> None:
    everywhere = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(message(running, 1))
    await receiver.wait_for(1)
    account = await everywhere.ask("POST", "/admin/accounts", status=201, json={"companyName": "Elsewhere"})
    keys = [
        (await everywhere.ask("POST", "/admin/admin-keys", status=201, json={"label": "one", "accountId": of}))["key"]
        for of in (running.demo.account_id, account["id"])
    ]
    own, foreign = (Operator(running, key) for key in keys)
    await own.until("/deliveries", lambda page: len(page["records"]) == 1)

    assert [event["uuid"] for event in await own.records("/events")] == ["m1"]
    assert (await own.get(f"/subscriptions/{subscription}"))["id"] == subscription
    assert await foreign.records("/events") == []
    assert await foreign.records("/deliveries") == []
    assert await foreign.records("/subscriptions") == []
    for path in ("/events/m1", "/events/1", "/events/m1/notifications", f"/subscriptions/{subscription}"):
        await foreign.get(path, status=404)
    for part in ("attempts", "backlog", "health"):
        await foreign.get(f"/subscriptions/{subscription}/{part}", status=404)
    for verb in ("pause", "resume", "test", "probe"):
        await foreign.ask("POST", f"/subscriptions/{subscription}/{verb}", status=404)
    await foreign.ask("POST", f"/subscriptions/{subscription}/replay", status=404, json={"event": "m1"})
    await foreign.get("/deliveries", status=404, subscription=subscription)
    await foreign.get("/events", status=404, account=running.demo.account_id)
    assert (await running.http.get("/bellwire/v1/events")).status_code == 401


async def test_a_paused_subscription_gathers_and_goes_on_in_order_when_resumed(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    paused = await operator.ask("POST", f"/subscriptions/{subscription}/pause")
    assert paused["isPaused"]
    same_key = [message(running, n) for n in range(10)]
    for event in same_key:
        event["body"]["id"] = "one-conversation"
    await running.publish(*same_key)
    await operator.until(f"/subscriptions/{subscription}/backlog", lambda backlog: backlog["rows"] == 10)
    assert receiver.count == 0
    test = await operator.ask("POST", f"/subscriptions/{subscription}/test")
    assert (test["outcome"], test["status"]) == ("delivered", 200)
    assert receiver.notifications[0].headers["bellwire-test"] == "true"

    resumed = await operator.ask("POST", f"/subscriptions/{subscription}/resume")

    assert not resumed["isPaused"]
    received = await receiver.wait_for(11)
    assert [request.json()["uuid"] for request in received[1:]] == [f"m{n}" for n in range(10)]
    await operator.ask("POST", f"/subscriptions/{subscription}/probe", status=409)


async def test_every_failure_code_has_a_plain_sentence(running: Running) -> None:
    answer = (await running.http.get("/bellwire/v1/failure-codes")).json()
    assert {record["code"] for record in answer["records"]} == set(FailureCode)
    assert all(record["meaning"].endswith(".") for record in answer["records"])


async def test_queries_at_the_same_time_leave_deliveries_alone(running: Running, receiver: WebhookReceiver) -> None:
    operator = Operator(running)
    await running.subscribe(receiver.url, MESSAGES)
    looking = [asyncio.create_task(operator.records("/events", limit=2)) for _ in range(4)]
    await running.publish(*(message(running, n) for n in range(100)))
    await receiver.wait_for(100)
    await asyncio.gather(*looking)
    assert len(await operator.records("/events", limit=9)) == 100


async def test_a_stretch_that_ends_before_it_begins_is_refused_to_those_who_may_ask(running: Running) -> None:
    stretch = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    subscription = "5dd3ec1b-7506-4768-ab7f-be467356aa0c"
    with_key = {"Authorization": f"Bearer {running.demo.admin_key}"}
    for path in ("events", "deliveries", f"subscriptions/{subscription}/attempts"):
        stranger = await running.http.get(f"/bellwire/v1/{path}", params=stretch)
        operator = await running.http.get(f"/bellwire/v1/{path}", params=stretch, headers=with_key)

        assert stranger.status_code == 401, path
        assert (operator.status_code, operator.json()["errors"][0]["parameterName"]) == (400, "to"), path
