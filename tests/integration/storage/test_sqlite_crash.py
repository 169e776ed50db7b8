"""What was acknowledged is there after `kill -9`, in order, without gaps, and once for each chosen uuid."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bellwire.errors import Misconfigured
from bellwire.ports.event_log import Duplicate
from tests.conformance.event_log import PARTITION, an_event, read_all
from tests.integration.storage.embedded_engine import EmbeddedEngine

WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from bellwire.model.ids import EMBEDDED_PARTITION, Position
from tests.conformance.backlog import a_row
from tests.doubles.attempts import an_attempt
from tests.conformance.event_log import an_event
from tests.integration.storage.embedded_engine import SMALL, EmbeddedEngine

async def main():
    limits = replace(SMALL, dedupe_memory_entries=200)
    engine = await EmbeddedEngine(Path(sys.argv[1]), limits=limits).open()
    generation = sys.argv[2]
    lease = await engine.backlog.claim(EMBEDDED_PARTITION)
    number = 0

    async def publish(lane):
        nonlocal number
        while True:
            first, number = number, number + 7
            events = [an_event(f"{generation}-{n}", chosen=n % 2 == 0) for n in range(first, first + 7)]
            answers = await engine.event_log.append(EMBEDDED_PARTITION, events)
            lines = [f"event {event.uuid} {answer.position}" for event, answer in zip(events, answers)]
            print("\\n".join(lines), flush=True)

    async def settle():
        while True:
            head = engine.event_log.head(EMBEDDED_PARTITION)
            await engine.backlog.commit(lease, head, [an_attempt(head)], [a_row(head)], [])
            print(f"watermark x {head}", flush=True)

    await asyncio.gather(settle(), *(publish(lane) for lane in range(4)))

asyncio.run(main())
"""


async def run_and_kill(directory: Path, generation: str, seconds: float) -> list[tuple[str, str, int]]:
    """Run the writer, kill it without warning, and return the lines that it had got out: kind, uuid, position."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(directory),
        generation,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        limit=1 << 24,
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline()]  # it is up: the time runs from here
    assert lines[0], "the writer did not start"
    asyncio.get_running_loop().call_later(seconds, child.send_signal, signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return [(kind, uuid, int(position)) for kind, uuid, position in whole]


async def test_acknowledged_events_outlive_kill_9(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    acknowledged: dict[str, int] = {}
    watermark = 0
    for generation, seconds in (("a", 0.5), ("b", 0.2)):
        for kind, uuid, position in await run_and_kill(directory, generation, seconds):
            if kind == "event":
                acknowledged[uuid] = position
            else:
                watermark = position
    engine = await EmbeddedEngine(directory).open()
    found = await read_all(engine.event_log)

    assert len(acknowledged) > 100
    assert [logged.position for logged in found] == list(range(1, len(found) + 1))
    by_position: dict[int, str] = {logged.position: logged.event.uuid for logged in found}
    assert all(by_position[position] == uuid for uuid, position in acknowledged.items())

    chosen = [uuid for uuid in acknowledged if int(uuid.split("-")[1]) % 2 == 0]
    assert len({logged.event.uuid for logged in found if logged.event.chosen}) == sum(
        logged.event.chosen for logged in found
    )
    again = await engine.event_log.append(PARTITION, [an_event(uuid, chosen=True) for uuid in chosen])
    assert all(isinstance(answer, Duplicate) for answer in again)
    assert [answer.position for answer in again] == [acknowledged[uuid] for uuid in chosen]

    recovery = await engine.backlog.load(await engine.backlog.claim(PARTITION))
    assert recovery.watermark >= watermark > 0
    await engine.close()


async def test_a_second_process_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(engine.directory),
        "x",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    out, err = await child.communicate()
    await engine.close()
    assert child.returncode == 1
    assert out == b""
    assert b"Misconfigured" in err
    assert f"pid {os.getpid()}".encode() in err


async def test_a_second_engine_of_the_same_process_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    engine = await EmbeddedEngine(tmp_path / "data").open()
    with pytest.raises(Misconfigured, match="in use by another Bellwire process"):
        await EmbeddedEngine(tmp_path / "data").open()
    await engine.event_log.append(PARTITION, [an_event()])
    await engine.close()
    assert len(await read_all((await engine.open()).event_log)) == 1
    await engine.close()
