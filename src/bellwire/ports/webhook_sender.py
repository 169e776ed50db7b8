"""Outgoing webhook requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bellwire.model.attempt import AttemptResult
from bellwire.model.webhook import Answer, Endpoint

__all__ = ["Answer", "Endpoint", "WebhookSender"]


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
