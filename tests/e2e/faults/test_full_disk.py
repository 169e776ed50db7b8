"""A disk that fills up under a real process: nothing acknowledged is lost, and it goes on when there is room again."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles.delivering import until as until_it_is
from tests.e2e.faults.endpoints import Gated
from tests.e2e.faults.endpoints import until as endpoint_until
from tests.e2e.faults.load import Inbox, Producer, Server, figure, reached
from tests.e2e.faults.nursery import Nursery
from tests.e2e.faults.small_disk import MIB, CannotMount, Filler, kept_full, mounted
from tests.e2e.processes import bellwire

DISK_MIB = 320
BALLAST = 64 * MIB
CHECKPOINT_BYTES = 1000 * 8192
"""So much in the WAL, and SQLite moves it into the file itself, if it can."""
WITHIN_SECONDS = 60
SWEEPS = "bellwire_retention_sweeps_total"
DROPPED = r'bellwire_retention_dropped_total\{what="events"\}'


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory that is a file system of its own; the test is skipped where none can be, but not in CI."""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(mounted(tmp_path / "disk", DISK_MIB))
        except CannotMount as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield place


class Publisher(Producer):
    """Goes on for as long as it is told, whatever it is answered; what is not taken is published again."""

    def __init__(self, *, pad: int = 0) -> None:
        """`pad`: bytes in each event's body beyond what it needs."""
        super().__init__("published")
        self.refusals: list[httpx.Response] = []
        self._pad = "x" * pad
        self._changed = asyncio.Condition()

    async def run(self, server: Server, stopping: asyncio.Event) -> None:
        async with server.http() as http:
            while not stopping.is_set():
                try:
                    answer = await self._publish(server, http)
                except httpx.TransportError:
                    return
                async with self._changed:
                    if answer.status_code == 202:
                        first = len(self.acknowledged)
                        self.acknowledged += [f"{self.name}-{first + n}" for n in range(self.batch)]
                    else:
                        self.refusals.append(answer)
                    self._changed.notify_all()
                if answer.status_code != 202:
                    await asyncio.sleep(0.05)

    async def wait_for_more(self, events: int) -> None:
        wanted = len(self.acknowledged) + events
        await self._wait(lambda: len(self.acknowledged) >= wanted)

    async def wait_for_refusal(self) -> httpx.Response:
        known = len(self.refusals)
        await self._wait(lambda: len(self.refusals) > known)
        return self.refusals[-1]

    async def _wait(self, claim: Any) -> None:
        async with asyncio.timeout(WITHIN_SECONDS), self._changed:
            await self._changed.wait_for(claim)

    def _event(self, server: Server, number: int) -> dict[str, Any]:
        event = super()._event(server, number)
        event["body"]["pad"] = self._pad
        return event


@asynccontextmanager
async def publishing(publisher: Publisher, server: Server) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(publisher.run(server, stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


async def let_pass(server: Server, http: httpx.AsyncClient, time: timedelta) -> None:
    answer = await http.post(
        "/bellwire/v1/dev/clock",
        json={"advanceSeconds": time.total_seconds()},
        headers={"Authorization": f"Bearer {server.demo['BELLWIRE_ADMIN_KEY']}"},
    )
    assert answer.status_code == 200, answer.text


async def until(http: httpx.AsyncClient, name: str, least: float) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while await figure(http, name) < least:  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.1)


async def test_a_disk_that_fills_up_takes_nothing_more_but_delivers_checkpoints_and_forgets(
    data: Path, nursery: Nursery
) -> None:
    """Retention and checkpoints go on in the room of the ballast."""
    filler, publisher, inbox = Filler(data), Publisher(pad=20_000), Inbox()
    async with inbox.receiver:
        with nursery.dev(data, environ={"BELLWIRE_MIN_FREE_MIB": "8"}) as process:
            server = await reached(process, data)
            await server.subscribe(inbox.receiver.url)
            async with server.http() as http:
                async with publishing(publisher, server):
                    await publisher.wait_for_more(100)
                    assert (data / "ballast").stat().st_size == BALLAST
                    filler.leave(6 * MIB)
                    refusal = await publisher.wait_for_refusal()
                    assert not (data / "ballast").exists()
                    # The name goes before the blocks do.
                    await until_it_is(lambda: filler.free() > BALLAST // 2, WITHIN_SECONDS)
                    await inbox.wait_for_all(publisher.acknowledged)

                    assert await figure(http, DROPPED) == 0
                    for hours in (1, 73):  # what is in the log by now is noted in the first sweep
                        sweeps = await figure(http, SWEEPS)
                        await let_pass(server, http, timedelta(hours=hours))
                        await until(http, SWEEPS, sweeps + 1)
                    await until(http, DROPPED, 100)
                    still_refused = await publisher.wait_for_refusal()
                    filler.go()
                    await publisher.wait_for_more(100)
                await inbox.wait_for_all(publisher.acknowledged)
            assert (data / "ballast").stat().st_size == BALLAST
            exit_code = await asyncio.to_thread(process.stop)
        checked = await asyncio.to_thread(bellwire, "check", "--data", str(data))

    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert still_refused.status_code == 503
    assert inbox.repeated() == {}
    inbox.assert_key_order()
    assert exit_code == 0
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_a_disk_without_a_byte_left_loses_nothing_that_was_acknowledged(data: Path, nursery: Nursery) -> None:
    """Appends fail, and so does the checkpoint before; stopping and starting are possible, and say what is wrong."""
    filler, publisher, inbox = Filler(data), Publisher(pad=20_000), Inbox()
    wal, log = data / "log.db-wal", data / "log.db"
    async with inbox.receiver:
        with nursery.dev(data) as process:
            server = await reached(process, data)
            await server.subscribe(inbox.receiver.url)
            async with publishing(publisher, server):
                await publisher.wait_for_more(250)  # five of eight MiB after which SQLite would move it all to the file
                assert wal.stat().st_size < CHECKPOINT_BYTES
                filler.leave(5 * MIB)
                refusal = await publisher.wait_for_refusal()
                assert wal.stat().st_size > CHECKPOINT_BYTES, "a checkpoint was due"
                assert log.stat().st_size < CHECKPOINT_BYTES, "and found no room"
                assert not (data / "ballast").exists()
                async with kept_full(filler):
                    await publisher.wait_for_refusal()
                    await inbox.wait_for_all(publisher.acknowledged)
                filler.go()
                await publisher.wait_for_more(250)
                filler.leave(0)
                async with kept_full(filler):
                    await publisher.wait_for_refusal()
            async with kept_full(filler):
                exit_code = await asyncio.to_thread(process.stop)
        stopped = process.output()
        with nursery.dev(data) as process:
            async with kept_full(filler):
                refused_start = await asyncio.to_thread(process.wait)
        complaint = process.output()
        filler.go()
        with nursery.dev(data) as process:
            server = await reached(process, data)
            async with publishing(publisher, server):
                await publisher.wait_for_more(50)
            await inbox.wait_for_all(publisher.acknowledged)
            await asyncio.to_thread(process.stop)
        checked = await asyncio.to_thread(bellwire, "check", "--data", str(data))

    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert exit_code == 0, stopped
    assert "Traceback" not in stopped
    assert refused_start == 2, complaint
    assert "Traceback" not in complaint
    assert "is full; make room" in complaint
    inbox.assert_key_order()
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_output_that_goes_to_the_full_disk_as_well_disturbs_no_delivery(data: Path, nursery: Nursery) -> None:
    """What `dev` prints of each attempt can't be written, in the middle of the attempt's outcome."""
    filler, gated = Filler(data), Gated()
    async with gated.listening():
        with nursery.dev(data / "inner") as process:  # its output is beside that
            server = await reached(process, data / "inner")
            subscription = await server.subscribe(gated.url)
            uuids = [f"one-{number}" for number in range(20)]
            await server.publish([server.message(uuid, key="one", direction="Outbound") for uuid in uuids])

            async def taken() -> list[str]:
                return [notification["uuid"] for notification in gated.taken]

            async def received() -> int:
                return len(gated.received)

            await endpoint_until(received, bool)
            output = data / "inner-output"
            with output.open("a") as file:  # a page that the file has already could take more
                file.write("\n" * (-output.stat().st_size % os.sysconf("SC_PAGE_SIZE")))
            async with kept_full(filler):
                gated.gate.set()
                await endpoint_until(taken, lambda taken: len(taken) >= len(uuids))
            filler.go()
            attempts = await endpoint_until(
                lambda: server.attempts(subscription, outcome="delivered"), lambda found: len(found) >= len(uuids)
            )
    assert await taken() == uuids
    assert [attempt["uuid"] for attempt in attempts] == uuids


async def test_any_other_error_of_the_disk_ends_the_process_and_the_next_one_delivers(
    tmp_path: Path, nursery: Nursery
) -> None:
    """Files that may not grow any more: neither a full disk, nor anything that could be waited for."""
    data, publisher, inbox = tmp_path / "data", Publisher(), Inbox()
    async with inbox.receiver:
        with nursery.dev(data) as process:
            server = await reached(process, data)
            await server.subscribe(inbox.receiver.url)
            async with publishing(publisher, server):
                await publisher.wait_for_more(50)
                _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (16 << 10, most))
                exit_code = await asyncio.to_thread(process.wait)
        everything = process.output()
        with nursery.dev(data) as process:
            await reached(process, data)
            await inbox.wait_for_all(publisher.acknowledged)

    assert exit_code == 1
    assert "storage.failed" in everything
    assert "see the log" in everything
    inbox.assert_key_order()
