"""Endpoints for fault tests: one that answers nothing until it is told to, and some that are broken until they heal."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.integration.transports.peers import OK, Peer, Request, receiving

Misbehaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What it does instead of answering; the connection is closed when it returns."""


def handshake_answer(request: Request) -> bytes | None:
    """The right answer to a handshake; None for a notification."""
    token = request.header("validation-token")
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n"
    return None if token is None else f"{head}Validation-Token: {token}\r\n\r\n".encode()


class Endpoint:
    """Takes notifications. `received`: all, in order; `taken`: those that it answered with 200."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with receiving(self._behave) as peer:
            self.url = f"http://127.0.0.1:{peer.port}/webhook"
            yield

    async def _behave(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await peer.read(reader)
            if (answer := handshake_answer(request)) is not None:
                writer.write(answer)
                continue
            notification = json.loads(request.body)
            self.received.append(notification)
            if not await self._takes(writer):
                return
            writer.write(OK)
            await writer.drain()
            self.taken.append(notification)

    async def _takes(self, writer: asyncio.StreamWriter) -> bool:
        return True


class Gated(Endpoint):
    """Answers no notification until its gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def _takes(self, writer: asyncio.StreamWriter) -> bool:
        await self.gate.wait()
        return True


class Broken(Endpoint):
    """Misbehaves until it is healed."""

    def __init__(self, misbehaviour: Misbehaviour) -> None:
        super().__init__()
        self.is_well = False
        self._misbehaviour = misbehaviour

    def heal(self) -> None:
        self.is_well = True

    async def _takes(self, writer: asyncio.StreamWriter) -> bool:
        if not self.is_well:
            await self._misbehaviour(writer)
        return self.is_well


async def hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A good answer, byte by byte, that takes longer than anybody waits."""
    for at in range(len(OK)):
        writer.write(OK[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.25)


async def break_off(writer: asyncio.StreamWriter) -> None:
    """Half an answer, and then nothing more."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await hang(writer)


async def hang_up(_writer: asyncio.StreamWriter) -> None:
    pass


async def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def saying(answer: bytes) -> Misbehaviour:
    async def say(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # it hangs up before it has read everything
            writer.write(answer)
            await writer.drain()

    return say


def status(line: bytes, *headers: bytes) -> Misbehaviour:
    return saying(b"\r\n".join([b"HTTP/1.1 " + line, b"Content-Length: 0", *headers, b"", b""]))


class Unaccepting(Endpoint):
    """Its port listens, and once it is shut nobody accepts there: to others, a host that drops what is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._listening.setblocking(False)
        self._pending: list[socket.socket] = []
        self._accepting: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/webhook"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        await self.heal()
        try:
            yield
        finally:
            await self._stop_accepting()
            self._empty()
            self._listening.close()
            for connection in list(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections)

    async def heal(self) -> None:
        self._empty()
        self._accepting = await asyncio.start_server(self._connected, sock=self._listening.dup())

    async def shut(self) -> None:
        """Stop accepting, and fill what the kernel would keep for later."""
        await self._stop_accepting()
        self._listening.listen(0)
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            while True:
                pending = socket.socket()
                pending.setblocking(False)
                self._pending.append(pending)
                async with asyncio.timeout(0.3):
                    await loop.sock_connect(pending, self._listening.getsockname())

    async def _stop_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.close()
            await self._accepting.wait_closed()
            self._accepting = None

    def _empty(self) -> None:
        for pending in self._pending:
            pending.close()
        self._pending.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self._behave(Peer(0), reader, writer)
        writer.close()


async def until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool], seconds: float = 60.0) -> Any:
    found: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not is_so(found := await ask()):  # noqa: ASYNC110 - a server's state tells nobody
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in {seconds} s it came to no more than {str(found)[:1000]}") from None
    return found
