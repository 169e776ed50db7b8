"""An SMSC that does what a test tells it, for what no well-behaved one does; it reads with smpp34's codec."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import smpp34

from tests.unit.wire.smpp.peer_pdus import bind_answer, raw

Pdu = smpp34.SubmitSm | smpp34.DeliverSm | smpp34.RawPdu
PATIENCE_SECONDS = 30.0


class Line:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def pdu(self) -> Pdu:
        """The next PDU; raises `IncompleteReadError` at the connection's end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await self._reader.readexactly(4)
            rest = await self._reader.readexactly(int.from_bytes(head, "big") - 4)
        return smpp34.decode(head + rest)

    async def raw(self) -> smpp34.RawPdu:
        pdu = await self.pdu()
        assert isinstance(pdu, smpp34.RawPdu), pdu
        return pdu

    async def submit(self) -> smpp34.SubmitSm:
        pdu = await self.pdu()
        assert isinstance(pdu, smpp34.SubmitSm), pdu
        return pdu

    async def accept_bind(self) -> smpp34.RawPdu:
        bind = await self.raw()
        assert bind.command_id == 0x9
        self.write(bind_answer(sequence=bind.sequence_number))
        return bind

    async def accept_unbind(self) -> None:
        unbind = await self.raw()
        assert unbind.command_id == 0x6
        self.write(raw(0x80000006, sequence=unbind.sequence_number))

    async def at_end(self) -> bool:
        """Wait for the connection's end; False: something else came."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    def write(self, *pdus: bytes) -> None:
        self._writer.write(b"".join(pdus))

    def cut(self) -> None:
        """End the connection as a broken network does."""
        self._writer.transport.abort()


class ScriptedSmsc:
    def __init__(self, port: int, lines: asyncio.Queue[Line]) -> None:
        self.port = port
        self._lines = lines

    async def line(self) -> Line:
        """The next connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._lines.get()

    async def bound_line(self) -> Line:
        line = await self.line()
        await line.accept_bind()
        return line


@asynccontextmanager
async def a_scripted_smsc(tls: Callable[[], ssl.SSLContext] | None = None) -> AsyncIterator[ScriptedSmsc]:
    lines: asyncio.Queue[Line] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        lines.put_nowait(Line(reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls() if tls is not None else None)
    try:
        yield ScriptedSmsc(server.sockets[0].getsockname()[1], lines)
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
