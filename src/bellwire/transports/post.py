"""One delivery request on its way: what is sent, and who is told of the outcome."""

from __future__ import annotations

from collections.abc import Callable

from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.webhook import Endpoint


class Post:
    """Has exactly one outcome. Times are the monotonic clock's seconds."""

    __slots__ = ("body", "connection", "done", "endpoint", "head", "retried", "started")

    def __init__(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None], started: float
    ) -> None:
        self.endpoint = endpoint
        self.head = head
        self.body = body
        self.done: Callable[[AttemptResult], None] | None = done
        """None once the outcome is known."""
        self.started = started
        self.retried = False
        """It was written to a connection that turned out to be dead, and gets a fresh one."""

    def finish(
        self,
        now: float,
        failure: FailureCode | None,
        status: int = 0,
        detail: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        """Tell the outcome, the first time; later ones are not news."""
        done = self.done
        if done is not None:
            self.done = None
            self.body = b""
            done(AttemptResult(failure, status, detail, now - self.started, retry_after_seconds))
