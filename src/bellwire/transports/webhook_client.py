"""The webhook sender: `WebhookSender` over pooled connections, and fresh ones for handshakes.

A request that was written to a connection which had been used before, and which closed before a byte of an answer,
is sent once more on a fresh connection without anybody being told: servers close idle connections, and the two cross
on the way. The endpoint may have taken the first one all the same, so this may duplicate it, as any retry may
(at-least-once). On a new connection, or once a byte of an answer has come, the same is the failure `reset`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bellwire.delivery.failures import sentence
from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.webhook import Answer, Endpoint
from bellwire.ports.clock import Clock
from bellwire.ports.webhook_sender import WebhookSender
from bellwire.transports.dial import Dialer, DialFailure, Stage, verifying_tls_context
from bellwire.transports.guard import AddressGuard
from bellwire.transports.limits import SenderLimits
from bellwire.transports.pool import Pool
from bellwire.transports.post import Post
from bellwire.transports.resolver import Resolver
from bellwire.transports.whole_answer import WholeAnswer


class WebhookClient(WebhookSender):
    """To be made within the running event loop, used from it alone, and closed."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: AddressGuard,
        clock: Clock,
        limits: SenderLimits | None = None,
        tls_context: Callable[[], ssl.SSLContext] = verifying_tls_context,
    ) -> None:
        limits = limits or SenderLimits()
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(resolver, guard, tls_context)
        self._pool = Pool(self._dialer, clock, limits)
        self._handshakes = asyncio.Semaphore(limits.max_handshakes)
        self._asking: set[asyncio.Task[Answer]] = set()
        self._monotonic = clock.monotonic
        self._submit = self._pool.submit
        self._closed = False

    @property
    def open_connections(self) -> int:
        return self._pool.open_connections

    @property
    def in_flight(self) -> int:
        """Requests that have no outcome yet."""
        return self._pool.in_flight

    @property
    def reused(self) -> int:
        """Requests that went out on a connection that was open already."""
        return self._pool.reused

    @property
    def retried(self) -> int:
        """Requests that were sent once more because their connection had been closed meanwhile."""
        return self._pool.retried

    @property
    def failed_dials(self) -> int:
        return self._pool.failed_dials

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        post = Post(endpoint, head, body, done, self._monotonic())
        if self._closed:
            self._loop.call_soon(self._cancelled, post)
        else:
            self._submit(post)
        return partial(self._abandon, post)

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        if self._closed:
            return _cancelled_answer()
        task = asyncio.create_task(self._ask(endpoint, head, body, timeout_seconds), name=f"ask {endpoint.host}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()  # it was the caller who was cancelled
                raise
            return _cancelled_answer()

    async def close(self) -> None:
        """End everything under way: `done` is called with `CANCELLED`, `ask` answers so. Returns when all is closed."""
        self._closed = True
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for post in await self._pool.close():
            self._cancelled(post)

    def _abandon(self, post: Post) -> None:
        if post.done is not None:
            self._pool.abandon(post)
            self._loop.call_soon(self._cancelled, post)

    def _cancelled(self, post: Post) -> None:
        post.finish(self._monotonic(), FailureCode.CANCELLED, detail=sentence(FailureCode.CANCELLED))

    async def _ask(self, endpoint: Endpoint, head: bytes, body: bytes, timeout_seconds: float) -> Answer:
        started = self._monotonic()
        stage = Stage(FailureCode.RESPONSE_TIMEOUT)
        protocol: WholeAnswer | None = None
        try:
            async with asyncio.timeout(timeout_seconds), self._handshakes:
                stage.if_late = FailureCode.DNS
                connected = await self._dialer.connect(
                    endpoint,
                    lambda: WholeAnswer(self._limits.max_handshake_answer_bytes),
                    timeout_seconds=timeout_seconds,
                    stage=stage,
                )
                if isinstance(connected, DialFailure):
                    return Answer(connected.code, connected.detail, duration_seconds=self._monotonic() - started)
                protocol = connected
                stage.if_late = FailureCode.RESPONSE_TIMEOUT
                protocol.ask(head, body)
                answer = await protocol.answer
        except TimeoutError:
            code = stage.if_late
            return Answer(code, sentence(code), duration_seconds=self._monotonic() - started)
        finally:
            if protocol is not None:
                protocol.abort()
        return replace(answer, duration_seconds=self._monotonic() - started)


def _cancelled_answer() -> Answer:
    return Answer(FailureCode.CANCELLED, sentence(FailureCode.CANCELLED))
