"""One event for a thousand WebSocket clients, against a bare uvicorn broadcast of the same bytes in the same run.

Bellwire takes the events in, makes them durable, matches them, renders a notification for each of the subscriptions,
writes it with a recovery token of its own, and puts each into history. The yardstick writes one text to all sockets
(bare_broadcast.py). Compared is what a frame costs either server in processor time, all threads together: that does not
depend on what else the machine does, nor on the client. Rounds alternate; the best of each counts. Budget (design.md):
at least 0.6 of the bare broadcast's rate.

    python -m bench.fan_out [--sockets 1000] [--events 40] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from bench.end_to_end import Bellwire, bellwire, event_lines
from bench.processes import cpu_seconds
from bench.results import row
from bench.swarm import FILTER, Swarm, SwarmSocket, allow_open_files, in_parts

BUDGET = 0.6
_MANY = {"BELLWIRE_WEBSOCKET_MAX_CONNECTIONS_PER_USER": "100000"}


@dataclass(frozen=True, slots=True)
class FanOut:
    """Microseconds of processor time a frame: the best rounds, and all of them."""

    bellwire: tuple[float, ...]
    bare: tuple[float, ...]
    frame_bytes: int

    @property
    def ratio(self) -> float:
        """Of Bellwire's rate to the bare broadcast's."""
        return min(self.bare) / min(self.bellwire)


def fan_out(*, sockets: int = 1000, events: int = 40, rounds: int = 5) -> FanOut:
    """Measure."""
    allow_open_files(2 * sockets + 1000)
    with bellwire(settings=_MANY) as server, _bare_broadcast() as yardstick:
        return uvloop.run(_measured(server, yardstick, sockets=sockets, events=events, rounds=rounds))


async def _measured(server: Bellwire, yardstick: tuple[str, int], *, sockets: int, events: int, rounds: int) -> FanOut:
    bare_url, bare_pid = yardstick
    ours, bare = Swarm(server.environment), Swarm({"RC_SERVER_URL": bare_url})
    try:
        await ours.log_in(sockets)
        await ours.renew_tokens()
        clients: list[SwarmSocket] = await in_parts(sockets, ours.connect)
        await in_parts(sockets, lambda number: clients[number].subscribe(FILTER))
        bare.tokens = ours.tokens
        await in_parts(sockets, bare.connect)
        frame = b""
        costs: tuple[list[float], list[float]] = ([], [])

        async def publish(number: int) -> None:
            await ours.publish(event_lines(server.account, events, uuids=True, prefix=f"r{number}"))

        async def broadcast() -> None:
            async with httpx.AsyncClient(base_url=bare_url, trust_env=False, timeout=120) as http:
                (await http.post(f"/broadcast?times={events}", content=frame)).raise_for_status()

        for number in range(-1, rounds):  # the first is to warm up
            spent = await _cost(ours, server.process.pid, functools.partial(publish, number), sockets * events)
            frame = clients[0].last_frame
            reference = await _cost(bare, bare_pid, broadcast, sockets * events)
            if number >= 0:
                costs[0].append(spent)
                costs[1].append(reference)
        return FanOut(tuple(costs[0]), tuple(costs[1]), len(frame))
    finally:
        await ours.aclose()
        await bare.aclose()


async def _cost(swarm: Swarm, pid: int, work: Callable[[], Awaitable[None]], frames: int) -> float:
    """Microseconds of processor time that a process spends on a frame."""
    before, target = cpu_seconds(pid), swarm.received + frames
    await work()
    await swarm.until(target)
    await asyncio.sleep(0.2)  # what is put off, history for one, counts too
    return 1e6 * (cpu_seconds(pid) - before) / frames


@contextlib.contextmanager
def _bare_broadcast() -> Iterator[tuple[str, int]]:
    """Its URL and process id."""
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as directory:
        file = Path(directory) / "port"
        process = subprocess.Popen([sys.executable, "-m", "bench.bare_broadcast", str(file)])
        try:
            ends_at = time.monotonic() + 60
            while not (file.exists() and file.read_text()):
                assert process.poll() is None and time.monotonic() < ends_at, "the bare broadcast did not start"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{file.read_text()}", process.pid
        finally:
            process.terminate()
            process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--events", type=int, default=40, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = fan_out(sockets=options.sockets, events=options.events, rounds=options.rounds)
    print(
        f"{options.sockets:,} sockets, {options.rounds} rounds of {options.events} events, "
        f"{found.frame_bytes} bytes a frame"
    )
    for name, costs in (("bellwire", found.bellwire), ("bare", found.bare)):
        rounds = ", ".join(f"{cost:.1f}" for cost in costs)
        print(f"{name:<9}{1e6 / min(costs):>9,.0f} frames a second of processor time   us a frame: {rounds}")
    row(
        f"WebSocket fan-out to {options.sockets:,}",
        round(1e6 / min(found.bellwire)),
        "frames a second of processor time",
        reference=round(1e6 / min(found.bare)),
        at_least=BUDGET,
    )
    verdict = "met" if found.ratio >= BUDGET else "MISSED"
    print(f"ratio    {found.ratio:>9.2f}     budget: at least {BUDGET}, {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
