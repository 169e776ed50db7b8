"""`kill -9` at more than twenty random moments under load, over one data directory: acknowledged against received.

The moments, and what endpoints do, follow from a seed that is printed; `FAULTS_SEED=… pytest tests/e2e/faults` uses it
again. (How far the server has come at a moment is the machine's affair, so a repetition is alike and not the same.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random, SystemRandom

import pytest

from bellwire.testing.receiver import ACCEPTED, ReceivedRequest, Reply, WebhookReceiver
from tests.command_line import run
from tests.e2e.faults.audit import Audit, Event, Receipt, Witness
from tests.e2e.faults.load import FILTER, Load, Producer, Server, reached, under
from tests.e2e.faults.nursery import Forked, Nursery
from tests.e2e.faults.remains import Records, all_has_come

KILLS = 22
AT_START = 11
"""Every eleventh is killed on its way up, the others under load."""
DELETED_IN = KILLS // 2
"""The life in which one subscription is deleted, with its notifications under way."""
KEYS = 8

Misbehaviour = Callable[[Random], Reply]


def steady(_random: Random) -> Reply:
    return ACCEPTED


def slow(_random: Random) -> Reply:
    """Slower than what comes: it lives by its backlog."""
    return Reply(delay_seconds=0.03)


def flaky(random: Random) -> Reply:
    if random.random() >= 0.03:
        return ACCEPTED
    return random.choice(
        (
            Reply(status=503),
            Reply(status=500),
            Reply(raw=b"", hangs_up=True),
            Reply(raw=b"200 fine\r\n\r\n", hangs_up=True),
        )
    )


def hanging(random: Random) -> Reply:
    return Reply(never=True) if random.random() < 0.005 else ACCEPTED


class Endpoint:
    """A subscription's address, with a witness of all that comes there."""

    def __init__(self, name: str, behaviour: Misbehaviour, seed: int, wanted: str = "") -> None:
        self.witness = Witness(name, (lambda event: event.number % 2 == 1) if wanted else (lambda _event: True))
        self.filter = FILTER + wanted
        self.life = 0
        self.receiver = WebhookReceiver(keep=False, answer=self._answer)
        self._behaviour = behaviour
        self._random = Random(f"{seed} {name}")

    def heal(self) -> None:
        self._behaviour = steady

    def _answer(self, request: ReceivedRequest) -> Reply:
        reply = self._behaviour(self._random)
        is_taken = reply.status == 200 and reply.raw is None and not reply.never
        self.witness.receive(Receipt(request.json()["uuid"], self.life, is_taken, request.received_at))
        return reply


def events_of(uuids: Sequence[str]) -> list[Event]:
    split = ((uuid, *uuid.rpartition("-")[::2]) for uuid in uuids)
    return [Event(uuid, key, int(number)) for uuid, key, number in split]


class Story:
    """One data directory, its producers and its endpoints, through many lives of the server."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.data = directory / "data"
        scratch = directory / "scratch"
        scratch.mkdir()
        self.records = Records(self.data, scratch)
        self.load = Load([Producer(f"key{number}", pause=0.05) for number in range(KEYS)])
        self.endpoints = {
            name: Endpoint(name, behaviour, seed, wanted)
            for name, behaviour, wanted in (
                ("steady", steady, ""),
                ("inbound", steady, "?direction=Inbound"),
                ("flaky", flaky, ""),
                ("hanging", hanging, ""),
                ("slow", slow, ""),
                ("down", steady, ""),
                ("paused", steady, ""),
                ("deleted", steady, ""),
            )
        }
        self.ids: dict[str, str] = {}
        """Of subscriptions, by name."""
        self.on_record: list[Collection[tuple[str, str]]] = []
        self._random = Random(seed)

    @property
    def kept(self) -> list[Endpoint]:
        """Those whose subscriptions last to the end."""
        return [endpoint for name, endpoint in self.endpoints.items() if name != "deleted"]

    def by_name(self, records: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        names = {id_: name for name, id_ in self.ids.items()}
        return {(names[subscription], uuid) for subscription, uuid in records}

    async def begin(self, server: Server) -> None:
        """In the first life."""
        for name, endpoint in self.endpoints.items():
            self.ids[name] = await server.subscribe(endpoint.receiver.url, endpoint.filter)
        await server.ask("POST", f"/subscriptions/{self.ids['paused']}/pause")

    async def live(self, server: Server, process: Forked, *, delete: bool) -> None:
        """Under load until a random moment; then it is killed."""
        steady = self.endpoints["steady"]
        async with under(self.load, server):
            wanted = len(steady.witness.receipts) + self._random.randrange(20, 120)
            await steady.receiver.wait_until(lambda: len(steady.witness.receipts) >= wanted, 60, "load")
            if delete:
                await server.unsubscribe(self.ids["deleted"])
            await asyncio.sleep(self._random.uniform(0.0, 0.1))
            process.kill()

    async def start_and_die(self, process: Forked) -> None:
        """It is killed on its way up, perhaps just when it has begun to send."""
        await asyncio.sleep(self._random.uniform(0.0, 1.2))
        process.kill()

    async def note_death(self, *, but: Collection[str] = ()) -> None:
        """Wait until all that the dead process sent has come, and look at its history.

        Args:
            but: endpoints that are down.
        """
        for name, endpoint in self.endpoints.items():
            if name not in but:
                await all_has_come(endpoint.receiver)
        self.on_record.append(self.by_name(self.records.delivered()))
        for endpoint in self.endpoints.values():
            endpoint.life = len(self.on_record)

    async def settle(self, server: Server) -> None:
        """All endpoints are well, and everything acknowledged arrives."""
        acknowledged = events_of(self.load.acknowledged)
        await server.ask("POST", f"/subscriptions/{self.ids['paused']}/resume")
        for endpoint in self.kept:
            endpoint.heal()
        for endpoint in self.kept:
            await endpoint.receiver.wait_until(
                lambda witness=endpoint.witness: not witness.lacks(acknowledged),  # type: ignore[misc]
                90,
                endpoint.witness.name,
            )


@pytest.mark.timeout(600)
async def test_kills_lose_nothing_keep_order_and_repeat_only_what_had_no_record(
    tmp_path: Path, nursery: Nursery
) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or SystemRandom().randrange(1 << 32))
    print(f"FAULTS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    story = Story(tmp_path, seed)
    down = story.endpoints["down"].receiver
    async with AsyncExitStack() as stack:
        for endpoint in story.endpoints.values():
            await stack.enter_async_context(endpoint.receiver)
        for life in range(KILLS):
            if life == KILLS // 3:
                await down.stop()
            if life == 2 * KILLS // 3:
                await down.start()
            process = nursery.dev(story.data)
            if life % AT_START == AT_START - 1:
                await story.start_and_die(process)
            else:
                server = await reached(process, story.data)
                if life == 0:
                    await story.begin(server)
                await story.live(server, process, delete=life == DELETED_IN)
            await story.note_death(but=("down",) if KILLS // 3 <= life < 2 * KILLS // 3 else ())
        process = nursery.dev(story.data)
        await story.settle(await reached(process, story.data))
        exit_code = await asyncio.to_thread(process.stop)

    acknowledged, published = events_of(story.load.acknowledged), events_of(story.load.published)
    at_last = story.by_name(story.records.delivered())
    failures = {place: count for failed, count in story.records.failed.items() for place in story.by_name([failed])}
    audit = Audit(published, acknowledged, story.on_record, failures)
    assert [complaint for endpoint in story.kept for complaint in audit.complaints(endpoint.witness)] == []
    assert exit_code == 0
    assert run("check", "--data", str(story.data)).exit_code == 0
    owed = {(e.witness.name, event.uuid) for e in story.kept for event in acknowledged if e.witness.wants(event)}
    assert owed <= at_last, "history has a delivery of each"

    deleted = story.endpoints["deleted"].witness
    assert {receipt.life for receipt in deleted.receipts} <= set(range(DELETED_IN + 1)), "no kill brings it back"
    assert replace(audit, acknowledged=[]).complaints(deleted) == []
    repeats = {endpoint.witness.name: len(audit.repeats(endpoint.witness)) for endpoint in story.endpoints.values()}
    print(f"{len(acknowledged)} events, repeats: {repeats}")  # noqa: T201
    assert repeats["paused"] == 0, "nothing of its backlog was under way at any kill"
    # What was put into all this: otherwise it shows nothing.
    assert len(story.on_record) == KILLS
    assert len(acknowledged) >= 800
    assert repeats["flaky"] > 0
    assert deleted.receipts
