"""The server's process, one after the other over one data directory, and what everybody has to know of its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.processes import peak_mib
from tests.command_line import run
from tests.e2e.faults.jumping_clock import ClockFile
from tests.e2e.faults.load import Server
from tests.e2e.faults.nursery import Forked, Nursery
from tests.e2e.faults.remains import Records
from tests.e2e.faults.small_disk import MIB
from tests.e2e.processes import env_of
from torture.endpoints import Endpoint

LOOKED_AT_SECONDS = 0.25
TRACEBACK = "Traceback (most recent call last)"
BUSY = {429, 503, 507}
"""Answers after which one asks again."""


class Lives:
    """`server()` waits for the process that runs, or the next one."""

    def __init__(
        self, nursery: Nursery, data: Path, scratch: Path, environ: dict[str, str], endpoints: Sequence[Endpoint]
    ) -> None:
        scratch.mkdir()
        self.data = data
        self.records = Records(data, scratch)
        self.ended = 0
        """How many lives have."""
        self.on_record: dict[tuple[str, str], int] = {}
        """(subscription, uuid) of the deliveries on disk, and at the end of which life they first were."""
        self.output = scratch / "output"
        """What all of them wrote."""
        self.tracebacks: list[str] = []
        """Of lives that wrote one: which, and its end."""
        self.clock = ClockFile(scratch / "clock")
        self.peak_rss_bytes = 0
        self.first_rss_bytes = 0
        self.process: Forked
        self._nursery = nursery
        self._environ = environ
        self._endpoints = endpoints
        self._demo: dict[str, str] = {}
        self._server: Server | None = None
        self._clients: list[httpx.AsyncClient] = []
        self._runs = asyncio.Event()

    async def server(self) -> tuple[Server, httpx.AsyncClient]:
        """And connections to it, which all share: making a client costs more than many requests."""
        while True:
            await self._runs.wait()
            if self._server is not None:
                return self._server, self._clients[-1]

    async def begin(self) -> None:
        """Start a process; returns at once."""
        self.process = self._nursery.dev(self.data, environ=self._environ, clock=self.clock)

    async def arrive(self) -> Server:
        """Wait until it answers.

        Raises:
            AssertionError: it does not, and with what it said.
        """
        url = await asyncio.to_thread(self.process.url)
        if not self._demo:
            self._demo = env_of((await asyncio.to_thread(run, "env", "--data", str(self.data))).out)
            self.first_rss_bytes = self.look_at_memory()
        self._server = Server(url, self._demo)
        self._clients.append(self._server.http())
        self._runs.set()
        return self._server

    def goes(self) -> None:
        """Nobody is to ask it any more."""
        self._runs.clear()
        self._server = None

    async def close(self) -> None:
        """When all is over: connections, and the process, if it runs."""
        self.process.__exit__(None, None, None)
        for client in self._clients:
            await client.aclose()

    async def kill(self) -> None:
        self.look_at_memory()
        self.goes()
        await asyncio.to_thread(self.process.kill)
        await self.note_end()

    async def terminate(self) -> int:
        """Returns its exit code."""
        self.look_at_memory()
        self.goes()
        self.process.signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.process.wait)
        await self.note_end()
        return code

    async def note_end(self) -> None:
        """Wait until all that the dead process sent has come, and look at its history."""
        for endpoint in self._endpoints:
            await endpoint.all_has_come()
        said = self.process.output()
        with self.output.open("a") as file:
            file.write(f"── process {self.ended}\n{said}\n")
        if TRACEBACK in said:
            self.tracebacks.append(f"process {self.ended} wrote a traceback: {said.partition(TRACEBACK)[2][-1500:]}")
        for delivery in await asyncio.to_thread(self.records.delivered):
            self.on_record.setdefault(delivery, self.ended)
        self.ended += 1
        for endpoint in self._endpoints:
            endpoint.life = self.ended

    def look_at_memory(self) -> int:
        """The most that the process has had in memory."""
        try:
            peak = round(peak_mib(self.process.pid) * MIB)
        except ProcessLookupError:
            return 0
        self.peak_rss_bytes = max(self.peak_rss_bytes, peak)
        return peak

    async def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """The own API, as the operator; asked again until it answers, and is not out of room."""
        while True:
            server, http = await self.server()
            headers = {"Authorization": f"Bearer {server.demo['BELLWIRE_ADMIN_KEY']}"}
            try:
                answer = await http.request(method, "/bellwire/v1" + path, headers=headers, **arguments)
            except httpx.TransportError:  # nobody knows whether it was heeded
                await asyncio.sleep(0.05)
                continue
            if answer.status_code not in BUSY:
                assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer.json()
            await asyncio.sleep(0.1)
