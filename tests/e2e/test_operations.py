"""What an operator does with a subscription: pause, resume, test, look at its health."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bellwire.errors import NotFound
from bellwire.model.attempt import AttemptOutcome, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import SubscriptionStatus
from bellwire.testing.receiver import Reply, WebhookReceiver
from tests.e2e.in_process import running_server
from tests.e2e.test_blacklisting import SESSION_FILTER, Endpoint, publish, status_of, until


async def test_a_paused_subscription_gathers_its_notifications_and_gets_them_in_order_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        operations = running.server.operations
        await publish(running, "n1")
        await until(lambda: endpoint.taken == ["n1"])
        assert (await operations.pause(id_)).paused
        await publish(running, "n2", "n3")
        await until(lambda: operations.health(id_).lane.backlog_rows == 2)
        assert (await status_of(running, id_))["status"] == "Active"
        running.clock.advance(timedelta(hours=1))
        health = operations.health(id_)
        assert (health.paused, health.status, health.failing_seconds) == (True, SubscriptionStatus.ACTIVE, None)
        assert endpoint.taken == ["n1"]
        assert not (await operations.resume(id_)).paused
        await until(lambda: endpoint.taken == ["n1", "n2", "n3"])
        await publish(running, "n4")
        await until(lambda: endpoint.taken[-1] == "n4")


async def test_a_pause_lasts_over_a_restart(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.receiver() as receiver:
        async with running_server(tmp_path) as running:
            id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
            await running.server.operations.pause(id_)
            await publish(running, "n1")
        async with running_server(tmp_path) as running:
            operations = running.server.operations
            await publish(running, "n2")
            await until(lambda: operations.health(id_).lane.backlog_rows == 2)
            assert (operations.health(id_).paused, endpoint.tried) == (True, 0)
            await operations.resume(id_)
            await until(lambda: endpoint.taken == ["n1", "n2"])


async def test_resuming_one_that_is_blacklisted_does_not_send_to_its_address(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        operations = running.server.operations
        endpoint.break_down()
        await publish(running, "n1")
        await until(lambda: operations.health(id_).failures >= 2)
        running.clock.advance(timedelta(seconds=600))
        await until(lambda: operations.health(id_).status is SubscriptionStatus.BLACKLISTED)
        tried = endpoint.tried
        await operations.pause(id_)
        await operations.resume(id_)
        health = operations.health(id_)
        assert (health.paused, health.lane.is_held) == (False, True)
        await operations.pause(id_)
        endpoint.heal()
        assert (await operations.probe(id_)).is_active
        assert (operations.health(id_).lane.is_held, endpoint.tried) == (True, tried)
        await operations.resume(id_)
        await until(lambda: endpoint.taken == ["n1"])


async def test_a_test_event_goes_out_at_once_even_while_paused_and_is_in_history(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER + "?direction=Inbound"))["id"])
        operations = running.server.operations
        await operations.pause(id_)
        attempt = await operations.test_event(id_)
        (request,) = await receiver.wait_for(1)
        sent = request.json()
        assert attempt.outcome is AttemptOutcome.DELIVERED
        assert request.headers["bellwire-test"] == "true"
        assert sent["uuid"] == attempt.uuid
        assert attempt.uuid.startswith("test-")
        assert sent["subscriptionId"] == id_
        assert sent["event"].endswith("?direction=Inbound")
        receiver.answer = lambda _request: Reply(status=503)
        failed = await operations.test_event(id_)
        assert (failed.outcome, failed.failure, failed.status) == (
            AttemptOutcome.GIVEN_UP,
            FailureCode.STATUS_5XX,
            503,
        )
        assert operations.health(id_).lane.backlog_rows == 0


async def test_health_counts_attempts_and_their_durations(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with running_server(tmp_path) as running, endpoint.receiver() as receiver:
        id_ = SubscriptionId((await running.subscribe(receiver.url, SESSION_FILTER))["id"])
        operations = running.server.operations
        before = operations.health(id_)
        assert (before.success_rate, before.p99_seconds, before.last_failure) == (None, None, None)
        await publish(running, "n1", "n2", "n3")
        await until(lambda: operations.health(id_).delivered == 3)
        endpoint.break_down(500)
        await publish(running, "n4")
        await until(lambda: operations.health(id_).failed >= 1)
        health = operations.health(id_)
        assert health.success_rate is not None
        assert 0.4 < health.success_rate <= 0.75
        assert health.p50_seconds is not None
        assert health.p99_seconds is not None
        assert 0 < health.p50_seconds <= health.p99_seconds < 3
        assert health.last_failure is not None
        assert health.last_failure.code is FailureCode.STATUS_5XX
        assert health.blacklisted_in_seconds is not None
        with pytest.raises(NotFound):
            operations.health(SubscriptionId("no such"))
