"""One request on a connection of its own, and its whole answer: what the validation handshake is judged by."""

from __future__ import annotations

import asyncio
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bellwire.delivery.failures import sentence
from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Answer
from bellwire.wire.webhook.answer import header_block


class WholeAnswer(asyncio.Protocol):
    """`answer` resolves to what came, with duration 0; the connection is closed then."""

    def __init__(self, max_bytes: int) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._max_bytes = max_bytes
        self._raw = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._body_bytes = 0
        self._status = 0
        self._complete = False
        self._transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def ask(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods, but not its classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.answer.done() or self._parser is None:
            return
        self._raw += data
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self._complete:  # after the answer: bytes that nobody asked for, and that change nothing
                self._fail(FailureCode.MALFORMED_RESPONSE)
                return
        if len(self._raw) > self._max_bytes:
            self._fail(FailureCode.RESPONSE_TOO_LARGE, f"more than {self._max_bytes} bytes")
        elif self._complete:
            self._succeed()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answer.done():
            if error is None and self._status and not self._has_declared_length():
                self._succeed()  # its body ends with the connection
            else:
                self._fail(FailureCode.RESET)
        self._parser = None

    # What the parser calls.

    def on_message_begin(self) -> None:
        if not self._complete:
            self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete and not self._status:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= 200 and not self._complete:
            self._status = status

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._status:
            self._complete = True

    # Steps.

    def _has_declared_length(self) -> bool:
        return any(name in {"content-length", "transfer-encoding"} for name, _ in self._headers)

    def _succeed(self) -> None:
        size = len(header_block(bytes(self._raw))) + self._body_bytes
        self.answer.set_result(Answer(None, "", self._status, tuple(self._headers), size))
        self.abort()

    def _fail(self, code: FailureCode, cause: str = "") -> None:
        self.answer.set_result(Answer(code, sentence(code, cause=cause)))
        self.abort()
