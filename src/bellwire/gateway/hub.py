"""The shell around the gateway's machine: it does what the machine wants done, and tells it what happened.

One sweep a second looks after all connections; there is no timer and no task for a connection but the one that reads
it, and one for each request under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import structlog
from starlette.types import ASGIApp

from bellwire.gateway.protocol import GatewayProtocol
from bellwire.gateway.tunnel import Answer, Origin, run_request
from bellwire.model.identity import Caller
from bellwire.model.ids import SessionId, SubscriptionId
from bellwire.ports.clock import Clock
from bellwire.wire.gateway import frames
from bellwire.wire.gateway.codes import ABORTED, GOING_AWAY, Refusal
from bellwire.wire.gateway.effects import Abort, Call, Close, Effect, Ended, Outcome, Ping, ReadLog, Send, Told
from bellwire.wire.gateway.machine import Gateway
from bellwire.wire.gateway.session import Connection, Notification, Owner

SWEEP_SECONDS = 1.0

_log = structlog.get_logger("bellwire.gateway")

Tell = Callable[[Notification, Outcome, str], None]
"""Is told what became of a notification, and where its client is connected from, if it is."""
End = Callable[[SubscriptionId], None]
Missed = Callable[[ReadLog, Callable[[], None]], Awaitable[Sequence[Notification]]]
"""Finds what a session missed. The callable is to be called when all that was matched before is with the gateway."""
Still = Callable[[Caller], Caller]
"""The caller as it is now; raises Unauthenticated."""


class OpenSocket:
    """A connection that was let in: what the shell knows of it. Implements `gateway.protocol.Watcher`."""

    __slots__ = ("caller", "client", "connection", "frames_in", "frames_out", "hub", "opened_at", "origin", "protocol")

    def __init__(self, hub: Hub, protocol: GatewayProtocol, caller: Caller, origin: Origin, opened_at: float) -> None:
        self.hub = hub
        self.protocol = protocol
        self.caller = caller
        self.origin = origin
        self.client = origin.client_address
        self.opened_at = opened_at
        self.frames_in = 0
        self.frames_out = 0
        self.connection: Connection

    def received(self, text: str | bytes) -> None:
        self.frames_in += 1
        self.hub.frames_in += 1
        self.hub.perform(self.hub.machine.received(self.connection, text))

    def pong(self, payload: bytes) -> None:
        self.hub.perform(self.hub.machine.pong(self.connection, payload))

    def client_ping(self) -> None:
        self.hub.machine.client_ping(self.connection)

    def congested(self) -> None:
        self.hub.machine.congested(self.connection)

    def drained(self) -> None:
        self.hub.perform(self.hub.machine.drained(self.connection))

    def lost(self, code: int = ABORTED) -> None:
        """The client closed, or the network did."""
        if self.connection.is_open:
            self.hub.closed(self, code)
            self.hub.perform(self.hub.machine.dropped(self.connection))

    def let_go(self) -> None:
        """After the last call: a closed connection is not to wait for the collector (see `GatewayProtocol`)."""
        self.protocol.watcher = None
        del self.connection

    def going_away(self) -> None:
        self.hub.perform(self.hub.machine.close(self.connection, GOING_AWAY))


class Link:
    """Implements `ports.socket_gateway.SocketLink` for one request."""

    __slots__ = ("_call", "_hub")

    def __init__(self, hub: Hub, call: Call) -> None:
        self._hub = hub
        self._call = call

    def caller(self) -> Caller:
        socket: OpenSocket = self._call.connection.socket
        return self._hub.still(socket.caller)

    @property
    def session(self) -> str:
        return self._call.session.key

    @property
    def subscription(self) -> SubscriptionId | None:
        return self._call.session.subscription

    def begin(self, subscription: SubscriptionId) -> None:
        self._hub.machine.begin(self._call, subscription)

    def activate(self, subscription: SubscriptionId) -> SubscriptionId | None:
        return self._hub.machine.activate(self._call, subscription)

    def abandon(self, subscription: SubscriptionId) -> None:
        self._hub.machine.abandon(self._call, subscription)

    def updated(self, subscription: SubscriptionId) -> None:
        self._hub.machine.updated(self._call, subscription)


class Hub:
    """Implements `ports.socket_gateway.SocketGateway`. Owned by one event loop.

    Args:
        clock: the server's, by which sockets are idle and sessions end.
        wall_time: a moment as the wire writes it.
    """

    def __init__(
        self,
        *,
        machine: Gateway,
        clock: Clock,
        wall_time: Callable[[datetime], str],
        still: Still,
        tell: Tell,
        end: End,
        missed: Missed | None = None,
    ) -> None:
        self.machine = machine
        self.still = still
        self._clock = clock
        self._wall_time = wall_time
        self._tell = tell
        self._end = end
        self._missed = missed
        self._app: ASGIApp
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: dict[OpenSocket, None] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._stopped = False
        self._is_gathering = False
        """Whether more follows what is being written."""
        self._gathered: deque[GatewayProtocol] = deque()
        """Connections with frames that wait to be written together."""
        self.frames_in = 0
        self.frames_out = 0
        self.closed_by_code: Counter[str] = Counter()
        self.cut_off = 0
        """Connections whose clients did not read."""
        self.refused: Counter[str] = Counter()

    def run_requests_on(self, app: ASGIApp) -> None:
        """Which application answers requests that come by frame; before the first connection."""
        self._app = app

    def start(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep_again)

    async def stop(self) -> None:
        """Close what is open, and end requests that are under way."""
        self._stopped = True
        if self._sweep is not None:
            self._sweep.cancel()
        self.close_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close_all(self) -> None:
        """Tell every client that the server goes away. Their sessions are left as after any loss of a connection."""
        for socket in list(self._sockets):
            socket.going_away()
            socket.protocol.leave()

    @property
    def is_stopped(self) -> bool:
        return self._stopped

    # Connections

    def open(self, protocol: GatewayProtocol, caller: Caller, wsc: str | None, origin: Origin) -> OpenSocket | Refusal:
        """Let a socket in whose token was good, or say why not."""
        owner = Owner(caller.session_id, caller.extension_id)
        refusal = self.machine.refusal(owner, wsc)
        if refusal is not None:
            return refusal
        socket = OpenSocket(self, protocol, caller, origin, self._clock.monotonic())
        created = self._wall_time(self._clock.now())
        socket.connection, effects = self.machine.connect(owner, socket, created=created, wsc=wsc)
        self._sockets[socket] = None
        protocol.watcher = socket
        self.perform(effects)
        _log.debug("socket.opened", session=caller.session_id, client=origin.client_address, recovers=wsc is not None)
        return socket

    def refuse(self, protocol: GatewayProtocol, why: Refusal) -> None:
        """Say by an Error frame why a socket is not let in, and close it."""
        self.refused[why.code] += 1
        protocol.write_text(frames.error(why.code, why.status, why.message))
        protocol.close_with(why.close_code)

    def closed(self, socket: OpenSocket, code: int) -> None:
        """A connection is no more: count it, and write its one line."""
        if self._sockets.pop(socket, self) is self:
            return
        self.closed_by_code[str(code)] += 1
        caller = socket.caller
        _log.info(
            "socket.closed",
            code=code,
            client=socket.origin.client_address,
            account_id=caller.account_id,
            extension_id=caller.extension_id,
            client_id=caller.client_id,
            subscription_id=socket.connection.session.subscription,
            frames_in=socket.frames_in,
            frames_out=socket.frames_out,
            seconds=round(self._clock.monotonic() - socket.opened_at, 3),
        )

    def revoked(self, session: SessionId) -> None:
        """An OAuth session was ended."""
        self.perform(self.machine.revoke(session))

    def look_again(self) -> None:
        """The clock was moved ahead: what is due by it is due now."""
        if not self._stopped:
            self.perform(self.machine.sweep())

    def _sweep_again(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep_again)
        self.perform(self.machine.sweep())

    # SocketGateway

    def notify(self, subscription: SubscriptionId, notification: Notification, *, more: bool = False) -> None:
        self._is_gathering = more
        try:
            self.perform(self.machine.notify(subscription, notification))
        finally:
            self._is_gathering = False

    def flush(self, most: int) -> bool:
        gathered = self._gathered
        for _ in range(min(most, len(gathered))):
            gathered.popleft().flush_text()
        return bool(gathered)

    def unsubscribed(self, subscription: SubscriptionId) -> None:
        self.perform(self.machine.unsubscribed(subscription))

    # Faults on purpose

    def is_connected(self, subscription: SubscriptionId) -> bool:
        """Whether the subscription's client is connected."""
        return self.machine.connection_of(subscription) is not None

    def cut(self, subscription: SubscriptionId) -> None:
        """Cut the connection of the subscription's client, if it has one."""
        connection = self.machine.connection_of(subscription)
        if connection is not None:
            self.perform(self.machine.cut(connection))

    # Effects

    def perform(self, effects: Iterable[Effect]) -> None:
        """Do what the machine wants done, in its order."""
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                self._send(effect)  # type: ignore[arg-type]  # mypy does not narrow by `type(…) is`
            elif kind is Told:
                self._told(effect)  # type: ignore[arg-type]
            else:
                self._perform_rare(effect)

    def _send(self, effect: Send) -> None:
        socket: OpenSocket = effect.connection.socket
        socket.frames_out += 1
        self.frames_out += 1
        protocol = socket.protocol
        if not self._is_gathering:
            protocol.write_text(effect.frame)
        elif protocol.gather_text(effect.frame):
            self._gathered.append(protocol)
        if effect.connection.is_congested and protocol.unsent_bytes > self.machine.limits.waiting_bytes:
            self.perform(self.machine.overrun(effect.connection))

    def _told(self, effect: Told) -> None:
        connection = effect.session.connection
        client = "" if connection is None else connection.socket.client
        self._tell(effect.notification, effect.outcome, client)

    def _perform_rare(self, effect: Effect) -> None:
        match effect:
            case Ping(connection, payload):
                connection.socket.protocol.write_ping(payload)
            case Close(connection, close_code, _):
                self.closed(connection.socket, close_code)
                connection.socket.protocol.close_with(close_code)
            case Abort(connection):
                self.cut_off += 1
                self.closed(connection.socket, ABORTED)
                connection.socket.protocol.abort()
            case Call() as call:
                self._begin(self._run(call))
            case ReadLog() as wanted:
                self._begin(self._read(wanted))
            case Ended(subscription):
                self._end(subscription)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call: Call) -> None:
        socket: OpenSocket = call.connection.socket
        try:
            answer = await run_request(self._app, call.request, socket.origin, Link(self, call))
        except Exception:  # noqa: BLE001 - a bug of ours; its client waits for an answer
            _log.exception("socket.request_failed", method=call.request.method, path=call.request.path[:500])
            answer = Answer(500, {}, b"")
        self.perform(self.machine.answered(call, answer.status, answer.headers, answer.body))

    async def _read(self, wanted: ReadLog) -> None:
        assert self._missed is not None, "sessions are read from the log only where something can read it"
        connection = wanted.connection
        try:
            missed = await self._missed(wanted, lambda: self.machine.read_from_here(connection))
        except Exception:  # noqa: BLE001 - whatever it is, the client must not wait for what never comes
            _log.exception("socket.recovery_failed", subscription_id=wanted.subscription)
            self.perform(self.machine.not_found(connection))
        else:
            self.perform(self.machine.found(connection, missed))
