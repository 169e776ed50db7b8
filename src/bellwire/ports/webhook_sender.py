"""Outgoing webhook requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bellwire.model.attempt import AttemptResult, FailureCode


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook address, taken apart. `host` is lower case, ASCII (IDNA), without brackets."""

    scheme: str
    """http or https."""
    host: str
    port: int
    target: str
    """Path and query, at least `/`."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections are pooled by."""
        return (self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, for the validation handshake. `size_bytes` counts status line, headers and body as received.

    `failure` is set, and the rest zero or empty, when no whole answer came. Header names are lower case.
    """

    failure: FailureCode | None
    detail: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    size_bytes: int = 0
    duration_seconds: float = 0.0


class WebhookSender(Protocol):
    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        """POST without waiting; `done` is called exactly once, later, from the event loop, never from within.

        Args:
            head: request line and headers for this endpoint, each ended by CRLF, without `Content-Length` and
                without the closing empty line (see `request_head`).
            body: what is sent after the sender adds `Content-Length`.

        Returns:
            a function that abandons the attempt: `done` is then called with `CANCELLED`, if it was not called yet.
        """
        ...

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        """POST on a fresh connection and wait for the whole answer, at most 16 KiB of it."""
        ...
