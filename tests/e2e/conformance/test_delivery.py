"""Wire contract, 3.7 and 3.9, against the whole server: cases 52 to 54, and the rules that have no case."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from bellwire import __version__
from bellwire.model.attempt import AttemptOutcome, FailureCode
from bellwire.testing.receiver import ACCEPTED, ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.conformance.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
MILLISECONDS_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UNAVAILABLE = Reply(status=503)
LONGEST_FIRST_PAUSE = 1.0
NUMBER = "+16505550180"


def uuids(requests: list[ReceivedRequest]) -> list[str]:
    return [request.json()["uuid"] for request in requests]


def failing(times: int, reply: Reply = UNAVAILABLE) -> Any:
    """An answer that is `reply` so many times, and then the right one."""
    left = [times]

    def answer(_request: ReceivedRequest) -> Reply:
        left[0] -= 1
        return reply if left[0] >= 0 else ACCEPTED

    return answer


@pytest.mark.parametrize("field", ["verificationToken", "validationToken"])
async def test_case_52_each_delivery_has_the_verification_token_and_none_a_validation_token(
    stage: Stage, field: str
) -> None:
    await stage.subscribe(PRESENCE, MESSAGES, mode={field: "t0ken.~1"})
    stage.receiver.answer = failing(1)
    await stage.publish(stage.presence(), stage.message(NUMBER))
    await stage.outcomes(2)
    stage.advance(seconds=LONGEST_FIRST_PAUSE)
    deliveries = await stage.receiver.wait_for(3)
    assert [delivery.headers["verification-token"] for delivery in deliveries] == ["t0ken.~1"] * 3
    assert not any("validation-token" in delivery.headers for delivery in deliveries)


async def test_the_verification_token_wins_over_its_other_name(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, mode={"validationToken": "other", "verificationToken": "t0ken"})
    await stage.publish(stage.presence())
    (delivery,) = await stage.receiver.wait_for(1)
    assert delivery.headers["verification-token"] == "t0ken"
    assert stage.receiver.handshakes[0].headers["verification-token"] == "t0ken"


async def test_without_a_verification_token_or_a_signing_secret_there_is_no_such_header(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    await stage.publish(stage.presence())
    (delivery,) = await stage.receiver.wait_for(1)
    assert {name for name in delivery.headers if name.endswith("-token") or name.startswith("webhook-")} == set()


async def test_a_delivery_is_a_post_of_json_with_our_user_agent(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, mode={"address": stage.receiver.url + "/in%20box?a=1&b=+"})
    await stage.publish(stage.presence())
    (delivery,) = await stage.receiver.wait_for(1)
    assert (delivery.method, delivery.target) == ("POST", "/webhook/in%20box?a=1&b=+")
    expected = {
        "accept": "application/json",
        "content-type": "application/json; charset=UTF-8",
        "content-length": str(len(delivery.body)),
        "user-agent": f"Bellwire-Webhook/{__version__}",
        "host": f"127.0.0.1:{stage.receiver.port}",
    }
    assert expected.items() <= delivery.headers.items()


@pytest.mark.parametrize(
    "query",
    [
        "?direction=Inbound&to=+16505550180",
        "?to=+16505550180&direction=Inbound",
        "?to=%2B16505550180",
        "?to=+16505550181&to=+16505550180",
        "",
    ],
)
async def test_case_53_the_envelope_has_six_fields_and_event_is_the_resolved_filter_verbatim(
    stage: Stage, query: str
) -> None:
    made = await stage.subscribe(MESSAGES + query)
    event = stage.message(NUMBER, uuid=str(uuid4()), timestamp="2026-03-02T10:10:02.5+01:00")
    await stage.publish(event)
    (delivery,) = await stage.receiver.wait_for(1)
    assert delivery.json() == {
        "uuid": event["uuid"],
        "event": f"{stage.account}/a2p-sms/messages{query}",
        "timestamp": "2026-03-02T09:10:02.500Z",
        "subscriptionId": made["id"],
        "ownerId": stage.running.demo.extension_id,
        "body": event["body"],
    }


async def test_what_a_producer_leaves_out_is_filled_in(stage: Stage) -> None:
    await stage.subscribe(MESSAGES)
    await stage.publish(stage.message(NUMBER))
    (delivery,) = await stage.receiver.wait_for(1)
    assert delivery.json()["uuid"]
    assert MILLISECONDS_UTC.fullmatch(delivery.json()["timestamp"])


async def test_a_raw_plus_and_an_escaped_one_are_the_same_number_and_another_number_is_not(stage: Stage) -> None:
    raw = await stage.subscribe(f"{MESSAGES}?to=+16505550180")
    escaped = await stage.subscribe(f"{MESSAGES}?to=%2B16505550180")
    await stage.subscribe(f"{MESSAGES}?to=+16505550181")
    await stage.subscribe(f"{MESSAGES}?from=+16505550180")
    await stage.publish(stage.message(NUMBER))
    await stage.settle()
    got = {delivery.json()["subscriptionId"] for delivery in stage.receiver.notifications}
    assert got == {raw["id"], escaped["id"]}


async def test_of_several_filters_on_a_topic_one_notification_comes_by_the_most_detailed(stage: Stage) -> None:
    detailed = f"{PRESENCE}?detailedTelephonyState=true"
    await stage.subscribe(PRESENCE, detailed, f"{detailed}&sipData=true")
    await stage.publish(stage.presence())
    await stage.settle()
    (delivery,) = stage.receiver.notifications
    assert delivery.json()["event"] == f"{stage.own}/presence?detailedTelephonyState=true&sipData=true"
    assert "sipData" in delivery.json()["body"]["activeCalls"][0]


async def test_an_event_on_two_topics_of_a_subscription_comes_on_each_under_a_uuid_of_its_own(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, "/restapi/v1.0/account/~/presence")
    await stage.publish(stage.presence(uuid="twice"))
    await stage.settle()
    first, second = sorted(stage.receiver.notifications, key=lambda delivery: len(delivery.json()["event"]))
    assert (first.json()["event"], second.json()["event"]) == (f"{stage.account}/presence", f"{stage.own}/presence")
    assert second.json()["uuid"] == "twice"
    assert first.json()["uuid"] != "twice"


async def test_a_subscription_gets_nothing_from_before_it_was_made_or_after_it_was_deleted(stage: Stage) -> None:
    await stage.publish(stage.presence(uuid="too-early"))
    made = await stage.subscribe(PRESENCE)
    await stage.publish(stage.presence(uuid="in-time"))
    await stage.outcomes(1)
    await stage.call("DELETE", made["uri"])
    await stage.publish(stage.presence(uuid="too-late"))
    await stage.settle()
    assert uuids(stage.receiver.notifications) == ["in-time"]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success_and_the_body_is_ignored(stage: Stage, status: int) -> None:
    await stage.subscribe(PRESENCE)
    body = b"" if status == 204 else b'{"error": "ignored"}' * 100
    stage.receiver.answer = lambda _: Reply(status=status, body=body)
    await stage.publish(stage.presence())
    (attempt,) = await stage.outcomes(1)
    assert (attempt.outcome, attempt.status) == (AttemptOutcome.DELIVERED, status)
    stage.advance(hours=1)
    await stage.publish(stage.presence(uuid=f"marker-{status}"))
    assert uuids(await stage.receiver.wait_for(2))[1] == f"marker-{status}"


@pytest.mark.parametrize("status", [302, 400, 404, 408, 410, 429, 500, 503])
async def test_case_54_a_failed_delivery_is_retried_with_the_same_uuid_and_body(stage: Stage, status: int) -> None:
    async with WebhookReceiver() as elsewhere:
        moved = Reply(status=status, headers=(("Location", elsewhere.url),))
        await stage.subscribe(PRESENCE)
        stage.receiver.answer = failing(3, moved)
        await stage.publish(stage.presence())
        for failed in (1, 2, 3):
            attempts = await stage.outcomes(failed)
            assert attempts[-1].outcome is AttemptOutcome.FAILED
            stage.advance(seconds=60)
        deliveries = await stage.receiver.wait_for(4)
        assert (await stage.outcomes(4))[-1].outcome is AttemptOutcome.DELIVERED
        assert len({delivery.body for delivery in deliveries}) == 1
        assert [attempt.number for attempt in stage.attempts] == [1, 2, 3, 4]
        assert elsewhere.count == 0


async def test_a_delivery_without_an_answer_in_three_seconds_is_retried_with_the_same_uuid(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    stage.receiver.answer = failing(1, Reply(never=True))
    await stage.publish(stage.presence(uuid="slow"))
    (attempt,) = await stage.outcomes(1)
    assert attempt.failure is FailureCode.RESPONSE_TIMEOUT
    assert 2_900_000 < attempt.duration_us < 3_500_000
    stage.advance(seconds=LONGEST_FIRST_PAUSE)
    assert uuids(await stage.receiver.wait_for(2)) == ["slow", "slow"]


async def test_a_connection_that_breaks_is_retried_with_the_same_uuid(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    stage.receiver.answer = failing(1, Reply(raw=b"", hangs_up=True))
    await stage.publish(stage.presence(uuid="broken"))
    (attempt,) = await stage.outcomes(1)
    assert attempt.failure is FailureCode.RESET
    stage.advance(seconds=LONGEST_FIRST_PAUSE)
    assert uuids(await stage.receiver.wait_for(2)) == ["broken", "broken"]


async def test_an_endpoint_that_was_away_gets_everything_in_order_when_it_is_back(stage: Stage) -> None:
    await stage.subscribe(MESSAGES)
    await stage.receiver.stop()
    numbered = [f"n{number}" for number in range(5)]
    for uuid in numbered:
        await stage.publish(stage.message(NUMBER, uuid=f"away-{uuid}"))
    await stage.settle()
    await stage.outcomes(1)
    await stage.receiver.start()
    stage.advance(minutes=15)
    assert uuids(await stage.receiver.wait_for(5)) == [f"away-{uuid}" for uuid in numbered]


async def test_retry_after_is_honoured(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    stage.receiver.answer = failing(1, Reply(status=503, headers=(("Retry-After", "600"),)))
    await stage.publish(stage.presence(uuid="later"))
    (attempt,) = await stage.outcomes(1)
    assert attempt.next_try_ms is not None
    assert 600_000 <= attempt.next_try_ms - attempt.started_ms < 665_000  # a tenth more, at random, spreads a herd
    stage.advance(seconds=590)
    await stage.publish(stage.presence(uuid="meanwhile"))
    await stage.settle()
    assert stage.receiver.count == 1
    stage.advance(seconds=75)
    assert uuids(await stage.receiver.wait_for(3)) == ["later", "later", "meanwhile"]


async def test_retry_after_is_at_most_fifteen_minutes(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    stage.receiver.answer = failing(1, Reply(status=429, headers=(("Retry-After", "86400"),)))
    await stage.publish(stage.presence())
    await stage.outcomes(1)
    stage.advance(minutes=15)
    await stage.receiver.wait_for(2)


async def test_within_a_key_order_holds_across_failures_and_other_keys_do_not_wait(stage: Stage) -> None:
    await stage.subscribe(MESSAGES)

    def answer(request: ReceivedRequest) -> Reply:
        tries = uuids(stage.receiver.notifications).count("a1")
        return UNAVAILABLE if request.json()["uuid"] == "a1" and tries <= 2 else ACCEPTED

    stage.receiver.answer = answer
    await stage.publish(
        *(stage.message(NUMBER, id_=str(ord(uuid[0])), uuid=uuid) for uuid in ("a1", "a2", "b1", "a3", "b2"))
    )
    await stage.receiver.wait_until(lambda: "b2" in uuids(stage.receiver.notifications))
    assert "a2" not in uuids(stage.receiver.notifications)
    while uuids(stage.receiver.notifications).count("a1") < 3:
        stage.advance(seconds=60)
        await stage.outcomes(len(stage.attempts) + 1)
    got = uuids(await stage.receiver.wait_for(7))
    assert [uuid for uuid in got if uuid[0] == "a"] == ["a1", "a1", "a1", "a2", "a3"]
    assert [uuid for uuid in got if uuid[0] == "b"] == ["b1", "b2"]


async def test_different_keys_are_under_way_at_the_same_time_and_one_key_is_not(stage: Stage) -> None:
    await stage.subscribe(MESSAGES)
    stage.receiver.answer = lambda _: Reply(delay_seconds=0.2)
    await stage.publish(
        *(stage.message(NUMBER, id_=key, uuid=f"parallel-{key}-{turn}") for turn in (1, 2) for key in "789")
    )
    got = await stage.receiver.wait_for(6)
    assert {uuid[-1] for uuid in uuids(got[:3])} == {"1"}
    assert got[2].received_at - got[0].received_at < 0.2
    assert got[3].received_at - got[0].received_at >= 0.2


async def test_a_failing_subscription_does_not_hold_another_one_back(stage: Stage) -> None:
    async with WebhookReceiver() as failing_receiver:
        failing_receiver.answer = lambda _: UNAVAILABLE
        await stage.subscribe(PRESENCE, mode={"address": failing_receiver.url})
        await stage.subscribe(PRESENCE)
        for number in range(10):
            await stage.publish(stage.presence(uuid=f"other-{number}"))
        assert uuids(await stage.receiver.wait_for(10)) == [f"other-{number}" for number in range(10)]
        await stage.clear()


async def test_what_is_refused_ten_times_is_given_up_and_the_next_of_its_key_comes(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    stage.receiver.answer = lambda request: Reply(status=422 if request.json()["uuid"] == "unwanted" else 200)
    await stage.publish(stage.presence(uuid="unwanted"), stage.presence(uuid="wanted"))
    for refused in range(1, 11):
        await stage.outcomes(refused)
        stage.advance(minutes=15)
    assert uuids(await stage.receiver.wait_for(11)) == ["unwanted"] * 10 + ["wanted"]
    attempts = await stage.outcomes(11)
    assert [attempt.outcome for attempt in attempts[8:]] == [
        AttemptOutcome.FAILED,
        AttemptOutcome.GIVEN_UP,
        AttemptOutcome.DELIVERED,
    ]
