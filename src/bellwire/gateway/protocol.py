"""Uvicorn's WebSocket protocol with what the gateway needs: pings and their pongs, pings of clients, writing at once or
several frames in one write, being told when a client does not read, and a last frame when the server goes away.

An application that wants it finds it in its scope (`EXTENSION`), and registers a `Watcher`. Others, the console's for
one, are served as uvicorn does it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from asyncio import BaseTransport
from typing import Any, Protocol

import msgspec
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from bellwire.transports.listener import count_socket
from bellwire.wire.gateway.frames import error_body

EXTENSION = "bellwire.socket"
"""The key of `scope["extensions"]` under which an application finds the protocol of its connection."""

FAREWELL_SECONDS = 2.0
"""What a client has to take what was written to it before the connection is closed."""

GATHERED_BYTES = 32 * 1024
"""So much is written at once, more follow or not: half of what the transport takes before it says that the client
does not read."""

_UNREADABLE_HEAD = (
    "HTTP/1.1 431 Request Header Fields Too Large\r\n"
    "content-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
)
_UNREADABLE = error_body(
    "CMN-407",
    f"The handshake can't be read: it may have {MAX_NUM_HEADERS} headers, and lines of {MAX_LINE_LENGTH} bytes",
)
_TEXT = 0x81
_SECRET = re.compile(r"\b(access_token|wsc)=[^&\s\"']+")


class Watcher(Protocol):
    """Whoever drives a connection. Called from the event loop; must be quick."""

    def pong(self, payload: bytes) -> None: ...

    def client_ping(self) -> None: ...

    def congested(self) -> None:
        """More was written than the client has read; `drained` follows when it has."""
        ...

    def drained(self) -> None: ...

    def lost(self) -> None:
        """The connection is gone."""
        ...

    def going_away(self) -> None:
        """The server stops: say so and close."""
        ...


class GatewayProtocol(WebSocketsSansIOProtocol):
    """One connection. For `uvicorn.Config(ws=…)`, with `ws_ping_interval=None`: the gateway sends its own pings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watcher: Watcher | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._is_served = False
        self._gathered: list[bytes] = []
        """Pieces of text frames that wait to be written together."""
        self._gathered_bytes = 0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        count_socket(self.config, 1)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Uvicorn would leave the client without an answer, and the connection open, for as long as the client likes.
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self.close_sent:
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        body = msgspec.json.encode(_UNREADABLE)
        self.transport.write(_UNREADABLE_HEAD.format(length=len(body)).encode("ascii") + body)
        self.handshake_complete = self.close_sent = True
        self.leave()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the application's task was made, and has not begun
            extensions: dict[str, Any] = self.scope["extensions"]  # any name is allowed
            extensions[EXTENSION] = self

    @property
    def is_writable(self) -> bool:
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        return self.transport.get_write_buffer_size() + self._gathered_bytes

    def write_text(self, frame: bytes) -> None:
        """Write one text frame at once, after those that were gathered, whatever waits to be sent. On a connection that
        is closing: nothing."""
        if not self.is_writable:
            return
        head = _head(len(frame))
        if self._gathered or self.conn.extensions:
            self._gather(head, frame)
            self.flush_text()
        else:
            self.transport.write(head + frame)

    def gather_text(self, frame: bytes) -> bool:
        """Write one text frame together with the next, at `flush_text` at the latest. On a connection that is closing:
        nothing.

        Returns:
            whether it is the first that waits, so that `flush_text` has to be called.
        """
        if not self.is_writable:
            return False
        is_first = not self._gathered
        self._gather(_head(len(frame)), frame)
        if self._gathered_bytes >= GATHERED_BYTES:
            self.flush_text()
            return False
        return is_first

    def flush_text(self) -> None:
        """Write what was gathered, in one piece."""
        if not self._gathered:
            return
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if self.is_writable:
            self.transport.write(b"".join(gathered))

    def _gather(self, head: bytes, frame: bytes) -> None:
        if self.conn.extensions:
            self.conn.send_text(frame)
            self._gathered += self.conn.data_to_send()
        else:
            self._gathered += (head, frame)
        self._gathered_bytes += len(head) + len(frame)

    def write_ping(self, payload: bytes) -> None:
        self.flush_text()
        if self.is_writable:
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def close_with(self, code: int) -> None:
        """Begin the closing handshake; the connection ends with the client's answer, or after a while without."""
        self.flush_text()
        if not self.is_writable:
            return
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
        self._cut_in(self.close_timeout + FAREWELL_SECONDS)

    def leave(self) -> None:
        """Close the connection when its client has taken what was written, or else after a moment."""
        self.flush_text()
        self.transport.close()
        self._cut_in(FAREWELL_SECONDS)

    def _cut_in(self, seconds: float) -> None:
        """A transport that is closed waits for ever for a client that does not read."""
        if self._cut is not None:
            self._cut.cancel()
        self._cut = self.loop.call_later(seconds, self.transport.abort)

    def handle_close(self, event: Any) -> None:
        self.flush_text()
        super().handle_close(event)
        self._cut_in(FAREWELL_SECONDS)

    def abort(self) -> None:
        """Cut the connection, with all that waits to be sent."""
        self.transport.abort()

    def handle_cont(self, event: Any) -> None:
        """A message's length is limited, the number of its fragments is not: empty ones would be kept without end."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        self.flush_text()  # with compression, what the library sends is in the order of its calls
        if self.watcher is not None:
            self.watcher.client_ping()
        super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        if self.watcher is None:
            super().handle_pong(event)
        else:
            self.watcher.pong(bytes(event.data))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.watcher is not None:
            self.watcher.congested()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.watcher is not None:
            self.watcher.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gathered.clear()
        self._gathered_bytes = 0
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        count_socket(self.config, -1)
        if self.watcher is not None:
            self.watcher.lost()
        self._is_lost = True
        if not self.handshake_initiated:
            self.conn.parser.close()  # nothing served it, and nothing will
        self._let_go()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._is_served = True
        self._let_go()

    def _let_go(self) -> None:
        """Once the connection and what served it have ended: undo what refers in a circle. The collector runs so seldom
        (cli/collector.py) that closed connections would be kept by the hundred thousand."""
        if not (self._is_lost and self._is_served):
            return
        self.watcher = None
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions.pop(EXTENSION, None)
        self.conn.parser.close()

    def shutdown(self) -> None:
        if self.watcher is None or not self.is_writable:
            super().shutdown()
        else:
            self.watcher.going_away()
        self.leave()


def _head(size: int) -> bytes:
    """The head of a whole text frame, not masked, not compressed (RFC 6455, section 5.2).

    Args:
        size: of the payload, in bytes.
    """
    if size < 126:
        return bytes((_TEXT, size))
    if size < 65536:
        return bytes((_TEXT, 126, size >> 8, size & 255))
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big")


class HidesTokens(logging.Filter):
    """Blanks socket and recovery tokens: uvicorn logs the URL of each WebSocket that is opened."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "access_token=" in text or "wsc=" in text:
            record.msg, record.args = _SECRET.sub(r"\1=…", text), ()
        return True


def hide_tokens_in_logs() -> None:
    """Once a process: uvicorn, and the library under it, log by this name."""
    logger = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, HidesTokens) for known in logger.filters):
        logger.addFilter(HidesTokens())
