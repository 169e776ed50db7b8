"""Frames that are gathered: what the client reads is what it would read if each were written by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from bellwire.gateway.protocol import GATHERED_BYTES, GatewayProtocol
from tests.doubles.wire import Wire


class Conversation:
    """A connection that was let in, and its client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, compressed: bool = False) -> None:
        self.loop = loop
        config = uvicorn.Config(_let_in, ws_ping_interval=None, log_config=None)
        config.load()
        extensions = [ClientPerMessageDeflateFactory()] if compressed else None
        self.client = ClientProtocol(parse_uri("ws://server.example/ws"), extensions=extensions)
        self.wire = Wire()
        self.server = GatewayProtocol(config, ServerState(), {}, loop)
        self.server.connection_made(self.wire)
        self.client.send_request(self.client.connect())
        self.server.data_received(b"".join(self.client.data_to_send()))
        loop.run_until_complete(asyncio.sleep(0.0))
        self.read()

    def end(self) -> None:
        """Both sides let go: no generator is left to the collector."""
        self.wire.closed = True
        self.server.connection_lost(None)
        while self.server.tasks:
            self.loop.run_until_complete(asyncio.sleep(0))
        self.client.parser.close()

    def read(self) -> list[Frame]:
        """What the client got since the last time."""
        self.client.receive_data(b"".join(self.wire.writes))
        self.wire.writes.clear()
        return [event for event in self.client.events_received() if isinstance(event, Frame)]


async def _let_in(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@contextmanager
def conversation(*, compressed: bool = False) -> Iterator[Conversation]:
    with asyncio.Runner() as runner:
        talk = Conversation(runner.get_loop(), compressed=compressed)
        try:
            yield talk
        finally:
            talk.end()


steps = st.lists(
    st.tuples(
        st.sampled_from(["gather", "gather", "gather", "write", "flush", "ping"]),
        st.sampled_from([0, 1, 125, 126, 700, 65_535, 65_536]),
    ),
    max_size=12,
)


@given(steps=steps, compressed=st.booleans())
def test_the_client_reads_the_same_frames_in_the_same_order(steps: list[tuple[str, int]], compressed: bool) -> None:
    with conversation(compressed=compressed) as talk:
        follow(talk, steps)


def follow(talk: Conversation, steps: list[tuple[str, int]]) -> None:
    server = talk.server
    expected: list[tuple[Opcode, bytes]] = []
    for number, (step, size) in enumerate(steps):
        text = (b"%d" % number).ljust(size, b"x")[:size] if size else b""
        match step:
            case "gather":
                server.gather_text(text)
                expected.append((Opcode.TEXT, text))
            case "write":
                server.write_text(text)
                expected.append((Opcode.TEXT, text))
            case "ping":
                server.write_ping(b"p%d" % number)
                expected.append((Opcode.PING, b"p%d" % number))
            case "flush":
                server.flush_text()
        assert server.unsent_bytes < GATHERED_BYTES
    server.flush_text()

    assert [(frame.opcode, bytes(frame.data)) for frame in talk.read()] == expected
    assert server.unsent_bytes == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_several_frames_are_one_write(compressed: bool) -> None:
    with conversation(compressed=compressed) as talk:
        server = talk.server
        assert bool(server.conn.extensions) is compressed

        assert server.gather_text(b"a"), "it has to be flushed"
        assert not server.gather_text(b"b")
        assert talk.wire.writes == []
        assert server.unsent_bytes > 0
        server.write_text(b"c")

        assert len(talk.wire.writes) == 1
        assert [bytes(frame.data) for frame in talk.read()] == [b"a", b"b", b"c"]


def test_what_was_gathered_goes_before_the_closing_frame() -> None:
    with conversation() as talk:
        talk.server.gather_text(b"last")
        talk.server.close_with(1001)

        assert [frame.opcode for frame in talk.read()] == [Opcode.TEXT, Opcode.CLOSE]


def test_a_client_that_closes_gets_what_was_gathered_first() -> None:
    with conversation() as talk:
        talk.server.gather_text(b"last")
        talk.client.send_close(1000)
        talk.server.data_received(b"".join(talk.client.data_to_send()))

        assert [frame.opcode for frame in talk.read()] == [Opcode.TEXT, Opcode.CLOSE]


def test_nothing_is_written_to_a_connection_that_is_lost() -> None:
    with conversation() as talk:
        talk.server.gather_text(b"lost")
        talk.server.abort()
        talk.server.flush_text()
        assert not talk.server.gather_text(b"too late")

        assert talk.wire.writes == []
