"""The wall clock jumps by days, ahead and back: nothing expires, nobody is blacklisted, and retries keep their time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from structlog.testing import capture_logs

from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import SubscriptionStatus
from tests.e2e.faults.jumping_clock import JumpingClock
from tests.e2e.faults.load import Inbox
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import MESSAGES, message, published
from tests.e2e.test_blacklisting import until
from tests.e2e.test_retention import dropped, figure, pass_hours

MINUTE = 1 / 60


async def test_a_clock_that_is_set_days_ahead_and_back_loses_and_blames_nothing(tmp_path: Path) -> None:
    clock = JumpingClock()
    steady, down = Inbox(), Inbox()
    sent: list[str] = []

    async def publish(running: Running, count: int) -> None:
        uuids = [f"n-{len(sent) + n}" for n in range(count)]
        await published(running, *(message(7, uuid=uuid) for uuid in uuids))
        sent.extend(uuids)

    with capture_logs() as log:
        async with steady.receiver, running_server(tmp_path, clock=clock) as running:
            health = running.server.operations.health
            await running.subscribe(steady.receiver.url, MESSAGES)
            async with down.receiver:
                id_ = SubscriptionId((await running.subscribe(down.receiver.url, MESSAGES))["id"])
            await publish(running, 100)
            await until(lambda: health(id_).failures >= 2)
            await pass_hours(running, MINUTE)  # retention has seen the right time

            for jump in (timedelta(days=8), timedelta(days=-16)):  # longer than the lifetime of a subscription
                clock.off += jump
                await publish(running, 20)
                await pass_hours(running, MINUTE)
                now = health(id_)
                assert (now.status, now.lane.backlog_rows) == (SubscriptionStatus.ACTIVE, len(sent))
                assert now.failing_seconds is not None
                assert now.failing_seconds < 600
                shown = await running.http.get(f"/restapi/v1.0/subscription/{id_}", headers=await running.bearer())
                assert shown.status_code == 200, "its owner may renew it"
                assert await figure(running, "bellwire_retention_suspended") == 1

            async with down.receiver:
                running.clock.advance(timedelta(seconds=61))  # the longest pause, in running time
                await down.wait_for_all(sent)
                await steady.wait_for_all(sent)
            for what in ("events", "notifications", "attempt_hours"):
                assert await dropped(running, what) == 0

    for inbox in (steady, down):
        assert inbox.uuids == sent, "in the order of their one key, each once"
    suspended = [line for line in log if line["event"] == "retention.suspended"]
    assert len(suspended) == 2
    assert all("jumped" in line["reason"] for line in suspended)
    held = [line for line in log if line["event"] == "subscriptions.expiry_held"]
    assert len(held) == 2
