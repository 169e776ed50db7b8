"""Deliveries: what starts when, what waits on disk, what is committed, and what a new process finds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from bellwire.delivery.lane import LaneLimits
from bellwire.delivery.schedule import RetryPolicy
from bellwire.errors import Fenced, Unavailable
from bellwire.model.attempt import AttemptOutcome, AttemptResult, FailureCode
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, Position, SubscriptionId
from tests.doubles.delivering import FAILED, QUICK, REFUSED, TAKEN, PlainDestination, ScriptedSender, Stage, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.stop()
    assert stage.failures == []


def always(result: AttemptResult) -> ScriptedSender:
    return ScriptedSender(lambda _: result)


class TestTheHappyWay:
    async def test_a_notification_is_sent_recorded_and_passed_by_the_watermark(self, stage: Stage) -> None:
        await stage.start("s")
        uuid = await stage.publish("s")
        assert stage.sender.uuids() == [uuid]
        assert stage.deliveries.committed_watermark == LOG_START

        stage.sender.answer(stage.sender.sent[0])
        await until(lambda: stage.deliveries.committed_watermark == 1)

        (attempt,) = await stage.engine.backlog.attempts_of(SubscriptionId("s"), 10)
        assert (attempt.uuid, attempt.number, attempt.outcome) == (uuid, 1, AttemptOutcome.DELIVERED)
        assert stage.rows == 0

    async def test_an_event_that_nobody_wants_is_passed_too(self, stage: Stage) -> None:
        await stage.start("s")
        await stage.publish()

        await until(lambda: stage.deliveries.committed_watermark == 1)

    async def test_of_one_key_one_is_under_way_and_of_others_as_many_as_may(self, stage: Stage) -> None:
        stage.limits = replace(QUICK, lane=LaneLimits(parallel=3))
        await stage.start("s")
        same = [await stage.publish("s", key="same") for _ in range(3)]
        others = [await stage.publish("s", key=f"other{n}") for n in range(3)]
        assert stage.sender.uuids() == [same[0], *others[:2]]

        while stage.sender.under_way():
            stage.sender.answer(stage.sender.under_way()[0])

        sent = stage.sender.uuids()
        assert [uuid for uuid in sent if uuid in same] == same
        assert stage.sender.most_under_way == 3
        assert sorted(sent) == sorted([*same, *others])

    async def test_subscriptions_do_not_wait_for_each_other(self, stage: Stage) -> None:
        await stage.start("hanging", "other")
        for _ in range(20):
            await stage.publish("hanging", "other")

        while stage.sender.under_way("other"):
            stage.sender.answer(stage.sender.under_way("other")[0])

        assert len(stage.sender.uuids("other")) == 20
        assert len(stage.sender.uuids("hanging")) == 1


class TestRestored:
    """Subscriptions that were there before the start: their lines are made when they are needed."""

    async def test_a_quiet_one_costs_nothing_and_gets_what_is_routed_to_it(self, stage: Stage) -> None:
        await stage.start()
        stage.deliveries.find_with(the_one_called("s"))
        assert stage.deliveries.figures()["lanes"] == 0
        assert not stage.deliveries.is_owed(SubscriptionId("s"))

        uuid = await stage.publish("s", "closed")
        assert stage.sender.uuids("s") == [uuid]
        assert stage.sender.uuids("closed") == []
        assert stage.deliveries.figures()["lanes"] == 1

    async def test_a_hold_finds_it(self, stage: Stage) -> None:
        await stage.start()
        stage.deliveries.find_with(the_one_called("s"))
        stage.deliveries.hold(SubscriptionId("s"))
        uuid = await stage.publish("s")
        assert stage.sender.uuids() == []

        stage.deliveries.release(SubscriptionId("s"))
        await until(lambda: stage.sender.uuids() == [uuid])

    async def test_one_that_is_held_by_its_record_gathers_what_comes(self, stage: Stage) -> None:
        await stage.start()
        stage.deliveries.find_with(the_one_called("s", is_held=True))
        await stage.publish("s")
        await until(lambda: stage.rows == 1)
        assert stage.sender.uuids() == []


def the_one_called(name: str, *, is_held: bool = False) -> Callable[[SubscriptionId], PlainDestination | None]:
    def find(subscription: SubscriptionId) -> PlainDestination | None:
        return PlainDestination(subscription, "example.com", is_held) if subscription == name else None

    return find


class TestFailures:
    async def test_a_failed_one_goes_to_the_backlog_and_out_again_with_the_same_uuid(self, stage: Stage) -> None:
        await stage.start("s")
        uuid = await stage.publish("s")

        stage.sender.answer(stage.sender.sent[0], FAILED)
        await until(lambda: stage.deliveries.committed_watermark == 1)
        assert stage.rows == 1
        await until(lambda: len(stage.sender.sent) == 2)
        stage.sender.answer(stage.sender.sent[1])
        await until(lambda: stage.rows == 0)

        assert stage.sender.uuids() == [uuid, uuid]
        assert [attempt.number for attempt in stage.attempts] == [1, 2]
        assert stage.attempts[0].next_try_ms is not None

    async def test_what_comes_meanwhile_waits_its_turn_in_key_order(self, stage: Stage) -> None:
        failing = True
        stage.sender.script = lambda _: FAILED if failing else TAKEN
        await stage.start("s")
        uuids = [await stage.publish("s", key="k") for _ in range(300)]
        await until(lambda: len(stage.attempts) >= 3)

        failing = False
        await until(lambda: stage.rows == 0 and not stage.deliveries.is_owed(SubscriptionId("s")))

        delivered = [attempt.uuid for attempt in stage.attempts if attempt.outcome is AttemptOutcome.DELIVERED]
        assert delivered == uuids

    async def test_a_failing_subscription_has_one_attempt_under_way(self, stage: Stage) -> None:
        stage.sender = always(FAILED)
        await stage.start("s")
        for number in range(100):
            await stage.publish("s", key=f"k{number}")
        await until(lambda: len(stage.attempts) >= 30)

        stage.sender.sent.clear()
        stage.sender.most_under_way = 0
        await until(lambda: len(stage.sender.sent) >= 5)
        assert stage.sender.most_under_way == 1

    async def test_those_that_fail_together_are_one_failure_in_a_row_and_pause_as_long(self, stage: Stage) -> None:
        stage.policy = RetryPolicy(first_pause=0.05, doubling_until=600.0)
        await stage.start("s")
        for number in range(16):
            await stage.publish("s", key=f"key{number}")
        together = stage.sender.under_way()
        assert len(together) == 16
        for sent in together:
            stage.sender.answer(sent, FAILED)
        assert [attempt.next_try_ms is not None for attempt in stage.attempts] == [True] * 16
        now_ms = time.time_ns() // 1_000_000
        assert all((attempt.next_try_ms or 0) <= now_ms + 50 for attempt in stage.attempts)

        for failures in (2, 3):  # one after the other from here on, and each counts
            await until(lambda: bool(stage.sender.under_way()))
            (probe,) = stage.sender.under_way()
            stage.sender.answer(probe, FAILED)
            now_ms = time.time_ns() // 1_000_000
            assert (stage.attempts[-1].next_try_ms or 0) <= now_ms + 50 * 2 ** (failures - 1)
        await until(lambda: bool(stage.sender.under_way()))
        stage.sender.script = lambda _sent: TAKEN
        stage.sender.answer(stage.sender.under_way()[0])
        await until(lambda: stage.rows == 0)

    async def test_refused_ten_times_it_is_given_up_and_its_key_goes_on(self, stage: Stage) -> None:
        stage.sender.script = lambda sent: REFUSED if sent.uuid == "unwanted" else TAKEN
        await stage.start("s")
        await stage.publish("s", uuid="unwanted")
        uuid = await stage.publish("s")
        await until(lambda: stage.rows == 0 and not stage.deliveries.is_owed(SubscriptionId("s")))

        assert stage.sender.uuids() == ["unwanted"] * 10 + [uuid]
        outcomes = [attempt.outcome for attempt in stage.attempts if attempt.uuid == "unwanted"]
        assert outcomes == [AttemptOutcome.FAILED] * 9 + [AttemptOutcome.GIVEN_UP]

    async def test_one_that_hangs_does_not_hold_the_watermark_back_for_long(self, stage: Stage) -> None:
        await stage.start("s")
        await stage.publish("s")
        await stage.publish("s", key="other")

        await until(lambda: stage.deliveries.committed_watermark == 2)

        assert stage.rows == 2
        assert len(stage.sender.sent) == 2, "what is under way goes on, and is not sent again"
        for sent in stage.sender.under_way():
            stage.sender.answer(sent)
        await until(lambda: stage.rows == 0)
        assert len(stage.sender.sent) == 2

    async def test_an_event_that_is_kept_nowhere_is_recorded_as_given_up(self, stage: Stage) -> None:
        stage.sender = always(FAILED)
        await stage.start("s")
        await stage.publish("s")
        await until(lambda: len(stage.attempts) >= 1)
        await stage.engine.event_log.trim(EMBEDDED_PARTITION, Position(10), 10)
        await until(lambda: stage.attempts[-1].outcome is AttemptOutcome.GIVEN_UP)
        await until(lambda: stage.rows == 0)

        assert stage.attempts[-1].failure is FailureCode.CANCELLED
        assert "no longer kept" in stage.attempts[-1].detail


class TestOverflow:
    async def test_more_than_may_wait_in_memory_waits_on_disk_and_goes_out_in_order(self, stage: Stage) -> None:
        await stage.start("s")
        uuids = [await stage.publish("s", key="k") for _ in range(400)]
        await until(lambda: stage.rows == 400)
        line = stage.deliveries._lines[SubscriptionId("s")]
        assert line.lane.waiting <= QUICK.lane.page

        stage.sender.script = lambda _: TAKEN
        stage.sender.answer(stage.sender.sent[0])
        await until(lambda: stage.rows == 0)

        assert stage.sender.uuids() == uuids

    async def test_bodies_in_memory_are_bounded_over_all_subscriptions(self, stage: Stage) -> None:
        stage.limits = replace(QUICK, memory_bytes=200, settle_within=1000.0)
        subscriptions = [f"s{number}" for number in range(10)]
        await stage.start(*subscriptions)
        for _ in range(11):
            await stage.publish(*subscriptions, key="twelve bytes")

        await until(lambda: stage.rows >= 100)  # nothing else than the memory that they take makes them spill

        held = [line.lane.waiting_bytes for line in stage.deliveries._lines.values() if not line.lane.backlog_rows]
        assert sum(held) <= 200

    async def test_the_router_waits_a_moment_for_a_subscription_that_keeps_up(self, stage: Stage) -> None:
        await stage.start("s")
        for number in range(16 + 40):
            await stage.publish("s", key=f"k{number}")
        waiting = asyncio.create_task(stage.deliveries.room())
        await asyncio.sleep(0)
        assert not waiting.done()

        while stage.sender.under_way():
            stage.sender.answer(stage.sender.under_way()[0])

        await asyncio.wait_for(waiting, 10)
        assert stage.rows == 0

    async def test_and_no_longer_for_one_that_does_not(self, stage: Stage) -> None:
        await stage.start("s")
        for number in range(16 + 40):
            await stage.publish("s", key=f"k{number}")

        async with asyncio.timeout(10):
            await stage.deliveries.room()
        await stage.publish("s", key="more")

        with pytest.raises(StopIteration):  # it comes back without having waited for anything
            stage.deliveries.room().send(None)


class TestPlaces:
    async def test_one_host_has_so_many_attempts_under_way_and_its_subscriptions_take_turns(self, stage: Stage) -> None:
        stage.limits = replace(QUICK, in_flight_per_origin=4, settle_within=1000.0)
        await stage.start("a", "b", "c", host="one.example.com")
        stage.open("elsewhere")
        for number in range(5):
            await stage.publish("a", "b", "c", "elsewhere", key=f"k{number}")

        assert len(stage.sender.under_way("elsewhere")) == 4
        here = [sent for sent in stage.sender.under_way() if sent.to != "elsewhere"]
        assert len(here) == 4
        for _ in range(15):
            for sent in stage.sender.under_way():
                stage.sender.answer(sent)
        assert [len(stage.sender.uuids(each)) for each in ("a", "b", "c")] == [5, 5, 5]

    async def test_all_hosts_together_have_so_many(self, stage: Stage) -> None:
        stage.limits = replace(QUICK, in_flight=5)
        await stage.start("a", "b", "c")
        for number in range(4):
            await stage.publish("a", "b", "c", key=f"k{number}")
        assert len(stage.sender.under_way()) == 5

        for _ in range(12):
            for sent in stage.sender.under_way():
                stage.sender.answer(sent)

        assert stage.sender.most_under_way == 5
        assert len(stage.sender.sent) == 12

    async def test_drains_use_at_most_half_so_that_first_attempts_find_a_place(self, stage: Stage) -> None:
        stage.limits = replace(QUICK, in_flight=4)
        drained = [f"d{number}" for number in range(6)]
        stage.sender.script = lambda sent: FAILED if len(stage.attempts) < 12 else None
        await stage.start(*drained, "fresh")
        for number in range(2):
            await stage.publish(*drained, key=f"k{number}")
        await until(lambda: len(stage.sender.under_way()) == 2)
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert len(stage.sender.under_way()) == 2

        await stage.publish("fresh")

        assert len(stage.sender.under_way("fresh")) == 1


class TestHoldAndClose:
    async def test_a_held_subscription_sends_nothing_until_it_is_released(self, stage: Stage) -> None:
        await stage.start()
        stage.open("s", held=True)
        uuid = await stage.publish("s")
        assert stage.sender.sent == []

        stage.deliveries.release(SubscriptionId("s"))

        await until(lambda: stage.sender.uuids() == [uuid])

    async def test_hold_lets_what_is_under_way_end_and_the_rest_gather_on_disk(self, stage: Stage) -> None:
        await stage.start("s")
        first, second = await stage.publish("s"), await stage.publish("s")

        stage.deliveries.hold(SubscriptionId("s"))
        stage.sender.answer(stage.sender.sent[0])
        third = await stage.publish("s")
        await until(lambda: stage.deliveries.committed_watermark == 3)

        assert stage.sender.uuids() == [first]
        stage.sender.script = lambda _: TAKEN
        stage.deliveries.release(SubscriptionId("s"))
        await until(lambda: stage.rows == 0)
        assert stage.sender.uuids() == [first, second, third]

    async def test_closing_abandons_what_is_under_way_and_drops_the_rest(self, stage: Stage) -> None:
        await stage.start("s")
        for number in range(300):
            await stage.publish("s", key=f"k{number % 50}")
        await until(lambda: stage.rows > 0)
        begun = len(stage.sender.sent)

        stage.deliveries.close(SubscriptionId("s"))
        await until(lambda: stage.rows == 0 and stage.deliveries.committed_watermark == 300)

        assert len(stage.sender.sent) == begun
        assert stage.sender.under_way() == []
        assert not stage.deliveries.is_owed(SubscriptionId("s"))
        await stage.publish("s")
        assert len(stage.sender.sent) == begun
        assert stage.deliveries.figures()["lanes"] == 0
        assert stage.deliveries._places._origins == {}

    async def test_a_disk_that_cannot_drop_the_rest_now_is_no_reason_to_end(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(_subscription: SubscriptionId) -> int:
            raise Unavailable("the disk is nearly full")

        await stage.start("s", "other")
        monkeypatch.setattr(stage.engine.backlog, "purge", full)

        stage.deliveries.close(SubscriptionId("s"))
        uuid = await stage.publish("other")

        await until(lambda: stage.sender.uuids("other") == [uuid])
        assert stage.failures == []


class TestCommits:
    async def test_nothing_more_is_routed_than_a_batch_holds_while_the_disk_takes_no_commit(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.limits = replace(QUICK, gathered=20, commit_again_after=0.01)
        real, is_full = stage.engine.backlog.commit, True

        async def commit(*arguments: Any) -> None:
            if is_full:
                raise Unavailable("the disk is nearly full")
            await real(*arguments)

        monkeypatch.setattr(stage.engine.backlog, "commit", commit)
        await stage.start("s")
        for _ in range(100):
            await stage.publish("s")
        waiting = asyncio.create_task(stage.deliveries.room())
        await asyncio.sleep(0.05)  # several tries
        assert not waiting.done()

        is_full = False
        await asyncio.wait_for(waiting, 5)
        assert stage.rows > 0

    async def test_a_commit_that_fails_is_repeated_with_all_that_was_in_it(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = stage.engine.backlog.commit
        failures = iter([Unavailable("the disk is nearly full")])

        async def failing(*arguments: object) -> None:
            for failure in failures:
                raise failure
            await commit(*arguments)  # type: ignore[arg-type]  # passed on as they are

        stage.sender = always(TAKEN)
        await stage.start("s")
        monkeypatch.setattr(stage.engine.backlog, "commit", failing)
        await stage.publish("s")
        await until(lambda: stage.deliveries.committed_watermark == 1)

        assert len(await stage.engine.backlog.attempts_of(SubscriptionId("s"), 10)) == 1

    async def test_a_process_that_lost_its_partition_ends(self) -> None:
        stage = Stage()
        await stage.start("s")
        await stage.engine.backlog.claim(EMBEDDED_PARTITION)

        await stage.publish("s")
        await until(lambda: bool(stage.failures))
        await stage.stop()

        assert isinstance(stage.failures[0], Fenced)

    async def test_stopping_waits_for_what_is_under_way_and_records_it(self, stage: Stage) -> None:
        await stage.start("s")
        await stage.publish("s")
        await stage.publish("s")
        stopping = asyncio.create_task(stage.deliveries.stop(drain_seconds=5))
        await asyncio.sleep(0.02)
        assert not stopping.done()

        stage.sender.answer(stage.sender.sent[0])
        await stopping

        assert len(stage.sender.sent) == 1, "nothing more is started"
        assert stage.deliveries.committed_watermark == 2
        assert stage.rows == 1

    async def test_stopping_does_not_wait_for_ever(self, stage: Stage) -> None:
        await stage.start("s")
        uuid = await stage.publish("s")

        await stage.deliveries.stop(drain_seconds=0.02)

        assert stage.attempts[-1].failure is FailureCode.CANCELLED
        assert stage.rows == 1
        await stage.start("s")
        await until(lambda: stage.sender.uuids() == [uuid, uuid])


class TestTheNextProcess:
    async def test_it_routes_from_the_watermark_and_skips_what_is_settled(self, stage: Stage) -> None:
        await stage.start("s")
        await stage.publish("s", key="hangs")
        second = await stage.publish("s", key="taken")
        stage.sender.answer(stage.sender.sent[1])
        await stage.deliveries.commit()
        await stage.crash()

        assert await stage.start("s") == LOG_START
        settled = [stage.deliveries.was_settled(SubscriptionId("s"), Position(p), "/t") for p in (1, 2, 3)]
        assert settled == [False, True, False]
        assert not stage.deliveries.was_settled(SubscriptionId("other"), Position(2), "/t")
        assert stage.sender.uuids().count(second) == 1

    async def test_it_drains_the_backlog_before_it_sends_what_comes(self, stage: Stage) -> None:
        stage.sender = always(FAILED)
        await stage.start("s")
        before = [await stage.publish("s") for _ in range(5)]
        await until(lambda: stage.rows == 5)
        await stage.crash()

        stage.sender = ScriptedSender(lambda _: TAKEN)
        await stage.start("s")
        after = await stage.publish("s")
        await until(lambda: stage.rows == 0 and len(stage.sender.sent) == 6)

        assert stage.sender.uuids() == [*before, after]

    async def test_it_drops_the_backlog_of_subscriptions_that_are_no_more(self, stage: Stage) -> None:
        stage.sender = always(FAILED)
        await stage.start("s", "gone")
        await stage.publish("s", "gone")
        await until(lambda: stage.rows == 2)
        await stage.crash()

        await stage.start("s")
        await until(lambda: stage.rows <= 1)

        assert all(name[0] == "s" for name in stage.engine.backlog.rows)
