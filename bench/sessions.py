"""What ten thousand WebSocket sessions take of a server's memory.

Each has a connection of its own and a subscription, and was told of an event; all are open at the same time. Counted is
by how much the resident memory of the server's process grew since before the first of them. Budget (design.md): at most
1 GiB.

    python -m bench.sessions [--sessions 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import time
from dataclasses import dataclass

import uvloop

from bench.end_to_end import Bellwire, bellwire, event_lines
from bench.processes import cpu_seconds, resident_mib
from bench.results import row
from bench.swarm import FILTER, Swarm, SwarmSocket, allow_open_files, in_parts

BUDGET_MIB = 1024
_SETTINGS = {
    "BELLWIRE_WEBSOCKET_MAX_CONNECTIONS": "100000",
    "BELLWIRE_WEBSOCKET_MAX_CONNECTIONS_PER_USER": "100000",
}
_TOKENS_LAST_SECONDS = 50


@dataclass(frozen=True, slots=True)
class Sessions:
    """`cpu_ms`: of the server's process, to connect and subscribe one."""

    count: int
    before_mib: float
    grown_mib: float
    cpu_ms: float

    @property
    def grown_kib_each(self) -> float:
        return 1024 * self.grown_mib / self.count


def sessions(count: int = 10_000) -> Sessions:
    """Open them, and measure."""
    allow_open_files(count + 1000)
    with bellwire(settings=_SETTINGS) as server:
        return uvloop.run(_measured(server, count))


async def _measured(server: Bellwire, count: int) -> Sessions:
    pid = server.process.pid
    swarm = Swarm(server.environment)
    try:
        await swarm.log_in(count)
        before, cpu_before = resident_mib(pid), cpu_seconds(pid)
        renewed = float("-inf")
        clients: list[SwarmSocket] = []
        while len(clients) < count:
            if time.monotonic() - renewed > _TOKENS_LAST_SECONDS:
                renewed = time.monotonic()
                await swarm.renew_tokens()
            clients += await in_parts(min(500, count - len(clients)), functools.partial(_opened, swarm, len(clients)))
        cpu = cpu_seconds(pid) - cpu_before
        await swarm.publish(event_lines(server.account, 1, uuids=True, prefix="s"))
        await swarm.until(count)
        await asyncio.sleep(1)  # until what was put off, history for one, is done
        return Sessions(count, before, resident_mib(pid) - before, 1000 * cpu / count)
    finally:
        await swarm.aclose()


async def _opened(swarm: Swarm, first: int, number: int) -> SwarmSocket:
    socket = await swarm.connect(first + number)
    await socket.subscribe(FILTER)
    return socket


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000)
    options = parser.parse_args()
    found = sessions(options.sessions)
    row(f"{found.count:,} WebSocket sessions", round(found.grown_mib), "MiB", at_most=BUDGET_MIB * found.count / 10_000)
    is_met = found.grown_mib <= BUDGET_MIB * found.count / 10_000
    print(
        f"{found.count:,} sessions   {found.grown_mib:,.0f} MiB, {found.grown_kib_each:.1f} KiB each "
        f"({found.before_mib:.0f} MiB before)   budget {BUDGET_MIB:,} MiB for 10,000, {'met' if is_met else 'MISSED'}"
    )
    print(f"opening   {found.cpu_ms:.2f} ms of the server's processor time each, connection and subscription")
    return 0


if __name__ == "__main__":
    sys.exit(main())
