"""The smpp34 SMSC as a test talks to it, and a proxy in front of it that can speak TLS and be cut."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("smpp34_smsc.py")
PATIENCE_SECONDS = 60.0


class Smsc:
    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.seen: list[dict[str, Any]] = []
        """All that it said, in order."""
        self._process = process
        self._changed = asyncio.Condition()

    def tell(self, do: str, **what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")

    def deliver(self, text: bytes, *, source: str, destination: str, esm_class: int = 0, data_coding: int = 0) -> None:
        """Have it hand a text over until that is acknowledged."""
        self.tell(
            "deliver",
            text=text.hex(),
            source=source,
            destination=destination,
            esm_class=esm_class,
            data_coding=data_coding,
        )

    def those(self, event: str) -> list[dict[str, Any]]:
        return [said for said in self.seen if said["event"] == event]

    async def until(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """What it said of that event, once there are so many."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.those(event)) >= count)
        return self.those(event)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._changed:
                self.seen.append(json.loads(line))
                self._changed.notify_all()


@asynccontextmanager
async def an_smpp34_smsc(*, auto: bool = False) -> AsyncIterator[Smsc]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        str(port),
        *(["--auto"] if auto else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    smsc = Smsc(port, process)
    listening = asyncio.create_task(smsc.listen())
    try:
        await smsc.until("listening")
        yield smsc
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


class Proxy:
    def __init__(self, port: int) -> None:
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """End every connection as a broken network does."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@asynccontextmanager
async def a_proxy(to_port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to_port)
        proxy.writers += [writer, there_writer]
        for task in (
            asyncio.create_task(pump(reader, there_writer)),
            asyncio.create_task(pump(there_reader, writer)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.gather(*tasks, return_exceptions=True)
