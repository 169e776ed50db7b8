"""One connection to an origin, carrying one POST at a time.

    idle ──send──▶ busy ──head of a final answer──▶ draining ──end of its body──▶ idle
      │             │                                  │
      │             └── time, reset, bad answer ──▶ closed ◀── too long, too late, told to close
      └── end of stream, unasked bytes, age ───────────┘

An attempt's outcome is known once the final head is complete; the body is read only so that the connection can be
used again. This is the hot path: no task, no timer and no header callback for a request on a warm connection, and no
parsing of an answer that is known by heart (known_answers.py).
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bellwire.delivery.failures import failure_of_status, heeds_retry_after, retry_after_seconds, sentence
from bellwire.model.attempt import FailureCode
from bellwire.ports.clock import Clock
from bellwire.transports.known_answers import KnownAnswers
from bellwire.transports.limits import SenderLimits
from bellwire.transports.post import Post
from bellwire.wire.webhook.answer import header_value

_WRITTEN_AT_ONCE = 64 * 1024
"""Larger bodies are written in pieces of this size, each when the transport's buffer has room."""


class Keeper(Protocol):
    """Who owns connections."""

    def opened(self, connection: Connection) -> None:
        """The connection can carry requests. Each one that was opened is `gone` some time later."""
        ...

    def free(self, connection: Connection, now: float) -> None:
        """The connection may be used again: give it a request, or keep it idle."""
        ...

    def unusable(self, connection: Connection) -> None:
        """An idle connection must not be used again; it is closing."""
        ...

    def gone(self, connection: Connection, orphan: Post | None) -> None:
        """The connection is closed. `orphan` was written to it and may be sent once more: it was not new, and closed
        before a single byte of an answer, as servers do when they end an idle connection at that same moment."""
        ...

    def allow_for_standstill(self, now: float) -> None:
        """An answer seems late: where that is because our process stood still, what is under way gets more time."""
        ...


class Connection(asyncio.Protocol):
    __slots__ = (
        "_buffer_full",
        "_clock",
        "_complete",
        "_extra",
        "_feed",
        "_keep_alive",
        "_keeper",
        "_known",
        "_limits",
        "_parser",
        "_partial_head",
        "_received",
        "_status",
        "_status_of",
        "_timeout",
        "_transport",
        "_unsent",
        "_write",
        "deadline",
        "draining",
        "idle_since",
        "opened_at",
        "origin",
        "post",
        "served",
    )

    def __init__(
        self,
        origin: tuple[str, str, int],
        keeper: Keeper,
        clock: Clock,
        limits: SenderLimits,
        known: KnownAnswers | None = None,
    ) -> None:
        """`known`: answers that need no parsing; None for a memory of its own."""
        self.origin = origin
        self.post: Post | None = None
        self.served = 0
        """Requests written to it."""
        self.draining = False
        self.deadline = 0.0
        """Until when the request, or the body after it, has time; means something while busy or draining."""
        self.opened_at = self.idle_since = clock.monotonic()
        self._keeper = keeper
        self._clock = clock
        self._limits = limits
        self._timeout = limits.answer_timeout
        self._known = known if known is not None else KnownAnswers()
        self._status_of = self._known.status_of
        self._unsent: memoryview | None = None
        self._buffer_full = False
        self._partial_head: bytearray | None = None
        self._received = 0
        self._status = 0
        self._complete = self._keep_alive = self._extra = False

    # What the owner does.

    def send(self, post: Post) -> None:
        """Write a request; the connection must be idle."""
        self.post = post
        self.served += 1
        self.deadline = post.started + self._timeout
        self._status = self._received = 0
        self._complete = False
        body = post.body
        size = len(body)
        if size <= _WRITTEN_AT_ONCE:
            self._write(b"%bContent-Length: %d\r\n\r\n%b" % (post.head, size, body))
        else:
            self._write(b"%bContent-Length: %d\r\n\r\n" % (post.head, size))
            self._unsent = memoryview(body)
            self._write_more()

    def abort(self) -> None:
        """Close at once. What it carries, if anything, has had its outcome."""
        self.post = None
        self._transport.abort()

    def close(self) -> None:
        """Close an unused connection, saying goodbye where TLS wants it."""
        self._transport.close()

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def is_too_old(self, now: float) -> bool:
        return now - self.opened_at > self._limits.connection_age

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods, but not its classes.
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._keeper.opened(self)

    def data_received(self, data: bytes) -> None:
        post = self.post
        if (
            post is not None
            and not self._received
            and self._unsent is None
            and (known := self._status_of(data)) is not None
        ):
            self._succeed(post, known)
            return
        if post is None and not self.draining:
            # Nothing was asked: a goodbye as 408, or an answer too many.
            self._keeper.unusable(self)
            self._transport.close()
            return
        self._received += len(data)
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade):
            self._extra = True
        status = self._status
        if post is None:
            self._drain()
        elif status == 0:
            self._wait_for_head(post, data)
        else:
            self._conclude(post, status, data)

    def eof_received(self) -> None:
        if self.post is None and not self.draining:
            self._keeper.unusable(self)

    def connection_lost(self, error: Exception | None) -> None:
        post, self.post = self.post, None
        self.draining = False
        del self._parser, self._feed, self._write  # they refer to this object
        self._unsent = None
        if post is None:
            self._keeper.gone(self, None)
        elif self._received == 0 and self.served > 1 and not post.retried:
            self._keeper.gone(self, post)
        else:
            self._keeper.gone(self, None)
            post.finish(self._clock.monotonic(), FailureCode.RESET, detail=sentence(FailureCode.RESET))

    def pause_writing(self) -> None:
        self._buffer_full = True

    def resume_writing(self) -> None:
        self._buffer_full = False
        self._write_more()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            self._extra = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
        elif status == 101:
            # Nobody asked to switch protocols, and what follows is not HTTP.
            self._extra = True

    def on_message_complete(self) -> None:
        if self._status:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()

    # Steps.

    def _succeed(self, post: Post, status: int) -> None:
        """All of a clean answer of success came, and the connection is to be kept."""
        now = self._answered(post, is_clean=True)
        if now is not None:
            post.finish(now, None, status)

    def _answered(self, post: Post, *, is_clean: bool) -> float | None:
        """The final head is complete. The connection is let go of first, so that whoever is told of the outcome and
        sends the next notification finds it.

        Returns:
            the time; None where it is too late for an answer, which was the outcome then.
        """
        now = self._clock.monotonic()
        if now - post.started > self._timeout:
            self._keeper.allow_for_standstill(now)
        self.post = None
        if is_clean:
            self._keeper.free(self, now)
        else:
            self.draining = True
            self._drain()
        if now - post.started > self._timeout:
            post.finish(now, FailureCode.RESPONSE_TIMEOUT, detail=sentence(FailureCode.RESPONSE_TIMEOUT))
            return None
        return now

    def _wait_for_head(self, post: Post, data: bytes) -> None:
        if self._extra:
            self._fail(post, FailureCode.MALFORMED_RESPONSE)
        elif self._received > self._limits.max_answer_bytes:
            self._fail(post, FailureCode.RESPONSE_TOO_LARGE, f"more than {self._limits.max_answer_bytes} bytes")
        elif self._partial_head is None:
            self._partial_head = bytearray(data)
        else:
            self._partial_head += data

    def _conclude(self, post: Post, status: int, data: bytes) -> None:
        """The final head is complete: settle the outcome."""
        raw = data
        if self._partial_head is not None:
            self._partial_head += data
            raw = bytes(self._partial_head)
            self._partial_head = None
        is_clean = self._complete and self._keep_alive and not self._extra and self._unsent is None
        if is_clean and 200 <= status < 300:
            if self._received == len(data):
                self._known.remember(data, status)
            self._succeed(post, status)
            return
        now = self._answered(post, is_clean=is_clean)
        if now is None:
            return
        failure = failure_of_status(status)
        if failure is None:
            post.finish(now, None, status)
            return
        pause = None
        if heeds_retry_after(status):
            asked = header_value(raw, b"retry-after")
            pause = None if asked is None else retry_after_seconds(asked, self._clock.now())
        post.finish(now, failure, status, sentence(failure, status=status), pause)

    def _drain(self) -> None:
        """Read the body to its end, within limits, and use the connection again if that can be."""
        if self._extra or self._unsent is not None or self._received > self._limits.max_answer_bytes:
            self._transport.abort()
        elif self._complete:
            self.draining = False
            if self._keep_alive:
                self._keeper.free(self, self._clock.monotonic())
            else:
                self._transport.close()

    def _fail(self, post: Post, code: FailureCode, cause: str = "") -> None:
        self.abort()
        post.finish(self._clock.monotonic(), code, detail=sentence(code, cause=cause))

    def _write_more(self) -> None:
        unsent = self._unsent
        while unsent is not None and not self._buffer_full:
            self._write(unsent[:_WRITTEN_AT_ONCE])
            # The transport may have called pause_writing from within write.
            unsent = self._unsent = unsent[_WRITTEN_AT_ONCE:] if len(unsent) > _WRITTEN_AT_ONCE else None
