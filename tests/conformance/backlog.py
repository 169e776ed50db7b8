"""What every backlog must do. A backend's test class gives `engine`, an `EngineUnderTest`."""

from __future__ import annotations

import pytest

from bellwire.errors import Fenced
from bellwire.model.attempt import AttemptOutcome, BacklogRow, FailureCode
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, Position, SubscriptionId
from bellwire.ports.backlog import BacklogTotals, NotificationId
from tests.conformance.event_log import EngineUnderTest, an_event
from tests.doubles.attempts import A_SUBSCRIPTION, an_attempt

PARTITION = EMBEDDED_PARTITION
ONE = A_SUBSCRIPTION
TWO = SubscriptionId("22222222-2222-4222-8222-222222222222")
FIRST = (LOG_START, "")


def a_row(
    position: int,
    *,
    subscription: SubscriptionId = ONE,
    topic: str = "/t",
    size_bytes: int = 10,
    further: bool | None = False,
) -> BacklogRow:
    return BacklogRow(
        subscription=subscription,
        position=Position(position),
        topic=topic,
        key=f"key-{position}",
        filter_version=2,
        filter_index=1,
        size_bytes=size_bytes,
        further=further,
    )


def name_of(row: BacklogRow) -> NotificationId:
    return (row.subscription, row.position, row.topic)


class BacklogContract:
    async def test_a_new_partition_has_nothing(self, engine: EngineUnderTest) -> None:
        recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
        assert recovery.watermark == LOG_START
        assert recovery.settled == frozenset()
        assert dict(recovery.totals) == {}

    async def test_the_watermark_survives_a_restart(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(42), [], [], [])
        await engine.restart()
        recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
        assert recovery.watermark == 42

    async def test_the_watermark_does_not_go_back(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(42), [], [], [])
        await engine.backlog.commit(lease, Position(7), [], [], [])
        assert (await engine.backlog.load(lease)).watermark == 42

    async def test_an_older_lease_can_neither_commit_nor_load(self, engine: EngineUnderTest) -> None:
        old = await engine.backlog.claim(PARTITION)
        new = await engine.backlog.claim(PARTITION)
        with pytest.raises(Fenced):
            await engine.backlog.commit(old, Position(5), [an_attempt(5)], [a_row(6)], [])
        with pytest.raises(Fenced):
            await engine.backlog.load(old)

        recovery = await engine.backlog.load(new)

        assert new.epoch > old.epoch
        assert recovery.watermark == LOG_START
        assert recovery.settled == frozenset()
        assert await engine.backlog.attempts_of(ONE, 10) == []
        assert await engine.backlog.pending(ONE, FIRST, 10) == []

    async def test_a_lease_from_before_a_restart_is_fenced_by_the_next_claim(self, engine: EngineUnderTest) -> None:
        old = await engine.backlog.claim(PARTITION)
        await engine.restart()
        await engine.backlog.claim(PARTITION)
        with pytest.raises(Fenced):
            await engine.backlog.commit(old, Position(5), [], [], [])

    async def test_a_fenced_commit_leaves_the_next_one_in_order(self, engine: EngineUnderTest) -> None:
        old = await engine.backlog.claim(PARTITION)
        new = await engine.backlog.claim(PARTITION)
        with pytest.raises(Fenced):
            await engine.backlog.commit(old, Position(0), [an_attempt(1), an_attempt(2)], [], [])
        await engine.backlog.commit(new, Position(0), [an_attempt(3)], [], [])
        assert [attempt.position for attempt in await engine.backlog.attempts_of(ONE, 10)] == [3]

    async def test_outcomes_and_rows_above_the_watermark_are_settled(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(
            lease,
            Position(10),
            [
                an_attempt(9),
                an_attempt(11),
                an_attempt(12, outcome=AttemptOutcome.FAILED),
                an_attempt(13, outcome=AttemptOutcome.GIVEN_UP),
                an_attempt(11, subscription=TWO, topic="/other"),
            ],
            [a_row(5), a_row(14)],
            [],
        )
        await engine.restart()
        recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
        assert recovery.settled == {(ONE, 11, "/t"), (ONE, 13, "/t"), (TWO, 11, "/other"), (ONE, 14, "/t")}

    async def test_settled_outcomes_are_found_over_many_commits_while_the_watermark_follows(
        self, engine: EngineUnderTest
    ) -> None:
        lease = await engine.backlog.claim(PARTITION)
        # Each commit records one position far above the watermark among many that the watermark passes soon.
        for commit in range(30):
            base = commit * 10
            await engine.backlog.commit(
                lease, Position(base), [an_attempt(base + 1), an_attempt(base + 35), an_attempt(base + 2)], [], []
            )
            if commit == 15:
                await engine.restart()
                lease = await engine.backlog.claim(PARTITION)
        await engine.restart()
        recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
        everything = {n for commit in range(30) for n in (commit * 10 + 1, commit * 10 + 35, commit * 10 + 2)}
        assert {position for _, position, _ in recovery.settled} == {n for n in everything if n > 290}

    async def test_totals_are_counted_for_each_subscription(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(7), a_row(3, size_bytes=5), a_row(3, topic="/u"), a_row(9, subscription=TWO)]
        await engine.backlog.commit(lease, Position(10), [], rows, [])
        assert dict((await engine.backlog.load(lease)).totals) == {
            ONE: BacklogTotals(3, 25, Position(3)),
            TWO: BacklogTotals(1, 10, Position(9)),
        }

    async def test_pending_gives_rows_as_they_were_put_in_order_of_position_and_topic(
        self, engine: EngineUnderTest
    ) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(3, topic="/b"), a_row(300), a_row(3, topic="/a"), a_row(20), a_row(1, subscription=TWO)]
        await engine.backlog.commit(lease, Position(0), [], rows, [])
        await engine.restart()
        found = await engine.backlog.pending(ONE, FIRST, 10)
        assert found == [rows[2], rows[0], rows[3], rows[1]]

    async def test_rows_say_whether_their_subscription_got_the_event_before(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(1, further=False), a_row(1, topic="/u", further=True), a_row(2, further=None)]
        await engine.backlog.commit(lease, Position(0), [], rows, [])
        await engine.restart()
        assert await engine.backlog.pending(ONE, FIRST, 10) == rows

    async def test_pending_pages_after_a_cursor(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(n // 2, topic=f"/{n % 2}") for n in range(2, 22)]
        await engine.backlog.commit(lease, Position(0), [], rows, [])
        found: list[BacklogRow] = []
        cursor = FIRST
        while page := await engine.backlog.pending(ONE, cursor, 3):
            assert len(page) <= 3
            found += page
            cursor = (page[-1].position, page[-1].topic)
        assert found == rows

    async def test_a_row_that_is_done_is_gone(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(0), [], [a_row(1), a_row(2), a_row(2, topic="/u")], [])
        await engine.backlog.commit(lease, Position(0), [], [], [(ONE, Position(2), "/t")])
        assert await engine.backlog.pending(ONE, FIRST, 10) == [a_row(1), a_row(2, topic="/u")]

    async def test_putting_twice_and_doing_what_is_absent_change_nothing(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(0), [], [a_row(1)], [])
        await engine.backlog.commit(lease, Position(0), [], [a_row(1, size_bytes=99)], [(TWO, Position(9), "/t")])
        assert await engine.backlog.pending(ONE, FIRST, 10) == [a_row(1)]

    async def test_a_row_put_and_done_in_one_commit_ends_up_absent(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(0), [], [a_row(1)], [name_of(a_row(1))])
        assert await engine.backlog.pending(ONE, FIRST, 10) == []

    async def test_many_rows_and_attempts_in_one_commit(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(n) for n in range(1, 701)]
        attempts = [an_attempt(n, subscription=TWO) for n in range(1, 701)]
        await engine.backlog.commit(lease, Position(0), attempts, rows, [name_of(row) for row in rows[:333]])
        assert await engine.backlog.pending(ONE, FIRST, 1000) == rows[333:]
        assert await engine.backlog.attempts_of(TWO, 1000) == attempts[::-1]

    async def test_attempts_come_newest_first_and_no_more_than_asked(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        full = an_attempt(
            2,
            number=3,
            address="https://example.com/ü",
            outcome=AttemptOutcome.FAILED,
            failure=FailureCode.STATUS_5XX,
            status=503,
            detail="the endpoint answered 503",
            next_try_ms=1_795_000_001_000,
        )
        await engine.backlog.commit(lease, Position(0), [an_attempt(1), an_attempt(1, subscription=TWO)], [], [])
        await engine.backlog.commit(lease, Position(0), [full, an_attempt(3)], [], [])
        await engine.restart()
        assert await engine.backlog.attempts_of(ONE, 10) == [an_attempt(3), full, an_attempt(1)]
        assert await engine.backlog.attempts_of(ONE, 2) == [an_attempt(3), full]
        assert await engine.backlog.attempts_of(ONE, 0) == []

    async def test_purging_drops_all_rows_of_one_subscription_and_counts_them(self, engine: EngineUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(n, topic=f"/{n % 3}") for n in range(1, 601)]
        await engine.backlog.commit(lease, Position(0), [], [*rows, a_row(5, subscription=TWO)], [])
        assert await engine.backlog.purge(ONE) == 600
        assert await engine.backlog.purge(ONE) == 0
        assert await engine.backlog.pending(ONE, FIRST, 10) == []
        assert await engine.backlog.pending(TWO, FIRST, 10) == [a_row(5, subscription=TWO)]

    async def test_keeping_nothing_or_the_same_event_twice_is_fine(self, engine: EngineUnderTest) -> None:
        await engine.backlog.keep(PARTITION, [])
        event = LoggedEvent(Position(1), an_event("kept"))
        await engine.backlog.keep(PARTITION, [event])
        await engine.backlog.keep(PARTITION, [event])
        await engine.raise_head(Position(1))
        assert await engine.event_log.get(PARTITION, [Position(1)]) == {Position(1): event.event}
