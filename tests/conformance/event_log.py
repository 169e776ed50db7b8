"""What every event log must do. A backend's test class gives `engine`, an `EngineUnderTest`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import pytest
from msgspec import structs

from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event, Facts, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId, ExtensionId, Position, SubscriptionId
from bellwire.ports.backlog import Backlog
from bellwire.ports.event_log import Appended, Duplicate, EventLog

PARTITION = EMBEDDED_PARTITION
ACME = AccountId("1001")
OTHER = AccountId("2002")
MUCH = 1 << 20


class EngineUnderTest(Protocol):
    """Both ports over one store, and a way to see what a restart finds."""

    @property
    def event_log(self) -> EventLog: ...

    @property
    def backlog(self) -> Backlog: ...

    async def restart(self) -> None:
        """End as a process ends and begin again over what is durable; the two properties are new ones then."""
        ...

    async def raise_head(self, position: Position) -> None: ...


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def an_event(
    uuid: str = "u",
    *,
    account: AccountId = ACME,
    chosen: bool = False,
    body: bytes = b'{"n":1}',
    audience: tuple[ExtensionId, ...] | None = None,
    stated: tuple[tuple[str, str], ...] = (),
    facts: Facts | None = None,
) -> Event:
    return Event(
        account=account,
        uuid=uuid,
        chosen=chosen,
        topic=f"/restapi/v1.0/account/{account}/presence",
        timestamp_ms=1_795_000_000_000,
        body=body,
        audience=audience,
        stated=stated,
        facts=facts,
    )


def some_events(count: int, *, chosen: bool = False, prefix: str = "u", size_bytes: int = 20) -> list[Event]:
    return [an_event(f"{prefix}{n}", chosen=chosen, body=b"x" * size_bytes) for n in range(count)]


def positions_of(answers: Sequence[Appended | Duplicate | LoggedEvent]) -> list[Position]:
    return [answer.position for answer in answers]


async def read_all(log: EventLog, after: Position = LOG_START) -> list[LoggedEvent]:
    """Everything up to the head, in as many reads as it takes."""
    found: list[LoggedEvent] = []
    while after < log.head(PARTITION):
        page = await log.read(PARTITION, after, MUCH)
        found += page
        after = page[-1].position
    return found


class EventLogContract:
    async def test_appended_events_read_back_in_order_with_rising_positions(self, engine: EngineUnderTest) -> None:
        first = await engine.event_log.append(PARTITION, some_events(3, prefix="a"))
        second = await engine.event_log.append(PARTITION, some_events(2, prefix="b"))

        found = await read_all(engine.event_log)

        assert [logged.event.uuid for logged in found] == ["a0", "a1", "a2", "b0", "b1"]
        assert positions_of(found) == positions_of(first + second)
        assert positions_of(found) == sorted(set(positions_of(found)))
        assert found[0].position > LOG_START

    async def test_head_is_the_last_durable_position(self, engine: EngineUnderTest) -> None:
        assert engine.event_log.head(PARTITION) == LOG_START
        answers = await engine.event_log.append(PARTITION, some_events(3))
        assert engine.event_log.head(PARTITION) == answers[-1].position

    async def test_appending_nothing_gives_nothing(self, engine: EngineUnderTest) -> None:
        assert await engine.event_log.append(PARTITION, []) == []
        assert engine.event_log.head(PARTITION) == LOG_START

    async def test_all_fields_of_an_event_survive_a_restart_but_facts(self, engine: EngineUnderTest) -> None:
        facts = Facts(rows=({"direction": ("Inbound",)},), ordering_key="k")
        full = an_event(
            "full",
            chosen=True,
            body='{"naïve":"ÿ"}'.encode(),
            audience=(ExtensionId("7"), ExtensionId("8")),
            stated=(("type", "SMS"),),
            facts=facts,
        )
        full = structs.replace(full, received_ms=full.timestamp_ms + 5, request_id="r-1", trace=TRACE)
        nobody = an_event("nobody", audience=())
        await engine.event_log.append(PARTITION, [full, nobody])

        fresh = await read_all(engine.event_log)
        await engine.restart()
        stored = await read_all(engine.event_log)

        assert [logged.event for logged in fresh] == [full, nobody]
        assert stored[0].event.facts is None
        assert stored[0].event.body == full.body
        assert stored[0].event.audience == full.audience
        assert stored[0].event.stated == full.stated
        assert stored[0].event.chosen is True
        assert (stored[0].event.request_id, stored[0].event.trace) == ("r-1", TRACE)
        assert stored[0].event.received_ms == full.received_ms
        assert (stored[0].event.account, stored[0].event.topic) == (full.account, full.topic)
        assert stored[0].event.timestamp_ms == full.timestamp_ms
        assert stored[1].event == nobody

    async def test_positions_go_on_after_a_restart(self, engine: EngineUnderTest) -> None:
        before = await engine.event_log.append(PARTITION, some_events(3))
        await engine.restart()
        assert engine.event_log.head(PARTITION) == before[-1].position
        after = await engine.event_log.append(PARTITION, some_events(1))
        assert after[0].position > before[-1].position

    async def test_concurrent_calls_keep_their_own_order_and_share_no_position(self, engine: EngineUnderTest) -> None:
        calls = [some_events(5, prefix=f"c{n}-") for n in range(40)]
        answers = await asyncio.gather(*(engine.event_log.append(PARTITION, call) for call in calls))

        found = {logged.position: logged.event.uuid for logged in await read_all(engine.event_log)}

        assert len(found) == 200
        for call, answer in zip(calls, answers, strict=True):
            assert positions_of(answer) == sorted(positions_of(answer))
            assert [found[position] for position in positions_of(answer)] == [event.uuid for event in call]

    async def test_a_chosen_uuid_is_logged_once(self, engine: EngineUnderTest) -> None:
        [original] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])
        [repeat] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])

        assert isinstance(original, Appended)
        assert repeat == Duplicate(original.position)
        assert len(await read_all(engine.event_log)) == 1

    async def test_a_chosen_uuid_repeated_within_one_call_is_a_duplicate(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(
            PARTITION, [an_event("a", chosen=True), an_event("b"), an_event("a", chosen=True)]
        )
        assert answers[2] == Duplicate(answers[0].position)
        assert [logged.event.uuid for logged in await read_all(engine.event_log)] == ["a", "b"]

    async def test_a_chosen_uuid_in_concurrent_calls_is_logged_once(self, engine: EngineUnderTest) -> None:
        answers = await asyncio.gather(
            *(engine.event_log.append(PARTITION, [an_event("same", chosen=True)]) for _ in range(20))
        )
        kinds = [type(answer) for [answer] in answers]
        assert kinds.count(Appended) == 1
        assert len({answer.position for [answer] in answers}) == 1
        assert len(await read_all(engine.event_log)) == 1

    async def test_a_duplicate_is_known_across_a_restart(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(10, chosen=True))
        await engine.restart()
        again = await engine.event_log.append(PARTITION, some_events(10, chosen=True))
        assert again == [Duplicate(answer.position) for answer in answers]

    async def test_the_same_uuid_of_another_account_is_another_event(self, engine: EngineUnderTest) -> None:
        await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])
        [answer] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True, account=OTHER)])
        assert isinstance(answer, Appended)

    async def test_uuids_that_nobody_chose_are_not_compared(self, engine: EngineUnderTest) -> None:
        await engine.event_log.append(PARTITION, [an_event("same")])
        [answer] = await engine.event_log.append(PARTITION, [an_event("same")])
        assert isinstance(answer, Appended)

    async def test_reading_waits_for_an_event(self, engine: EngineUnderTest) -> None:
        reading = asyncio.create_task(engine.event_log.read(PARTITION, LOG_START, MUCH))
        await asyncio.sleep(0)
        assert not reading.done()
        await engine.event_log.append(PARTITION, [an_event("late")])
        assert [logged.event.uuid for logged in await reading] == ["late"]

    async def test_several_readers_wait_and_one_that_gives_up_leaves_the_others(self, engine: EngineUnderTest) -> None:
        readers = [asyncio.create_task(engine.event_log.read(PARTITION, LOG_START, MUCH)) for _ in range(3)]
        await asyncio.sleep(0)
        readers[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await readers[0]
        await engine.event_log.append(PARTITION, [an_event("late")])
        assert [len(await reader) for reader in readers[1:]] == [1, 1]

    @pytest.mark.parametrize("is_restarted", [False, True])
    async def test_reading_is_bounded_by_bytes_but_gives_at_least_one(
        self, engine: EngineUnderTest, is_restarted: bool
    ) -> None:
        await engine.event_log.append(PARTITION, some_events(10, size_bytes=100))
        if is_restarted:
            await engine.restart()
        assert len(await engine.event_log.read(PARTITION, LOG_START, 350)) == 3
        assert len(await engine.event_log.read(PARTITION, LOG_START, 10)) == 1

    async def test_get_gives_known_positions_and_leaves_out_others(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(5))
        wanted = [answers[1].position, answers[4].position, Position(answers[4].position + 100)]

        fresh = await engine.event_log.get(PARTITION, wanted)
        await engine.restart()
        stored = await engine.event_log.get(PARTITION, wanted)

        for found in (fresh, stored):
            assert {position: event.uuid for position, event in found.items()} == {wanted[0]: "u1", wanted[1]: "u4"}

    async def test_trimming_deletes_the_oldest_below_a_position_and_no_more_than_asked(
        self, engine: EngineUnderTest
    ) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(10))

        assert await engine.event_log.trim(PARTITION, answers[6].position, 4) == 4
        assert await engine.event_log.trim(PARTITION, answers[6].position, 100) == 2
        assert await engine.event_log.trim(PARTITION, answers[6].position, 100) == 0

        assert [logged.event.uuid for logged in await read_all(engine.event_log)] == ["u6", "u7", "u8", "u9"]
        assert await engine.event_log.get(PARTITION, [answers[0].position]) == {}

    async def test_positions_are_never_used_again_when_the_log_was_emptied(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(5))
        last = answers[-1].position
        assert await engine.event_log.trim(PARTITION, Position(last + 1), 100) == 5
        await engine.restart()
        assert engine.event_log.head(PARTITION) == last
        [answer] = await engine.event_log.append(PARTITION, [an_event()])
        assert answer.position > last

    async def test_a_uuid_is_free_again_once_its_event_was_trimmed(self, engine: EngineUnderTest) -> None:
        [first] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])
        await engine.event_log.trim(PARTITION, Position(first.position + 1), 10)
        [second] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])
        [third] = await engine.event_log.append(PARTITION, [an_event("same", chosen=True)])
        assert isinstance(second, Appended)
        assert third == Duplicate(second.position)

    async def test_reading_from_before_what_was_trimmed_begins_with_what_is_left(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(4))
        await engine.event_log.trim(PARTITION, answers[2].position, 10)
        await engine.restart()
        found = await engine.event_log.read(PARTITION, LOG_START, MUCH)
        assert [logged.event.uuid for logged in found] == ["u2", "u3"]

    async def test_reading_below_the_head_of_an_emptied_log_waits(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(PARTITION, some_events(3))
        await engine.event_log.trim(PARTITION, Position(answers[-1].position + 1), 10)
        await engine.restart()
        reading = asyncio.create_task(engine.event_log.read(PARTITION, LOG_START, MUCH))
        await engine.event_log.append(PARTITION, [an_event("new")])
        assert [logged.event.uuid for logged in await reading] == ["new"]

    async def test_kept_events_that_the_backlog_needs_outlive_trimming(self, engine: EngineUnderTest) -> None:
        answers = await engine.event_log.append(
            PARTITION, [an_event("kept", stated=(("a", "b"),), facts=Facts(({},), "k")), an_event("gone")]
        )
        kept, gone = positions_of(answers)
        row = BacklogRow(
            subscription=SubscriptionId("s"),
            position=kept,
            topic="/t",
            key="k",
            filter_version=1,
            filter_index=0,
            size_bytes=7,
        )
        await engine.backlog.commit(await engine.backlog.claim(PARTITION), gone, [], [row], [])
        found = await engine.event_log.get(PARTITION, [kept])
        await engine.backlog.keep(PARTITION, [LoggedEvent(kept, found[kept])])
        await engine.event_log.trim(PARTITION, Position(gone + 1), 10)
        await engine.restart()

        still = await engine.event_log.get(PARTITION, [kept, gone])

        assert list(still) == [kept]
        assert (still[kept].uuid, still[kept].stated, still[kept].facts) == ("kept", (("a", "b"),), None)

    async def test_a_raised_head_is_below_every_later_position(self, engine: EngineUnderTest) -> None:
        await engine.raise_head(Position(1000))
        await engine.raise_head(Position(10))
        assert engine.event_log.head(PARTITION) == 1000
        await engine.restart()
        [answer] = await engine.event_log.append(PARTITION, [an_event("after")])
        assert answer.position > 1000
        found = await engine.event_log.read(PARTITION, LOG_START, MUCH)
        assert [logged.event.uuid for logged in found] == ["after"]

    async def test_a_cancelled_caller_does_not_disturb_the_others_of_its_group(self, engine: EngineUnderTest) -> None:
        calls = [asyncio.create_task(engine.event_log.append(PARTITION, [an_event(f"c{n}")])) for n in range(5)]
        await asyncio.sleep(0)
        calls[2].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)

        assert isinstance(results[2], asyncio.CancelledError)
        assert all(isinstance(result, list) for n, result in enumerate(results) if n != 2)
        uuids = [logged.event.uuid for logged in await read_all(engine.event_log)]
        assert set(uuids) - {"c2"} == {"c0", "c1", "c3", "c4"}
        [later] = await engine.event_log.append(PARTITION, [an_event("later")])
        assert isinstance(later, Appended)
