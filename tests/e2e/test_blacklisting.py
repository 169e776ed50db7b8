"""Endpoints that fail for long, and those that heal (wire contract, 3.10; conformance cases 55 and 56)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bellwire.errors import Conflict
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import SubscriptionStatus
from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver, echo_token
from tests.e2e.in_process import Running, running_server

SESSION_FILTER = "/restapi/v1.0/account/~/a2p-sms/messages"


class Endpoint:
    """An address that can break and heal; what it took while it was well, by uuid, in order."""

    def __init__(self) -> None:
        self.reply = Reply()
        self.handshake: Callable[[ReceivedRequest], Reply] = echo_token
        self.taken: list[str] = []
        self.tried = 0

    def receiver(self) -> WebhookReceiver:
        return WebhookReceiver(answer=self._answer, handshake=self._shake_hands)

    def break_down(self, status: int = 404) -> None:
        self.reply = Reply(status=status)
        self.handshake = lambda _request: Reply(status=status)

    def heal(self) -> None:
        self.reply = Reply()
        self.handshake = echo_token

    def _shake_hands(self, request: ReceivedRequest) -> Reply:
        return self.handshake(request)

    def _answer(self, request: ReceivedRequest) -> Reply:
        self.tried += 1
        if self.reply.status == 200:
            self.taken.append(request.json()["uuid"])
        return self.reply


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - there is no event for what is looked at
            await asyncio.sleep(0.01)


async def status_of(running: Running, subscription: str) -> dict[str, Any]:
    answer = await running.http.get(f"/restapi/v1.0/subscription/{subscription}", headers=await running.bearer())
    found: dict[str, Any] = answer.json()
    return found


async def publish(running: Running, *uuids: str, apart: bool = False) -> None:
    """All of one ordering key, or each of its own."""
    topic = f"/restapi/v1.0/account/{running.demo.account_id}/a2p-sms/messages"
    body = {
        "from": "+14842910071",
        "to": ["+16505550100"],
        "direction": "Inbound",
        "messageStatus": "Delivered",
        "text": "hi",
    }
    answer = await running.publish(
        *({"event": topic, "body": {"id": uuid if apart else "1", **body}, "uuid": uuid} for uuid in uuids)
    )
    assert answer["accepted"] == len(uuids), answer


async def fail_until_blacklisted(running: Running, endpoint: Endpoint, subscription: str) -> None:
    """Two failures, and then time enough."""
    operations = running.server.operations
    endpoint.break_down()
    await publish(running, "n1", "n2", "n3")
    await until(lambda: operations.health(SubscriptionId(subscription)).failures >= 2)
    running.clock.advance(timedelta(seconds=600))
    await until(lambda: operations.health(SubscriptionId(subscription)).status is SubscriptionStatus.BLACKLISTED)


async def test_case_55_ten_minutes_of_failures_blacklist_with_time_and_reason_and_nothing_more_goes_out(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
        await fail_until_blacklisted(running, endpoint, id_)
        shown = await status_of(running, id_)
        assert shown["status"] == "Blacklisted"
        assert shown["blacklistedData"]["reason"] == "Webhook responses with code: [404], reason: [Not Found]"
        assert shown["blacklistedData"]["blacklistedAt"].endswith("Z")
        endpoint.heal()
        tried = endpoint.tried
        await publish(running, "n4")
        running.clock.advance(timedelta(seconds=60))
        await until(lambda: running.server.operations.health(SubscriptionId(id_)).lane.backlog_rows == 4)
        assert (endpoint.tried, endpoint.taken) == (tried, [])


async def test_case_56_a_healed_address_is_active_within_fifteen_minutes_and_gets_its_backlog_in_order(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
        await fail_until_blacklisted(running, endpoint, id_)
        await publish(running, "n4", "n5")
        endpoint.heal()
        running.clock.advance(timedelta(minutes=15))
        await until(lambda: len(endpoint.taken) == 5)
        assert endpoint.taken == ["n1", "n2", "n3", "n4", "n5"]
        shown = await status_of(running, id_)
        assert shown["status"] == "Active"
        assert "blacklistedData" not in shown
        await publish(running, "n6")
        await until(lambda: endpoint.taken[-1] == "n6")


async def test_a_probe_that_is_refused_leaves_it_blacklisted_and_one_on_demand_heals(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        operations = running.server.operations
        with pytest.raises(Conflict, match="not blacklisted"):
            await operations.probe(id_)
        await fail_until_blacklisted(running, endpoint, id_)
        refused = await operations.probe(id_)
        assert (refused.is_active, refused.code) == (False, "SUB-525")
        assert "404" in refused.reason
        endpoint.heal()
        assert (await operations.probe(id_)).is_active
        await until(lambda: endpoint.taken == ["n1", "n2", "n3"])


async def test_renewing_lifts_it_after_another_handshake_and_failing_counts_from_the_beginning(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
        await fail_until_blacklisted(running, endpoint, id_)
        operations = running.server.operations
        for _ in range(2):
            assert (await operations.test_event(SubscriptionId(id_))).failure is not None
        shown = operations.health(SubscriptionId(id_))
        assert (shown.failing_seconds, shown.blacklisted_in_seconds) == (None, None), "it is blacklisted already"
        assert shown.failed >= 4, "what was tried is counted all the same"
        running.clock.advance(timedelta(seconds=620))
        endpoint.handshake = echo_token  # notifications are refused as before
        renewed = await running.http.post(f"/restapi/v1.0/subscription/{id_}/renew", headers=await running.bearer())
        assert renewed.json()["status"] == "Active"
        health = running.server.operations.health
        await until(lambda: health(SubscriptionId(id_)).failures >= 2)
        left = health(SubscriptionId(id_)).blacklisted_in_seconds
        assert left is not None
        assert 590 < left <= 600
        assert health(SubscriptionId(id_)).next_probe_in_seconds is None
        assert (await status_of(running, id_))["status"] == "Active"


async def test_with_the_permanent_policy_no_probe_is_made(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        answer = await running.http.patch(
            f"/bellwire/v1/admin/applications/{running.demo.client_id}",
            json={"blacklistPolicy": "permanent"},
            headers={"Authorization": f"Bearer {running.demo.admin_key}"},
        )
        assert answer.json()["blacklistPolicy"] == "permanent", answer.text
        id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
        await fail_until_blacklisted(running, endpoint, id_)
        assert running.server.operations.health(SubscriptionId(id_)).next_probe_in_seconds is None
        handshakes = 0

        def count(request: ReceivedRequest) -> Reply:
            nonlocal handshakes
            handshakes += 1
            return echo_token(request)

        endpoint.heal()
        endpoint.handshake = count
        for _ in range(3):
            running.clock.advance(timedelta(minutes=15))
            await asyncio.sleep(0.05)
        assert handshakes == 0
        assert (await running.server.operations.probe(SubscriptionId(id_))).is_active


async def test_a_blacklisted_subscription_stays_so_over_a_restart_and_its_probes_go_on(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.receiver() as receiver:
        async with running_server(tmp_path) as running:
            id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
            await fail_until_blacklisted(running, endpoint, id_)
        endpoint.heal()
        endpoint.handshake = lambda _request: Reply(status=500)
        async with running_server(tmp_path) as running:
            health = running.server.operations.health(SubscriptionId(id_))
            assert (health.status, health.lane.is_held) == (SubscriptionStatus.BLACKLISTED, True)
            assert health.next_probe_in_seconds is not None
            await publish(running, "n4")
            await until(lambda: running.server.operations.health(SubscriptionId(id_)).lane.backlog_rows == 4)
            assert endpoint.taken == []
            endpoint.handshake = echo_token
            running.clock.advance(timedelta(minutes=15))
            await until(lambda: endpoint.taken == ["n1", "n2", "n3", "n4"])


async def test_the_operator_is_told_half_way_then_of_the_blacklisting_and_of_the_return(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with WebhookReceiver() as operator, endpoint.receiver() as receiver:
        environment = {"BELLWIRE_OPERATOR_WEBHOOK_URL": operator.url}
        async with running_server(tmp_path, environment=environment) as running:
            id_ = (await running.subscribe(receiver.url, SESSION_FILTER))["id"]
            operations = running.server.operations
            endpoint.break_down(500)
            await publish(running, "n1")
            await until(lambda: operations.health(SubscriptionId(id_)).failures >= 2)
            running.clock.advance(timedelta(seconds=300))
            await operator.wait_for(1)
            running.clock.advance(timedelta(seconds=310))
            await operator.wait_for(2)
            endpoint.heal()
            await operations.probe(SubscriptionId(id_))
            await operator.wait_for(3)
            told = [request.json() for request in operator.notifications]
            assert [alert["type"] for alert in told] == [
                "subscription.failing",
                "subscription.blacklisted",
                "subscription.reactivated",
            ]
            assert {alert["subscriptionId"] for alert in told} == {id_}
            assert {alert["address"] for alert in told} == {receiver.url}
            assert 250 <= told[0]["blacklistedInSeconds"] <= 300
            assert told[0]["lastFailure"]["code"] == "status_5xx"
            assert told[1]["reason"] == "Webhook responses with code: [500], reason: [Internal Server Error]"


async def test_a_success_in_time_means_that_nothing_was(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        endpoint.break_down()
        await publish(running, "n1")
        await until(lambda: running.server.operations.health(id_).failures >= 2)
        endpoint.heal()
        running.clock.advance(timedelta(seconds=900))  # the retry that is due goes first, and is taken
        await until(lambda: endpoint.taken == ["n1"])
        await until(lambda: running.server.operations.health(id_).failures == 0)  # the answer has been read, too
        running.clock.advance(timedelta(seconds=1))
        health = running.server.operations.health(id_)
        assert (health.status, health.failures, health.failing_seconds) == (SubscriptionStatus.ACTIVE, 0, None)


async def test_what_waits_in_memory_while_the_endpoint_asks_for_time_puts_nothing_off(tmp_path: Path) -> None:
    """A page of the backlog is loaded when the endpoint asks to be left alone: warned half-way, blacklisted in time."""
    endpoint = Endpoint()
    async with WebhookReceiver() as operator, endpoint.receiver() as receiver:
        environment = {"BELLWIRE_OPERATOR_WEBHOOK_URL": operator.url}
        async with running_server(tmp_path, environment=environment) as running:
            id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
            operations = running.server.operations
            endpoint.break_down(500)
            await publish(running, "n", apart=True)
            await until(lambda: operations.health(id_).failures)  # from here on it is asked one by one
            await operations.pause(id_)
            await publish(running, *(f"n{number}" for number in range(100)), apart=True)
            await until(lambda: operations.health(id_).lane.backlog_rows == 101)
            await until(lambda: not operations.health(id_).lane.in_flight)
            tried = endpoint.tried
            endpoint.reply = Reply(status=429, headers=(("Retry-After", "320"),))
            await operations.resume(id_)
            await until(lambda: operations.health(id_).failures == 1 and not operations.health(id_).lane.in_flight)
            assert operations.health(id_).lane.waiting > 0, "the case is that a page is in memory"

            running.clock.advance(timedelta(seconds=305))
            await operator.wait_for(1)
            assert endpoint.tried == tried + 1
            running.clock.advance(timedelta(seconds=50))
            await until(lambda: operations.health(id_).failures == 2 and not operations.health(id_).lane.in_flight)
            assert operations.health(id_).lane.waiting > 0
            running.clock.advance(timedelta(seconds=250))
            await operator.wait_for(2)
            assert endpoint.tried == tried + 2, "it was left alone as it had asked"
            types = [request.json()["type"] for request in operator.notifications]
            assert types == ["subscription.failing", "subscription.blacklisted"]
