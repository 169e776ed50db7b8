"""Wire contract, 3.8, against the whole server: cases 57 and 58, and the rules that have no case."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bellwire.testing.receiver import ReceivedRequest
from tests.e2e.conformance.stage import Stage, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


def reminder(threshold: int, interval: int) -> str:
    return f"/restapi/v1.0/subscription/~?threshold={threshold}&interval={interval}"


def seconds_left(reminders: list[ReceivedRequest]) -> list[int]:
    return [each.json()["body"]["expiresIn"] for each in reminders]


@pytest.mark.parametrize(
    ("threshold", "interval", "lifetime", "fits"),
    [
        (60, 30, 120, True),
        (61, 30, 120, False),
        (60, 31, 120, False),
        (60, 30, 119, False),
        (302_400, 151_200, None, True),
        (302_401, 5, None, False),
        (10, 5, 20, True),
        (10, 4, 20, False),
        (4, 2, 20, False),
    ],
)
async def test_case_57_threshold_over_half_the_life_or_interval_over_half_the_threshold_is_sub_516(
    stage: Stage, threshold: int, interval: int, lifetime: int | None, fits: bool
) -> None:
    life: dict[str, Any] = {} if lifetime is None else {"expiresIn": lifetime}
    answer = await stage.create(PRESENCE, reminder(threshold, interval), **life)
    if fits:
        assert answer.json()["eventFilters"] == [f"{stage.own}/presence", reminder(threshold, interval)]
    else:
        assert_refused(answer, 400, "SUB-516", "eventFilters")
        assert stage.receiver.handshakes == []


async def test_an_update_is_judged_by_the_same_rule(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE, expiresIn=600)
    body = {"eventFilters": [reminder(400, 100)]}
    assert_refused(await stage.call("PUT", made["uri"], json={**body, "expiresIn": 600}), 400, "SUB-516")
    assert (await stage.call("GET", made["uri"])).json()["eventFilters"] == [f"{stage.own}/presence"]
    assert (await stage.call("PUT", made["uri"], json={**body, "expiresIn": 800})).status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        "/restapi/v1.0/subscription/~",
        "/restapi/v1.0/subscription/~?threshold=60",
        "/restapi/v1.0/subscription/~?threshold=sixty&interval=15",
        "/restapi/v1.0/subscription/5a0b8a3e-0000-4000-8000-00000000dead?threshold=60&interval=15",
    ],
)
async def test_a_reminder_filter_that_says_no_times_or_names_another_subscription_is_sub_508(
    stage: Stage, bad: str
) -> None:
    assert_refused(await stage.create(bad), 400, "SUB-508", "eventFilters")


async def test_case_58_reminders_keep_the_tilde_tell_what_is_left_and_repeat_until_renewed(stage: Stage) -> None:
    wanted = reminder(60, 15)
    made = await stage.subscribe(PRESENCE, wanted, expiresIn=600)
    stage.advance(seconds=535)
    await stage.publish(stage.presence(uuid="not-yet"))
    (first,) = await stage.receiver.wait_for(1)
    assert first.json()["uuid"] == "not-yet"
    stage.receiver.forget()

    stage.advance(seconds=6)
    (due,) = await stage.receiver.wait_for(1)
    notification = due.json()
    assert set(notification) == {"uuid", "event", "timestamp", "subscriptionId", "ownerId", "body"}
    assert notification["event"] == wanted
    assert notification["subscriptionId"] == made["id"]
    assert notification["ownerId"] == stage.running.demo.extension_id
    assert 50 <= notification["body"]["expiresIn"] <= 60

    for number in (2, 3, 4):
        stage.advance(seconds=15)
        await stage.receiver.wait_for(number)
    left = seconds_left(stage.receiver.notifications)
    assert [before - after for before, after in pairwise(left)] == pytest.approx([15] * 3, abs=2)
    assert len({each.json()["uuid"] for each in stage.receiver.notifications}) == 4

    renewed = (await stage.call("POST", made["uri"] + "/renew")).json()
    assert renewed["eventFilters"] == made["eventFilters"]
    stage.advance(seconds=15)
    await stage.publish(stage.presence(uuid="after-renewal"))
    assert (await stage.receiver.wait_for(5))[4].json()["uuid"] == "after-renewal"
    stage.advance(seconds=604_800 - 15 - 60)
    assert (await stage.receiver.wait_for(6))[5].json()["event"] == wanted


async def test_nothing_comes_between_two_reminders_nor_after_the_end(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, reminder(60, 30), expiresIn=120)
    stage.advance(seconds=60)
    await stage.receiver.wait_for(1)
    stage.advance(seconds=20)
    await stage.publish(stage.presence(uuid="between"))
    assert (await stage.receiver.wait_for(2))[1].json()["uuid"] == "between"
    stage.advance(seconds=40)
    await stage.until_there_are(0)
    await stage.settle()
    assert stage.receiver.count == 2


async def test_each_subscription_is_reminded_of_itself_alone(stage: Stage) -> None:
    short = await stage.subscribe(reminder(60, 30), expiresIn=120)
    long = await stage.subscribe(reminder(60, 30), expiresIn=240)
    colleagues = await stage.colleague.subscribe(reminder(60, 30), expiresIn=120)
    stage.advance(seconds=60)
    reminders = {each.json()["subscriptionId"]: each.json() for each in await stage.receiver.wait_for(2)}
    assert set(reminders) == {short["id"], colleagues["id"]}
    assert reminders[colleagues["id"]]["ownerId"] == stage.running.demo.other_extension_id
    stage.advance(seconds=120)
    (late,) = (await stage.receiver.wait_for(3))[2:]
    assert late.json()["subscriptionId"] == long["id"]


async def test_an_update_that_leaves_the_reminder_out_ends_it(stage: Stage) -> None:
    made = await stage.subscribe(reminder(60, 30), expiresIn=120)
    body = {"eventFilters": [PRESENCE], "expiresIn": 120}
    assert (await stage.call("PUT", made["uri"], json=body)).status_code == 200
    stage.advance(seconds=65)
    await stage.publish(stage.presence(uuid="no-reminder"))
    (only,) = await stage.receiver.wait_for(1)
    assert only.json()["uuid"] == "no-reminder"


async def test_nobody_else_can_publish_a_reminder(stage: Stage) -> None:
    made = await stage.subscribe(reminder(60, 30), expiresIn=120)
    answer = await stage.running.publish(
        {"event": f"/restapi/v1.0/subscription/{made['id']}", "body": {"expiresIn": 1}}
    )
    assert (answer["accepted"], answer["rejectedCount"]) == (0, 1)
