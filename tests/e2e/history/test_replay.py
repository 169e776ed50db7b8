"""Replays through the own API: one event, a range over a restart, present filters, waiting, cancelling."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.history.operator import MESSAGES, Operator, Remote, message, until
from tests.e2e.in_process import Running, running_server
from tests.e2e.processes import BellwireProcess

LONG_AGO = "2000-01-01T00:00:00Z"
OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_server(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


def opt_out(number: int) -> dict[str, Any]:
    body = {"from": "+16505550180", "to": f"+1201555{number:04}", "active": True}
    return {"event": OPT_OUTS, "uuid": f"o{number}", "body": body}


def replayed(receiver: WebhookReceiver) -> list[ReceivedRequest]:
    return [request for request in receiver.notifications if "bellwire-replay" in request.headers]


def uuids(requests: list[ReceivedRequest]) -> list[str]:
    return [request.json()["uuid"] for request in requests]


async def test_one_event_is_sent_again_with_its_own_uuid_and_a_header_that_says_so(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(message(running, 1), message(running, 2))
    first = await receiver.wait_for(2)

    replay = await operator.ask("POST", f"/subscriptions/{subscription}/replay", status=202, json={"event": "m1"})

    received = await receiver.wait_for(3)
    assert received[2].headers["bellwire-replay"] == replay["id"]
    assert received[2].json() == next(request.json() for request in first if request.json()["uuid"] == "m1")
    done = await operator.until(f"/replays/{replay['id']}", lambda replay: replay["state"] == "done")
    assert (done["delivered"], done["givenUp"], done["progress"], done["reason"]) == (1, 0, 1.0, "")
    attempts = await operator.records("/deliveries", replay=replay["id"])
    assert [(attempt["uuid"], attempt["outcome"]) for attempt in attempts] == [("m1", "delivered")]
    assert attempts[0]["replayId"] == replay["id"]
    [notification] = (await operator.get("/events/m1/notifications"))["records"]
    assert (notification["attempts"], notification["replaysDelivered"]) == (1, 1)
    await operator.ask("DELETE", f"/replays/{replay['id']}", status=409)


async def test_a_range_is_matched_with_the_filters_of_now_whatever_was_sent_before(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    before = [message(running, n, timestamp=f"2026-03-01T12:{n:02}:00Z") for n in range(20)]
    for event in before[::2]:
        event["body"]["direction"] = "Outbound"
    await running.publish(*before)
    subscription = (await running.subscribe(receiver.url, MESSAGES + "?direction=Outbound"))["id"]
    headers = await running.bearer()
    changed = await running.http.put(
        f"/restapi/v1.0/subscription/{subscription}",
        json={"eventFilters": [MESSAGES + "?direction=Inbound"]},
        headers=headers,
    )
    assert changed.is_success
    await operator.until("/events", lambda page: len(page["records"]) == 20)

    replay = await operator.ask(
        "POST",
        f"/subscriptions/{subscription}/replay",
        status=202,
        json={"from": "2026-03-01T12:05:00Z", "to": "2026-03-01T12:15:00Z"},
    )

    await operator.until(f"/replays/{replay['id']}", lambda replay: replay["state"] == "done")
    assert sorted(uuids(receiver.notifications)) == sorted(["m5", "m7", "m9", "m11", "m13"])
    assert [found["id"] for found in (await operator.get("/replays", subscription=subscription))["records"]] == [
        replay["id"]
    ]


async def test_a_replay_goes_on_after_a_restart_and_repeats_next_to_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    events = 80
    async with WebhookReceiver() as receiver:
        async with running_server(data) as running:
            operator = Operator(running)
            subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
            await running.publish(*(message(running, n) for n in range(events)))
            await receiver.wait_for(events)
            receiver.answer = lambda _: Reply(delay_seconds=0.02)
            replay = await operator.ask(
                "POST", f"/subscriptions/{subscription}/replay", status=202, json={"from": LONG_AGO}
            )
            await receiver.wait_for(events + 20)
        sent_before = len(replayed(receiver))
        assert sent_before < events, "the replay was over before the restart"
        async with running_server(data) as running:
            operator = Operator(running)
            path = f"/replays/{replay['id']}"
            done = await operator.until(path, lambda found: found["state"] == "done", timeout=20)
            attempts = await operator.records("/deliveries", replay=replay["id"])
    times = Counter(uuids(replayed(receiver)))
    assert set(times) == {f"m{n}" for n in range(events)}
    assert sum(times.values()) - events <= 4, "only what was under way may be sent twice"
    assert done["delivered"] == events
    assert {attempt["uuid"] for attempt in attempts if attempt["outcome"] == "delivered"} == set(times)


async def test_a_replay_goes_on_after_kill_9(tmp_path: Path) -> None:
    command = ("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path / "data"))
    events = 120
    async with WebhookReceiver() as receiver:
        with BellwireProcess(*command) as process:
            await asyncio.to_thread(process.url)
            async with Remote(tmp_path / "data") as remote:
                subscription = await remote.subscribe(receiver.url, OPT_OUTS)
                await remote.publish(*(opt_out(n) for n in range(events)))
                await receiver.wait_for(events)
                receiver.answer = lambda _: Reply(delay_seconds=0.02)
                replay = await remote.ask("POST", f"/subscriptions/{subscription}/replay", json={"from": LONG_AGO})
                await receiver.wait_for(events + 40)
        sent_before = len(replayed(receiver))
        assert sent_before < events
        with BellwireProcess(*command) as process:
            await asyncio.to_thread(process.url)
            async with Remote(tmp_path / "data") as remote:
                done = await until(
                    lambda: remote.ask("GET", f"/replays/{replay['id']}"), lambda found: found["state"] == "done", 20
                )
    times = Counter(uuids(replayed(receiver)))
    assert set(times) == {f"o{n}" for n in range(events)}
    assert sum(times.values()) - events < sent_before, "it began again from nothing"
    assert done["delivered"] == events


async def test_what_the_filters_do_not_want_any_more_is_left_out_of_the_rest(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(*(message(running, n) for n in range(60)))
    await receiver.wait_for(60)
    receiver.answer = lambda _: Reply(delay_seconds=0.05)
    path = f"/subscriptions/{subscription}/replay"
    replay = await operator.ask("POST", path, status=202, json={"from": LONG_AGO})
    await receiver.wait_for(64)

    changed = await running.http.put(
        f"/restapi/v1.0/subscription/{subscription}",
        json={"eventFilters": [MESSAGES + "?direction=Outbound"]},
        headers=await running.bearer(),
    )

    assert changed.is_success
    done = await operator.until(f"/replays/{replay['id']}", lambda replay: replay["state"] == "done")
    assert done["delivered"] == len(replayed(receiver)) < 60
    assert (done["givenUp"], done["progress"]) == (0, 1.0)


async def test_a_replay_waits_while_its_subscription_is_paused_and_can_be_cancelled(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(message(running, 1))
    await receiver.wait_for(1)
    await operator.ask("POST", f"/subscriptions/{subscription}/pause")
    path = f"/subscriptions/{subscription}/replay"
    waiting = await operator.ask("POST", path, status=202, json={"event": "m1"})
    cancelled = await operator.ask("POST", path, status=202, json={"event": "m1"})

    answer = await operator.ask("DELETE", f"/replays/{cancelled['id']}")

    assert (answer["state"], answer["reason"]) == ("cancelled", "An operator cancelled it.")
    assert (await operator.get(f"/replays/{waiting['id']}"))["state"] == "running"
    assert receiver.count == 1
    await operator.ask("POST", f"/subscriptions/{subscription}/resume")
    await operator.until(f"/replays/{waiting['id']}", lambda replay: replay["state"] == "done")
    assert [request.headers["bellwire-replay"] for request in replayed(receiver)] == [waiting["id"]]


async def test_a_replay_tries_again_while_the_endpoint_fails_and_ends_with_the_subscription(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await running.publish(message(running, 1), message(running, 2))
    await receiver.wait_for(2)
    receiver.answer = lambda _: Reply(status=500)
    path = f"/subscriptions/{subscription}/replay"
    replay = await operator.ask("POST", path, status=202, json={"from": LONG_AGO})
    failing = await operator.until(f"/replays/{replay['id']}", lambda replay: replay["failedAttempts"] >= 2)
    assert failing["state"] == "running"
    assert failing["reason"].startswith("The endpoint failed to take the notification (status 500")
    receiver.answer = lambda _: Reply()
    done = await operator.until(f"/replays/{replay['id']}", lambda replay: replay["state"] == "done")
    assert (done["delivered"], done["reason"]) == (2, "")

    receiver.answer = lambda _: Reply(status=500)
    doomed = await operator.ask("POST", path, status=202, json={"from": LONG_AGO})
    await running.http.delete(f"/restapi/v1.0/subscription/{subscription}", headers=await running.bearer())
    ended = await operator.until(f"/replays/{doomed['id']}", lambda replay: replay["state"] != "running")
    assert (ended["state"], ended["reason"]) == ("cancelled", "Its subscription ended.")


async def test_live_notifications_are_not_held_up_by_replays_to_black_holes(running: Running) -> None:
    operator = Operator(running)
    async with WebhookReceiver() as hole, WebhookReceiver() as well:
        await running.subscribe(well.url, MESSAGES)
        holes = [(await running.subscribe(hole.url, MESSAGES))["id"] for _ in range(6)]
        await running.publish(*(message(running, n) for n in range(20)))
        await hole.wait_for(120)
        hole.answer = lambda _: Reply(never=True)
        for subscription in holes:
            path = f"/subscriptions/{subscription}/replay"
            await operator.ask("POST", path, status=202, json={"from": LONG_AGO})
        await hole.wait_for(122)

        took = []
        for number in range(100, 250, 50):  # the quickest of three: what else the machine does can only add
            well.forget()
            begun = asyncio.get_running_loop().time()
            await running.publish(*(message(running, n) for n in range(number, number + 50)))
            await well.wait_for(50, timeout=30)
            took.append(asyncio.get_running_loop().time() - begun)
        assert min(took) < 2.0, f"attempts at the holes end after three seconds; {took} s"


async def test_a_replay_has_to_name_what_to_send(running: Running, receiver: WebhookReceiver) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    for body in (
        {},
        {"event": "m1", "from": LONG_AGO},
        {"event": "m1", "to": LONG_AGO},
        {"to": LONG_AGO},
        {"event": "a b"},
        {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T11:00:00Z"},
    ):
        error = await operator.ask("POST", f"/subscriptions/{subscription}/replay", status=400, json=body)
        assert error["errorCode"] == "CMN-101"


async def test_an_unknown_event_or_subscription_can_not_be_replayed(
    running: Running, receiver: WebhookReceiver
) -> None:
    operator = Operator(running)
    subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
    await operator.ask("POST", f"/subscriptions/{subscription}/replay", status=404, json={"event": "m1"})
    await operator.ask("POST", "/subscriptions/none/replay", status=404, json={"from": LONG_AGO})
    await operator.get("/replays/none", status=404)


@pytest.mark.parametrize("ended_by", ["cancelling", "the end of the subscription", "a stop of the server"])
async def test_an_attempt_that_is_cut_off_reached_the_endpoint_and_is_in_history(
    tmp_path: Path, receiver: WebhookReceiver, ended_by: str
) -> None:
    async with running_server(tmp_path / "data") as running:
        operator = Operator(running)
        subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
        await running.publish(message(running, 1))
        await receiver.wait_for(1)
        receiver.answer = lambda _: Reply(never=True)
        path = f"/subscriptions/{subscription}/replay"
        replay = (await operator.ask("POST", path, status=202, json={"event": "m1"}))["id"]
        await receiver.wait_for(2)
        if ended_by == "cancelling":
            await operator.ask("DELETE", f"/replays/{replay}")
        elif ended_by == "the end of the subscription":
            await running.http.delete(f"/restapi/v1.0/subscription/{subscription}", headers=await running.bearer())
            await operator.until(f"/replays/{replay}", lambda replay: replay["state"] == "cancelled")
        else:
            await operator.ask("POST", f"/subscriptions/{subscription}/pause")  # the next process sends nothing
        if ended_by != "a stop of the server":
            # The replay is over as soon as its attempt is; the attempt is written a moment later.
            listed = await operator.until("/deliveries", lambda page: page["records"], replay=replay)
            attempts = listed["records"]
    if ended_by == "a stop of the server":
        async with running_server(tmp_path / "data") as running:
            attempts = await Operator(running).records("/deliveries", replay=replay)
            assert (await Operator(running).get(f"/replays/{replay}"))["state"] == "running", "it is not done"
    [attempt] = attempts
    assert (attempt["uuid"], attempt["number"], attempt["outcome"]) == ("m1", 1, "failed")
    assert (attempt["failureCode"], attempt["nextTryAt"]) == ("cancelled", None)
    assert attempt["detail"].startswith("Bellwire ended the attempt before it had an outcome")


async def test_logs_and_metrics_tell_of_replays_and_test_events_what_history_does(tmp_path: Path) -> None:
    async with WebhookReceiver() as receiver:
        with capture_logs() as log:
            async with running_server(tmp_path) as running:
                operator = Operator(running)
                subscription = (await running.subscribe(receiver.url, MESSAGES))["id"]
                await running.publish(message(running, 1))
                await receiver.wait_for(1)
                answers = iter([Reply(status=500), Reply(status=500)])
                receiver.answer = lambda _: next(answers, Reply())
                path = f"/subscriptions/{subscription}"
                replay = (await operator.ask("POST", f"{path}/replay", status=202, json={"event": "m1"}))["id"]
                await operator.until(f"/replays/{replay}", lambda replay: replay["state"] == "done")
                await operator.ask("POST", f"{path}/test")
                metrics = (await running.http.get("/metrics")).text
                recorded = await operator.records("/deliveries", replay=replay)
    told = [line for line in log if line["event"] == "delivery.attempted" and line["replay_id"] == replay]
    assert [(line["attempt_number"], line["decision"]) for line in told] == [
        (1, "failed"),
        (2, "failed"),
        (3, "delivered"),
    ]
    assert [(line["number"], line["outcome"]) for line in reversed(recorded)] == [
        (line["attempt_number"], line["decision"]) for line in told
    ]
    assert [line["retry_at"] is None for line in told] == [False, False, True]
    figures = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line and not line.startswith("#"))
    assert not any("given_up" in name for name, value in figures.items() if float(value))
    assert float(figures["bellwire_end_to_end_seconds_count"]) == 1, "the replay and the test event are left out"


async def test_a_time_range_that_ends_before_it_begins_is_refused_and_says_which_end_is_wrong(running: Running) -> None:
    operator = Operator(running)
    for path in ("/events", "/deliveries"):
        backwards = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T12:00:00Z"}
        error = await operator.get(path, status=400, **backwards)
        assert error["errorCode"] == "CMN-101"
        assert "[to]" in error["message"]
