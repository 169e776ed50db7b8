"""`kill -9` at two dozen random moments under load, over one data directory: what was acknowledged against what came.

The moments, and what endpoints do, follow from a seed that is printed; `FAULTS_SEED=… pytest tests/e2e/faults` uses it
again. (How far the server has come at a moment is the machine's affair, so a repetition is alike and not the same.)
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from random import Random, SystemRandom

import pytest

from bellwire.testing.receiver import ACCEPTED, ReceivedRequest, Reply, WebhookReceiver
from tests.command_line import run
from tests.e2e.faults.audit import Audit, Event, Receipt, Witness
from tests.e2e.faults.load import FILTER, Load, Producer, Server, reached, under
from tests.e2e.faults.nursery import Nursery

KILLS = 24
AT_START = 6
"""Every sixth is killed on its way up, before it answers."""
KEYS = 8
DELIVERED = 0
"""An outcome, as `delivery.db` has it."""

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

    async def all_has_come(self) -> None:
        """Wait until everything that a process which is dead now has sent was received: connections are accepted in
        the order in which they came, and each ends with what was sent on it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.receiver.port)
        writer.write(b"POST / HTTP/1.1\r\nValidation-Token: last\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        async with asyncio.timeout(60):
            while self.receiver.open_connections:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)

    def _answer(self, request: ReceivedRequest) -> Reply:
        reply = self._behaviour(self._random)
        is_taken = reply.status == 200 and reply.raw is None and not reply.never
        self.witness.receive(Receipt(request.json()["uuid"], self.life, is_taken, request.received_at))
        return reply


class Records:
    """The deliveries in `delivery.db`, read as the file is after a kill, from a copy, by another SQLite."""

    def __init__(self, data: Path, scratch: Path) -> None:
        self._data = data
        self._scratch = scratch
        self._last_id = 0
        self._delivered: set[tuple[str, str]] = set()
        self.failed: Counter[tuple[str, str]] = Counter()

    def delivered(self) -> set[tuple[str, str]]:
        """(subscription, uuid), of all lives so far."""
        for name in ("delivery.db", "delivery.db-wal"):
            (self._scratch / name).unlink(missing_ok=True)
            if (self._data / name).exists():
                shutil.copyfile(self._data / name, self._scratch / name)
        with closing(sqlite3.connect(self._scratch / "delivery.db")) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            after = self._last_id
            for table in filter(re.compile(r"attempt_\d+").fullmatch, tables):
                found = db.execute(f"SELECT id, subscription, uuid, outcome FROM {table} WHERE id > ?", (after,))
                for id_, subscription, uuid, outcome in found:
                    if outcome == DELIVERED:
                        self._delivered.add((subscription, uuid))
                    else:
                        self.failed[subscription, uuid] += 1
                    self._last_id = max(self._last_id, id_)
        return set(self._delivered)


def events_of(uuids: Sequence[str]) -> list[Event]:
    split = ((uuid, *uuid.rpartition("-")[::2]) for uuid in uuids)
    return [Event(uuid, key, int(number)) for uuid, key, number in split]


@pytest.mark.timeout(300)
async def test_two_dozen_kills_lose_nothing_keep_order_and_repeat_only_what_had_no_record(
    tmp_path: Path, nursery: Nursery
) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or SystemRandom().randrange(1 << 32))
    print(f"FAULTS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    random = Random(seed)
    data, scratch = tmp_path / "data", tmp_path / "scratch"
    scratch.mkdir()
    records = Records(data, scratch)
    load = Load([Producer(f"key{number}", pause=0.05) for number in range(KEYS)])
    endpoints = [
        Endpoint("steady", steady, seed),
        Endpoint("inbound", steady, seed, "?direction=Inbound"),
        Endpoint("flaky", flaky, seed),
        Endpoint("hanging", hanging, seed),
        Endpoint("slow", slow, seed),
        down := Endpoint("down", steady, seed),
    ]
    first = endpoints[0]
    names: dict[str, str] = {}
    on_record: list[Collection[tuple[str, str]]] = []
    server: Server

    async def dead(up: Sequence[Endpoint]) -> None:
        for endpoint in up:
            await endpoint.all_has_come()
        on_record.append({(names[subscription], uuid) for subscription, uuid in records.delivered()})
        for endpoint in endpoints:
            endpoint.life = len(on_record)

    async with AsyncExitStack() as stack:
        for endpoint in endpoints:
            await stack.enter_async_context(endpoint.receiver)
        for life in range(KILLS):
            if life == KILLS // 3:
                await down.receiver.stop()
            if life == 2 * KILLS // 3:
                await down.receiver.start()
            process = nursery.dev(data)
            if life % AT_START == AT_START - 1:
                await asyncio.sleep(random.uniform(0.0, 1.2))
                process.kill()
            else:
                server = await reached(process, data)
                if not names:
                    for endpoint in endpoints:
                        names[await server.subscribe(endpoint.receiver.url, endpoint.filter)] = endpoint.witness.name
                async with under(load, server):
                    wanted = len(first.witness.receipts) + random.randrange(20, 200)
                    await first.receiver.wait_until(lambda: len(first.witness.receipts) >= wanted, 60, "load")  # noqa: B023
                    await asyncio.sleep(random.uniform(0.0, 0.1))
                    process.kill()
            is_down = KILLS // 3 <= life < 2 * KILLS // 3
            await dead([endpoint for endpoint in endpoints if not (is_down and endpoint is down)])

        for endpoint in endpoints:
            endpoint.heal()
        acknowledged, published = events_of(load.acknowledged), events_of(load.published)
        process = nursery.dev(data)
        await reached(process, data)
        for endpoint in endpoints:
            await endpoint.receiver.wait_until(
                lambda: not endpoint.witness.lacks(acknowledged),  # noqa: B023
                90,
                endpoint.witness.name,
            )
        exit_code = await asyncio.to_thread(process.stop)

    at_last = {(names[subscription], uuid) for subscription, uuid in records.delivered()}
    failures = {(names[subscription], uuid): count for (subscription, uuid), count in records.failed.items()}
    audit = Audit(published, acknowledged, on_record, failures)
    assert [complaint for endpoint in endpoints for complaint in audit.complaints(endpoint.witness)] == []
    assert exit_code == 0
    assert run("check", "--data", str(data)).exit_code == 0
    owed = {(e.witness.name, event.uuid) for e in endpoints for event in acknowledged if e.witness.wants(event)}
    assert owed <= at_last, "history has a delivery of each"
    # What was put into all this: otherwise it shows nothing.
    assert len(on_record) == KILLS
    assert len(acknowledged) >= 1000
    repeats = {endpoint.witness.name: audit.repeats(endpoint.witness) for endpoint in endpoints}
    print(f"{len(acknowledged)} events, repeats: {repeats}")  # noqa: T201
    assert repeats["flaky"] > 0
