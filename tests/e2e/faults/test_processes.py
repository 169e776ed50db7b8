"""A real process under load, killed without warning or asked to stop: what was acknowledged is delivered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from signal import SIGTERM

from tests.command_line import run
from tests.e2e.faults.load import Inbox, Load, Producer, Server
from tests.e2e.processes import BellwireProcess, bellwire, env_of
from tests.e2e.publish.publishing import NDJSON, PATH, message

FLUSH_SECONDS = 1.0
"""An outcome is on disk a twentieth of a second later; so much may pass on a busy machine."""


@contextmanager
def bellwire_dev(data: Path) -> Iterator[BellwireProcess]:
    environ = {"BELLWIRE_MIN_FREE_MIB": "0"}
    with BellwireProcess("dev", "--no-traffic", "--port", "0", "--data", str(data), environ=environ) as process:
        yield process


async def reached(process: BellwireProcess, data: Path) -> Server:
    url = await asyncio.to_thread(process.url)
    return Server(url, env_of(run("env", "--data", str(data)).out))


@asynccontextmanager
async def under(load: Load, server: Server) -> AsyncIterator[None]:
    """Publish while the context lasts."""
    stopping = asyncio.Event()
    running = asyncio.create_task(load.run(server, stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


def a_load() -> Load:
    return Load([Producer(f"producer{number}") for number in range(8)])


async def test_kill_9_under_load_loses_nothing_and_doubles_only_what_was_on_its_way(tmp_path: Path) -> None:
    load, inbox, late = a_load(), Inbox(), Inbox()
    killed_at: list[float] = []
    async with inbox.receiver:
        for generation in range(3):
            with bellwire_dev(tmp_path) as process:
                server = await reached(process, tmp_path)
                if generation == 0:
                    await server.subscribe(inbox.receiver.url)
                    async with late.receiver:  # which is down from here on
                        await server.subscribe(late.receiver.url)
                async with under(load, server):
                    await inbox.wait_for(len(inbox.uuids) + 400)
                    process.kill()
                    killed_at.append(asyncio.get_running_loop().time())
        async with late.receiver:
            with bellwire_dev(tmp_path) as process:
                await reached(process, tmp_path)
                await inbox.wait_for_all(load.acknowledged)
                await late.wait_for_all(load.acknowledged)

    assert len(load.acknowledged) >= 1000
    inbox.assert_key_order()
    for uuid, times in inbox.repeated().items():
        near_kills = [at for at in times[:-1] if any(abs(kill - at) < FLUSH_SECONDS for kill in killed_at)]
        assert len(near_kills) == len(times) - 1, f"{uuid} came at {times}, killed at {killed_at}"
    # Nothing was on its way to an endpoint that was down: its backlog outlived three kills, and went out once.
    late.assert_key_order()
    assert late.repeated() == {}


async def test_sigterm_under_load_ends_with_0_and_everything_acknowledged_is_delivered_once(tmp_path: Path) -> None:
    """And before that a second process on the same data directory is refused, while the first goes on."""
    load, inbox = a_load(), Inbox()
    async with inbox.receiver:
        with bellwire_dev(tmp_path) as process:
            server = await reached(process, tmp_path)
            await server.subscribe(inbox.receiver.url)
            async with under(load, server):
                await inbox.wait_for(400)
                second = await asyncio.to_thread(
                    bellwire, "dev", "--no-traffic", "--port", "0", "--data", str(tmp_path)
                )
                await inbox.wait_for(len(inbox.uuids) + 100)
                exit_code = await asyncio.to_thread(process.stop, SIGTERM)
            everything = process.everything()
        with bellwire_dev(tmp_path) as process:
            await reached(process, tmp_path)
            await inbox.wait_for_all(load.acknowledged)

    assert second.returncode == 2
    assert str(tmp_path) in second.stderr
    assert exit_code == 0
    assert "Traceback" not in everything
    assert "error" not in everything.lower(), everything
    inbox.assert_key_order()
    assert inbox.repeated() == {}


async def test_sigterm_answers_a_stream_that_goes_on_for_ever_with_what_was_taken(tmp_path: Path) -> None:
    inbox = Inbox()
    async with inbox.receiver:
        with bellwire_dev(tmp_path) as process:
            server = await reached(process, tmp_path)
            await server.subscribe(inbox.receiver.url)
            host, _, port = server.url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {NDJSON}\r\nContent-Length: 1000000\r\n"
                f"Authorization: Bearer {server.demo['BELLWIRE_PUBLISHER_KEY']}\r\n\r\n".encode()
            )
            for number in range(50):
                writer.write(message(number, uuid=f"streamed-{number}") + b"\n")
            answering = asyncio.create_task(reader.read())
            arriving = asyncio.create_task(inbox.wait_for(50))
            await asyncio.wait({answering, arriving}, return_when=asyncio.FIRST_COMPLETED)
            assert not answering.done(), answering.result()
            await arriving

            exit_code = await asyncio.to_thread(process.stop, SIGTERM, timeout=5)
            head, _, content = (await answering).partition(b"\r\n\r\n")
            writer.close()

    assert exit_code == 0
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in head.lower()
    assert json.loads(content)["accepted"] == 50
    assert "Traceback" not in process.everything()
