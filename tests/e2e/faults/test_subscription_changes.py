"""A subscription that is deleted, expires, is paused or gets other filters, with notifications under way and on disk.

One real process for all. Each test fills a subscription whose endpoint answers nothing yet, so that some notifications
are under way and all the others in the backlog, changes it, and says exactly what comes from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.command_line import run
from tests.e2e.faults.endpoints import Endpoint, Gated, until
from tests.e2e.faults.load import FILTER as MESSAGES
from tests.e2e.faults.load import Server
from tests.e2e.faults.nursery import Forked, Nursery
from tests.e2e.processes import env_of

KEYS = 5
FIRST = 200
"""More than waits in memory, so that all of it is in the backlog."""
LATER = 20
INBOUND = "?direction=Inbound"
OUTBOUND = "?direction=Outbound"
JSON_LOG = {"BELLWIRE_LOG_LEVEL": "info", "BELLWIRE_LOG_FORMAT": "json"}


@pytest.fixture(scope="module")
def process(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    data = tmp_path_factory.mktemp("server") / "data"
    with nursery.dev(data, environ=JSON_LOG) as process:
        yield process


@pytest.fixture(scope="module")
def server(process: Forked) -> Server:
    return Server(process.url(), env_of(run("env", "--data", str(process.data)).out))


def numbers(first: int, count: int) -> range:
    return range(first, first + count)


class Stage:
    """A gated subscription beside one that takes everything, and the events that both get."""

    def __init__(self, process: Forked, server: Server, name: str) -> None:
        self.process = process
        self.server = server
        self.name = name
        self.gated = Gated()
        self.other = Endpoint()
        self.id = ""

    def uuid(self, number: int) -> str:
        return f"{self.name}-{number % KEYS}-{number:04d}"

    def uuids(self, numbers: range) -> list[str]:
        return [self.uuid(number) for number in numbers]

    async def publish(self, numbers: range) -> None:
        """Even ones are outbound, odd ones inbound; of a few ordering keys."""
        events = [
            self.server.message(
                self.uuid(number),
                key=f"{self.name}{number % KEYS}",
                direction="Inbound" if number % 2 else "Outbound",
            )
            for number in numbers
        ]
        await self.server.publish(events)

    async def lane(self) -> Any:
        return (await self.server.ask("GET", f"/subscriptions/{self.id}"))["deliveries"]

    async def fill(self, rows: int) -> None:
        """Publish, and wait until a few notifications are under way, and they and the others all have rows."""
        await self.publish(numbers(0, FIRST))
        await until(self.lane, lambda lane: lane["inFlight"] >= 1 and lane["backlogRows"] == rows)

    async def nothing_goes_on(self) -> int:
        """Wait until nothing is under way any more for the gated one; returns how many it has received."""

        async def is_recorded() -> bool:
            attempts = await self.server.attempts(self.id)
            return len(attempts) == len(self.gated.received)

        await until(self.server.figures, lambda figures: figures["bellwire_attempts_in_flight"] == 0)
        await until(is_recorded, bool)
        return len(self.gated.received)

    async def the_other_has(self, count: int) -> None:
        await until(self._taken_by_other, lambda taken: taken >= count)

    async def _taken_by_other(self) -> int:
        return len(self.other.taken)

    async def the_gated_one_has(self, uuids: list[str]) -> None:
        async def taken() -> set[str]:
            return {notification["uuid"] for notification in self.gated.taken}

        await until(taken, lambda taken: taken >= set(uuids))

    async def assert_received_once_each_in_key_order(self, uuids: list[str]) -> None:
        """Exactly these were delivered, as history says too. An attempt that was not answered in time, on a busy
        machine, is the only thing that brings one twice, and then history has it as failed."""
        received = [notification["uuid"] for notification in self.gated.received]
        firsts = list(dict.fromkeys(received))
        assert sorted(firsts) == sorted(uuids)
        for key in range(KEYS):
            of_key = [uuid for uuid in firsts if uuid.startswith(f"{self.name}-{key}-")]
            assert of_key == sorted(of_key)
        attempts = await until(lambda: self.server.attempts(self.id), lambda found: len(found) >= len(received))
        assert Counter(attempt["uuid"] for attempt in attempts) == Counter(received)
        delivered = [attempt["uuid"] for attempt in attempts if attempt["outcome"] == "delivered"]
        assert sorted(delivered) == sorted(uuids)

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [
            line for line in self.process.log() if line["event"] == event and line.get("subscription_id") == self.id
        ]


@asynccontextmanager
async def set_stage(process: Forked, server: Server, name: str, wanted: str = "", **more: Any) -> AsyncIterator[Stage]:
    stage = Stage(process, server, name)
    async with stage.gated.listening(), stage.other.listening():
        stage.id = await server.subscribe(stage.gated.url, MESSAGES + wanted, **more)
        other = await server.subscribe(stage.other.url)
        yield stage
        stage.gated.gate.set()
        await server.unsubscribe(other)


async def assert_it_is_over(stage: Stage) -> None:
    """Its subscription has ended: what was under way is abandoned, what waited is dropped and said, nothing comes."""
    received = await stage.nothing_goes_on()
    (dropped,) = stage.logged("backlog.dropped")
    assert dropped["rows"] == FIRST
    await stage.publish(numbers(FIRST, LATER))
    await stage.the_other_has(FIRST + LATER)
    stage.gated.gate.set()
    assert await stage.nothing_goes_on() == received
    attempts = await stage.server.attempts(stage.id)
    assert [attempt for attempt in attempts if attempt["outcome"] == "delivered"] == []
    assert any(attempt["failureCode"] == "cancelled" for attempt in attempts), "they were under way"


async def test_a_deleted_one_gets_nothing_more_and_its_backlog_is_dropped(process: Forked, server: Server) -> None:
    async with set_stage(process, server, "deleted") as stage:
        await stage.fill(FIRST)
        await server.unsubscribe(stage.id)
        await assert_it_is_over(stage)


async def test_one_that_expires_gets_nothing_more_and_its_backlog_is_dropped(process: Forked, server: Server) -> None:
    async with set_stage(process, server, "expired", expiresIn=600) as stage:
        await stage.fill(FIRST)
        await server.ask("POST", "/dev/clock", json={"advanceSeconds": 601})

        async def ended() -> bool:
            return bool(stage.logged("subscription.expired"))

        await until(ended, bool)
        assert await server.error_of(stage.id) == (404, "SUB-507")
        await assert_it_is_over(stage)


async def test_a_paused_one_keeps_what_waits_and_gets_all_of_it_once_when_it_goes_on(
    process: Forked, server: Server
) -> None:
    async with set_stage(process, server, "paused") as stage:
        await stage.fill(FIRST)
        assert (await server.ask("POST", f"/subscriptions/{stage.id}/pause"))["isPaused"]
        stage.gated.gate.set()  # what was under way may end; nothing else begins
        received = await stage.nothing_goes_on()
        taken = len({notification["uuid"] for notification in stage.gated.taken})
        await stage.publish(numbers(FIRST, LATER))
        await stage.the_other_has(FIRST + LATER)
        lane = await stage.lane()
        assert (lane["isHeld"], lane["inFlight"], lane["backlogRows"]) == (True, 0, FIRST + LATER - taken)
        assert len(stage.gated.received) == received <= KEYS * 2
        assert stage.logged("backlog.dropped") == []

        await server.ask("POST", f"/subscriptions/{stage.id}/resume")
        everything = stage.uuids(numbers(0, FIRST + LATER))
        await stage.the_gated_one_has(everything)
        await stage.assert_received_once_each_in_key_order(everything)
        await server.unsubscribe(stage.id)


@pytest.mark.parametrize(("name", "before", "after"), [("apart", INBOUND, OUTBOUND), ("wider", INBOUND, "")])
async def test_one_with_other_filters_gets_old_positions_by_the_old_ones_and_new_ones_by_the_new(
    process: Forked, server: Server, name: str, before: str, after: str
) -> None:
    async with set_stage(process, server, name, before) as stage:
        await stage.fill(FIRST // 2)
        await server.refilter(stage.id, MESSAGES + after)
        await stage.publish(numbers(FIRST, LATER))
        await stage.the_other_has(FIRST + LATER)
        stage.gated.gate.set()

        old = stage.uuids(range(1, FIRST, 2))
        new = stage.uuids(range(FIRST, FIRST + LATER, 2 if after else 1))
        await stage.the_gated_one_has(old + new)
        await stage.assert_received_once_each_in_key_order(old + new)
        by = {notification["uuid"]: notification["event"] for notification in stage.gated.received}
        concrete = MESSAGES.replace("~", server.demo["BELLWIRE_ACCOUNT_ID"])
        assert by == dict.fromkeys(old, concrete + before) | dict.fromkeys(new, concrete + after)
        await server.unsubscribe(stage.id)
