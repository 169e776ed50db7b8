"""The link to an SMPP peer: connect (with TLS where wanted), drive a session, and connect again when it ended.

    start ─▶ connecting ─▶ bound ─▶ ended ─▶ pause (doubles, with jitter) ─▶ connecting …
                  └── refused, late, wrong certificate, wrong password ──▶ ┘

Times are those of the event loop. Reading stops while the peer does not read what we write, so that answering it takes
bounded memory; a peer that stays so is found dead by the session.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Generic, TypeVar, cast

import structlog

from bellwire.delivery.schedule import RetryPolicy
from bellwire.ports.smpp_link import LinkUser, MakeLink
from bellwire.wire.smpp.pdus import Status, SubmitSm
from bellwire.wire.smpp.session import Bound, Ended, EndReason, Event, Session

T = TypeVar("T")

RECONNECT = RetryPolicy(first_pause=1.0, doubling_until=30.0, tries_at_longest_doubling=1 << 30, least_pause=0.1)
STEADY_SECONDS = 10.0
"""A bind that lasted this long was a success: the next pause is a short one again."""
_GOODBYE_SECONDS = 2.0
"""For the last bytes of a connection that is closed."""

_log = structlog.get_logger("bellwire.smpp")

_BIND_REFUSALS = {
    Status.INVALID_PASSWORD: "the password is wrong",
    Status.INVALID_SYSTEM_ID: "the system_id is wrong",
    Status.INVALID_SYSTEM_TYPE: "the system_type is wrong",
    Status.ALREADY_BOUND: "it has another bind with this system_id",
}


def smpp_tls_context(authorities: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later; chain and host name verified by the system's authorities and those of a PEM file."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@dataclass(frozen=True, slots=True)
class SmppPeer:
    """Where the peer listens."""

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None = None
    connect_timeout_seconds: float = 10.0
    reconnect: RetryPolicy = field(default=RECONNECT)


class TcpSmppConnection(asyncio.Protocol, Generic[T]):
    """One connection with its session: a `SmppConnection`."""

    def __init__(
        self,
        make_session: Callable[[float], Session[T]],
        on_event: Callable[[TcpSmppConnection[T], Event[T]], None],
    ) -> None:
        self._make_session = make_session
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._peer_does_not_read = False
        self.session: Session[T]
        self.closed = self._loop.create_future()

    # What its user does.

    def submit_at(self, now: float) -> float | None:
        """As `Session.submit_at`; None, too, while the peer does not read, and once nothing can be written any more."""
        if self._peer_does_not_read or self._transport.is_closing():
            return None
        return self.session.submit_at(now)

    def submit(self, pdu: SubmitSm, about: T) -> None:
        """As `Session.submit`; `flush` once all are submitted."""
        self.session.submit(pdu, about, self._loop.time())

    def acknowledge(self, sequence: int, status: int = Status.OK) -> None:
        """As `Session.acknowledge`; `flush` once all are acknowledged."""
        self.session.acknowledge(sequence, status)

    def flush(self) -> None:
        """Write what is to be written, and have the session's timer set."""
        out = self.session.take_bytes()
        if out and not self._transport.is_closing():
            self._transport.write(out)
        if self.session.has_ended:
            self._close()
        else:
            self._set_timer()

    def unbind(self) -> None:
        self._act(self.session.unbind(self._loop.time()))

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods, but not its classes.
        self._transport = cast(asyncio.Transport, transport)
        self.session = self._make_session(self._loop.time())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._act(self.session.receive(data, self._loop.time()))

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for event in self.session.connection_lost():
            self._on_event(self, event)
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._peer_does_not_read = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._peer_does_not_read = False
        self._transport.resume_reading()

    def _act(self, events: list[Event[T]]) -> None:
        self.flush()
        for event in events:
            self._on_event(self, event)
        if events:
            self.flush()

    def _set_timer(self) -> None:
        at = self.session.next_at
        if at is None or at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = self._timer_at = None
        self._act(self.session.tick(self._loop.time()))

    def _close(self) -> None:
        if self._transport.is_closing():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        # Also one that does not take its last bytes, nor TLS's goodbye, has to be gone some time.
        self._timer = self._loop.call_later(_GOODBYE_SECONDS, self._transport.abort)


class TcpSmppLink(Generic[T]):
    """A `SmppLink`, to be made within the running event loop."""

    def __init__(
        self,
        peer: SmppPeer,
        make_session: Callable[[float], Session[T]],
        user: LinkUser[T],
        *,
        random: Random,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._peer = peer
        self._make_session = make_session
        self._user = user
        self._random = random
        self._on_fatal = on_fatal
        self._tls_context: ssl.SSLContext | None = None
        self._connection: TcpSmppConnection[T] | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._failures = 0
        self._next_try_at = 0.0
        self.binds = 0
        """Binds that were made."""

    @property
    def is_bound(self) -> bool:
        return self._connection is not None and self._connection.session.is_bound

    @property
    def seconds_to_next_try(self) -> float:
        """From now until there can be a bind again, if nothing goes wrong; at least a short while."""
        return max(0.5, self._next_try_at - asyncio.get_running_loop().time())

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="smpp link")
        self._running.add_done_callback(self._ended)

    async def stop(self, *, seconds: float) -> None:
        """Unbind, wait for the peer's answer for so long at most, and close."""
        self._is_stopping = True
        connection = self._connection
        if connection is not None:
            connection.unbind()
            await asyncio.wait([connection.closed], timeout=seconds)
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            began = loop.time()
            if await self._keep_one() and loop.time() - began >= STEADY_SECONDS:
                self._failures = 0
            self._failures += 1
            pause = self._peer.reconnect.pause(self._failures, self._random.random())
            self._next_try_at = loop.time() + pause
            await asyncio.sleep(pause)

    async def _keep_one(self) -> bool:
        """Connect and stay until the connection is closed; whether it was bound."""
        peer = self._peer
        was_bound = False

        def on_event(connection: TcpSmppConnection[T], event: Event[T]) -> None:
            nonlocal was_bound
            if isinstance(event, Bound):
                was_bound = True
                self.binds += 1
                _log.info("bind.made", host=peer.host, port=peer.port, peer=event.system_id[:16])
            elif isinstance(event, Ended):
                self._log_end(event, was_bound=was_bound)
            if was_bound:
                self._user.on_event(connection, event)

        try:
            connection = await self._connect(on_event)
        except (OSError, ValueError) as problem:
            _log.warning("bind.failed", host=peer.host, port=peer.port, reason=_sentence(problem))
            return False
        self._connection = connection
        try:
            await asyncio.shield(connection.closed)
        finally:
            self._connection = None
            connection.abort()
            await connection.closed
        return was_bound

    async def _connect(self, on_event: Callable[[TcpSmppConnection[T], Event[T]], None]) -> TcpSmppConnection[T]:
        peer = self._peer
        if peer.tls is not None and self._tls_context is None:
            self._tls_context = peer.tls()
        async with asyncio.timeout(peer.connect_timeout_seconds):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: TcpSmppConnection(self._make_session, on_event),
                peer.host,
                peer.port,
                ssl=self._tls_context,
                server_hostname=peer.host if self._tls_context is not None else None,
            )
        return connection

    def _log_end(self, event: Ended[T], *, was_bound: bool) -> None:
        fields = {"host": self._peer.host, "port": self._peer.port, "reason": str(event.reason)}
        if event.reason is EndReason.BIND_REFUSED:
            status = next((status for status in _BIND_REFUSALS if status == event.status), None)
            sentence = _BIND_REFUSALS[status] if status is not None else "the peer refused the bind"
            _log.error("bind.refused", **fields, status=f"0x{event.status:08x}", detail=sentence)
        elif was_bound and not self._is_stopping:
            _log.warning("bind.lost", **fields, unanswered=len(event.unanswered))
        elif was_bound:
            _log.info("bind.ended", **fields, unanswered=len(event.unanswered))
        else:
            _log.warning("bind.failed", **fields)


def link_to(peer: SmppPeer, random: Random, on_fatal: Callable[[BaseException], None]) -> MakeLink:
    """What makes a link to that peer.

    Args:
        random: spreads the pauses between two tries.
        on_fatal: called where a bug of ours ended it.
    """

    def make_link(user: LinkUser[T], make_session: Callable[[float], Session[T]]) -> TcpSmppLink[T]:
        return TcpSmppLink(peer, make_session, user, random=random, on_fatal=on_fatal)

    return make_link


def _sentence(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {problem.verify_message}"
    if isinstance(problem, socket.gaierror):
        return f"the host's name can't be resolved: {problem.strerror}"
    if isinstance(problem, TimeoutError):
        return "it took too long to connect"
    if isinstance(problem, ssl.SSLError):
        return f"TLS failed: {(problem.reason or 'handshake failure').replace('_', ' ').lower()}"
    # asyncio's own text names the address once more, in its tuple form.
    if isinstance(problem, OSError) and problem.errno is not None and problem.errno > 0:
        return os.strerror(problem.errno)
    return str(problem)
