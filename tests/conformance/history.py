"""What every history must give. A backend's test class gives `engine`, a `HistoryUnderTest`."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId, Position, ReplayId
from bellwire.model.replay import Replay, ReplayState
from bellwire.ports.history import AttemptQuery, BacklogSize, EventQuery, History
from bellwire.ports.replay_store import ReplayStore
from tests.conformance.backlog import FIRST, ONE, TWO, a_row, name_of
from tests.conformance.event_log import ACME, OTHER, EngineUnderTest, an_event
from tests.doubles.attempts import an_attempt

PARTITION = EMBEDDED_PARTITION
EVERYTHING = EventQuery()
ANY_ATTEMPT = AttemptQuery()
REPLAY = ReplayId("33333333-3333-4333-8333-333333333333")
MUCH = 1 << 20


class HistoryUnderTest(EngineUnderTest, Protocol):
    @property
    def history(self) -> History: ...

    @property
    def replays(self) -> ReplayStore: ...


def event(number: int, *, account: AccountId = ACME, topic: str = "/t", chosen: bool = False) -> Event:
    return msgspec.structs.replace(
        an_event(f"u{number}", account=account, chosen=chosen), topic=topic, timestamp_ms=1000 * number
    )


def a_replay(**changes: object) -> Replay:
    replay = Replay(
        id=REPLAY,
        subscription=ONE,
        account=ACME,
        after=LOG_START,
        until=Position(9),
        cursor=Position(3),
        done=((Position(5), "/t"),),
        created_ms=77,
    )
    return msgspec.structs.replace(replay, **changes)


async def all_events(history: History, query: EventQuery, limit: int) -> list[Position]:
    """Positions, over as many pages as it takes."""
    found: list[Position] = []
    page = await history.events(PARTITION, query, None, limit)
    while True:
        assert len(page.records) <= limit
        found += [record.position for record in page.records]
        if page.before is None:
            return found
        page = await history.events(PARTITION, query, page.before, limit)


async def all_attempts(history: History, query: AttemptQuery, limit: int) -> list[Attempt]:
    found: list[Attempt] = []
    page = await history.attempts(query, None, limit)
    while True:
        assert len(page.records) <= limit
        found += [record.attempt for record in page.records]
        if page.before is None:
            return found
        page = await history.attempts(query, page.before, limit)


class HistoryContract:
    async def test_a_new_history_is_empty(self, engine: HistoryUnderTest) -> None:
        page = await engine.history.events(PARTITION, EVERYTHING, None, 10)
        assert (page.records, page.before) == ((), None)
        attempts = await engine.history.attempts(ANY_ATTEMPT, None, 10)
        assert (attempts.records, attempts.before) == ((), None)
        assert await engine.history.backlog_size(ONE) == BacklogSize(0, 0, None, is_exact=True)
        assert (await engine.history.outcomes(Position(1))).records == ()
        assert await engine.replays.all() == []

    async def test_events_come_newest_first_without_their_bodies(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(1), event(2, account=OTHER, topic="/other")])
        page = await engine.history.events(PARTITION, EVERYTHING, None, 10)
        newest, oldest = page.records
        assert (newest.position, newest.account, newest.uuid, newest.topic) == (2, OTHER, "u2", "/other")
        assert (newest.timestamp_ms, newest.size_bytes) == (2000, len(b'{"n":1}'))
        assert oldest.position == 1
        assert page.before is None

    async def test_paging_visits_every_event_once(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 24)])
        for limit in (1, 5, 23, 100):
            assert await all_events(engine.history, EVERYTHING, limit) == list(range(23, 0, -1))

    async def test_paging_goes_on_where_it_was_though_events_come_meanwhile(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 6)])
        page = await engine.history.events(PARTITION, EVERYTHING, None, 2)
        await engine.event_log.append(PARTITION, [event(n) for n in range(6, 9)])
        assert page.before is not None
        rest = await engine.history.events(PARTITION, EVERYTHING, page.before, 10)
        assert [record.position for record in (*page.records, *rest.records)] == [5, 4, 3, 2, 1]

    async def test_events_are_chosen_by_all_that_is_asked(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(
            PARTITION,
            [
                event(1),
                event(2, topic="/account/1/presence"),
                event(3, topic="/account/1/extension/7/presence"),
                event(4, account=OTHER, topic="/account/2/presence"),
                event(5, topic="/account/[1]/presence?"),
            ],
        )

        async def found(**query: object) -> list[Position]:
            return await all_events(engine.history, EventQuery(**query), 10)  # type: ignore[arg-type]

        assert await found(account=OTHER) == [4]
        assert await found(uuid="u3") == [3]
        assert await found(topic="/account/1/presence") == [2]
        assert await found(topic_patterns=("/account/*/presence",)) == [4, 3, 2]
        assert await found(topic_patterns=("/t", "/account/*/extension/*/presence")) == [3, 1]
        assert await found(topic_patterns=("/account/[1]/presence?",)) == [5]
        assert await found(from_ms=2000, until_ms=4000) == [3, 2]
        assert await found(account=ACME, from_ms=2000, topic_patterns=("*presence",)) == [3, 2]

    async def test_events_above_what_was_lost_are_found(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(1)])
        await engine.raise_head(Position(10_000_000))
        await engine.event_log.append(PARTITION, [event(2)])
        assert await all_events(engine.history, EVERYTHING, 10) == [10_000_001, 1]

    async def test_a_stretch_gives_whole_events_in_order(self, engine: HistoryUnderTest) -> None:
        events = [event(n, account=ACME if n % 2 else OTHER) for n in range(1, 10)]
        await engine.event_log.append(PARTITION, events)

        stretch = await engine.history.stretch(
            PARTITION, EventQuery(account=ACME), (Position(1), Position(7)), limit=2, max_bytes=MUCH
        )
        rest = await engine.history.stretch(
            PARTITION, EventQuery(account=ACME), (stretch.reached, Position(7)), limit=9, max_bytes=MUCH
        )

        assert [(logged.position, logged.event) for logged in stretch.events] == [(3, events[2]), (5, events[4])]
        assert 5 <= stretch.reached <= 6
        assert [logged.position for logged in rest.events] == [7]
        assert rest.reached == 7

    async def test_a_stretch_is_bounded_by_bytes_but_gives_one_event_whatever_its_size(
        self, engine: HistoryUnderTest
    ) -> None:
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 5)])
        stretch = await engine.history.stretch(
            PARTITION, EVERYTHING, (LOG_START, Position(4)), limit=9, max_bytes=len(b'{"n":1}') * 2
        )
        assert [logged.position for logged in stretch.events] == [1, 2]
        tiny = await engine.history.stretch(PARTITION, EVERYTHING, (LOG_START, Position(4)), limit=9, max_bytes=1)
        assert [logged.position for logged in tiny.events] == [1]
        assert tiny.reached == 1

    async def test_an_empty_stretch_is_looked_at_to_its_end(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 5)])
        nobody = EventQuery(account=AccountId("9"))
        stretch = await engine.history.stretch(PARTITION, nobody, (LOG_START, Position(4)), limit=9, max_bytes=MUCH)
        assert (stretch.events, stretch.reached) == ((), 4)

    async def test_a_chosen_uuid_is_found_in_its_account(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(
            PARTITION, [event(1, chosen=True), event(1, account=OTHER, chosen=True), event(2, chosen=False)]
        )
        find = engine.history.find_chosen
        assert await find(PARTITION, [ACME, OTHER], "u1") == {ACME: 1, OTHER: 2}
        assert await find(PARTITION, [OTHER, AccountId("9")], "u1") == {OTHER: 2}
        assert await find(PARTITION, [ACME], "u2") == {}

    async def test_heads_are_found_by_position_in_the_log_and_among_the_kept(self, engine: HistoryUnderTest) -> None:
        await engine.event_log.append(PARTITION, [event(n) for n in range(1, 4)])
        kept = await engine.event_log.get(PARTITION, [Position(1)])
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, LOG_START, [], [a_row(1)], [])
        await engine.backlog.keep(PARTITION, [LoggedEvent(Position(1), kept[Position(1)])])
        await engine.event_log.trim(PARTITION, Position(3), 10)
        heads = await engine.history.heads(PARTITION, [Position(n) for n in (1, 2, 3, 4)])
        assert {position: head.uuid for position, head in heads.items()} == {1: "u1", 3: "u3"}
        assert await engine.history.heads(PARTITION, []) == {}

    async def test_paging_visits_every_attempt_once_newest_first(self, engine: HistoryUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        for start in range(1, 30, 10):
            await engine.backlog.commit(lease, LOG_START, [an_attempt(n) for n in range(start, start + 10)], [], [])
        for limit in (1, 7, 30, 100):
            found = await all_attempts(engine.history, ANY_ATTEMPT, limit)
            assert [attempt.position for attempt in found] == list(range(30, 0, -1))

    async def test_attempts_are_chosen_by_all_that_is_asked(self, engine: HistoryUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        failed = msgspec.structs.replace(
            an_attempt(2, outcome=AttemptOutcome.FAILED),
            failure=FailureCode.DNS,
            detail="The address's host name could not be resolved.",
            next_try_ms=5,
        )
        other = an_attempt(3, subscription=TWO, topic="/u")
        given_up = msgspec.structs.replace(
            an_attempt(4, outcome=AttemptOutcome.GIVEN_UP), failure=FailureCode.STATUS_4XX, status=404
        )
        await engine.backlog.commit(lease, LOG_START, [an_attempt(1), failed, other, given_up], [], [])

        async def found(**query: object) -> list[Position]:
            attempts = await all_attempts(engine.history, AttemptQuery(**query), 10)  # type: ignore[arg-type]
            return [attempt.position for attempt in attempts]

        assert await found(subscriptions=frozenset((ONE,))) == [4, 2, 1]
        assert await found(subscriptions=frozenset((TWO,))) == [3]
        assert await found(subscriptions=frozenset((ONE, TWO))) == [4, 3, 2, 1]
        assert await found(subscriptions=frozenset()) == []
        assert await found(position=Position(3)) == [3]
        assert await found(topic="/u") == [3]
        assert await found(outcome=AttemptOutcome.DELIVERED) == [3, 1]
        assert await found(outcome=AttemptOutcome.FAILED) == [2]
        assert await found(failure=FailureCode.STATUS_4XX) == [4]
        assert await found(from_ms=other.started_ms) == [4, 3]
        assert await found(until_ms=other.started_ms) == [2, 1]
        page = await engine.history.attempts(AttemptQuery(outcome=AttemptOutcome.FAILED), None, 1)
        assert page.records[0].attempt == failed

    async def test_outcomes_say_how_each_notification_of_an_event_stands(self, engine: HistoryUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        failed = an_attempt(5, outcome=AttemptOutcome.FAILED)
        again = an_attempt(5, number=2)
        elsewhere = an_attempt(5, subscription=TWO, topic="/u", outcome=AttemptOutcome.GIVEN_UP)
        await engine.backlog.commit(lease, LOG_START, [an_attempt(4), failed, elsewhere], [], [])
        await engine.backlog.commit(lease, LOG_START, [again, an_attempt(6)], [], [])
        replayed = msgspec.structs.replace(elsewhere, outcome=AttemptOutcome.DELIVERED, replay=REPLAY)
        await engine.replays.save(a_replay(), [replayed])

        outcomes = await engine.history.outcomes(Position(5))

        assert outcomes.is_complete
        first, second = outcomes.records
        assert first.last is not None
        assert second.last is not None
        assert (first.subscription, first.topic, first.attempts, first.last.attempt) == (ONE, "/t", 2, again)
        assert (second.subscription, second.attempts, second.last.attempt) == (TWO, 1, elsewhere)
        listed = (await engine.history.attempts(AttemptQuery(position=Position(5)), None, 10)).records
        assert {first.last, second.last} <= set(listed), "under the number that the list of attempts gives it"
        assert (first.replays_delivered, second.replays_delivered) == (0, 1)

    async def test_the_backlog_is_counted_and_paged(self, engine: HistoryUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        rows = [a_row(7), a_row(3, size_bytes=5), a_row(3, topic="/u"), a_row(9, subscription=TWO)]
        await engine.backlog.commit(lease, LOG_START, [], rows, [])
        history = engine.history

        assert await history.backlog_size(ONE) == BacklogSize(3, 25, Position(3), is_exact=True)
        first = await history.backlog_rows(ONE, FIRST, 2)
        assert [name_of(row) for row in first] == [(ONE, 3, "/t"), (ONE, 3, "/u")]
        assert await history.backlog_rows(ONE, (Position(3), "/u"), 2) == [a_row(7)]
        assert await history.backlogged(Position(3), [ONE, TWO]) == {(ONE, "/t"), (ONE, "/u")}
        assert await history.backlogged(Position(9), [ONE]) == set()


class ReplayStoreContract:
    async def test_a_replay_is_there_after_a_restart_as_it_was_saved_last(self, engine: HistoryUnderTest) -> None:
        await engine.replays.save(a_replay())
        other = a_replay(id=ReplayId("other"), created_ms=10, from_ms=5, until_ms=9, reason="why")
        await engine.replays.save(other)
        ended = a_replay(state=ReplayState.DONE, cursor=Position(9), done=(), delivered=4, ended_ms=99)
        await engine.replays.save(ended)
        await engine.restart()
        assert await engine.replays.all() == [other, ended]

    async def test_forgotten_replays_are_gone_and_their_attempts_are_not(self, engine: HistoryUnderTest) -> None:
        attempt = msgspec.structs.replace(an_attempt(1), replay=REPLAY)
        await engine.replays.save(a_replay(), [attempt])
        await engine.replays.forget([REPLAY, ReplayId("unknown")])
        assert await engine.replays.all() == []
        assert await all_attempts(engine.history, AttemptQuery(replay=REPLAY), 10) == [attempt]

    async def test_attempts_of_a_replay_are_history_and_settle_nothing(self, engine: HistoryUnderTest) -> None:
        lease = await engine.backlog.claim(PARTITION)
        await engine.backlog.commit(lease, Position(1), [an_attempt(2)], [], [])
        replayed = msgspec.structs.replace(an_attempt(3), replay=REPLAY)
        await engine.replays.save(a_replay(), [replayed])
        await engine.backlog.commit(lease, Position(1), [an_attempt(4)], [], [])
        await engine.restart()

        recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))

        assert {position for _, position, _ in recovery.settled} == {2, 4}
        found = await all_attempts(engine.history, ANY_ATTEMPT, 10)
        assert [(attempt.position, attempt.replay) for attempt in found] == [(4, None), (3, REPLAY), (2, None)]
