"""The WebSocket gateway of a server, put together: see `compose.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.types import ASGIApp

from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.deliver_sockets import SocketDeliveries, SocketNotification
from bellwire.engine.destination import Desk
from bellwire.engine.faults import Faults
from bellwire.engine.faulty_sockets import FaultySockets
from bellwire.engine.recover_sockets import MissedNotifications
from bellwire.engine.secrets import new_secret
from bellwire.engine.socket_tokens import SocketTokens
from bellwire.engine.subscribe import Subscriptions
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_socket import SocketSubscriptions
from bellwire.gateway.endpoint import GatewayEndpoint
from bellwire.gateway.hub import Hub
from bellwire.model.ids import Position, SessionId
from bellwire.model.subscription import TransportType
from bellwire.observe.metrics import Metrics
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.identity import SessionStore
from bellwire.ports.socket_sessions import SocketSessionStore
from bellwire.settings import Settings
from bellwire.subscriptions.resource import wire_time
from bellwire.wire.gateway.effects import ReadLog
from bellwire.wire.gateway.limits import DEFAULT_RECOVERY_MESSAGES, DEFAULT_RECOVERY_SECONDS, GatewayLimits
from bellwire.wire.gateway.machine import Gateway
from bellwire.wire.gateway.session import Owner

_KEY_BYTES = 16


def keeps_sessions(settings: Settings) -> bool:
    """Whether sessions outlive the server: once more is asked for than the protocol has."""
    return (
        settings.websocket_recovery_seconds > DEFAULT_RECOVERY_SECONDS
        or settings.websocket_recovery_messages > DEFAULT_RECOVERY_MESSAGES
    )


def gateway_limits(settings: Settings) -> GatewayLimits:
    return GatewayLimits(
        connections=settings.websocket_max_connections,
        connections_per_user=settings.websocket_max_connections_per_user,
        waiting_bytes=settings.websocket_send_buffer_bytes,
        idle_seconds=settings.websocket_idle_seconds,
        absolute_seconds=settings.websocket_longest_seconds,
        ping_seconds=settings.websocket_ping_seconds,
        pong_seconds=settings.websocket_pong_seconds,
        recovery_seconds=settings.websocket_recovery_seconds,
        recovery_messages=settings.websocket_recovery_messages,
        reads_log=keeps_sessions(settings),
    )


class GatewayParts:
    """A server's gateway. `start` comes when the subscriptions are restored, `stop` while deliveries still run."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: SystemClock,
        deliveries: SocketDeliveries,
        live: LiveSubscriptions,
        subscriptions: Subscriptions,
        sessions: Sessions,
        session_store: SessionStore,
        socket_sessions: SocketSessionStore,
        missed: MissedNotifications,
        routed: Callable[[], Position],
        desk: Desk,
        on_fatal: Callable[[BaseException], None],
        faults: Faults | None = None,
    ) -> None:
        self.tokens = SocketTokens(clock)
        self._kept = socket_sessions if keeps_sessions(settings) else None
        self._missed = missed
        self._routed = routed
        self.subscriptions = SocketSubscriptions(subscriptions=subscriptions, live=live, sessions=self._kept)
        self.deliveries = deliveries
        self.hub = Hub(
            machine=Gateway(
                limits=gateway_limits(settings),
                time=clock.monotonic,
                real_time=time.monotonic,
                new_key=lambda: new_secret(_KEY_BYTES),
            ),
            clock=clock,
            wall_time=wire_time,
            still=sessions.still,
            tell=deliveries.told,
            end=self.subscriptions.ended,
            missed=self._find_missed,
        )
        deliveries.write_to(self.hub if faults is None else FaultySockets(self.hub, faults))
        sessions.spare(self.hub.machine.is_connected)
        desk.on_closed(self.hub.unsubscribed)
        session_store.on_session_end(self._session_ended)
        clock.on_advance(self.hub.look_again)
        self._settings = settings
        self._live = live
        self._on_fatal = on_fatal
        self._writing: asyncio.Task[None] | None = None

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with the gateway's endpoint before it."""
        self.hub.run_requests_on(app)
        cors = self._settings.cors_origins
        return GatewayEndpoint(app, hub=self.hub, tokens=self.tokens, origins="*" if "*" in cors else cors)

    async def start(self) -> None:
        """Begin to write, take over the sessions of an earlier process, and end what it left without one."""
        if self._kept is not None:
            for session in await self._kept.all():
                if self._live.get(session.subscription) is not None:
                    owner = Owner(session.login, session.user)
                    self.hub.machine.restore(session.key, owner, session.subscription)
        for subscriber in list(self._live.subscribers):
            is_socket = subscriber.transport is TransportType.WEB_SOCKET
            if is_socket and not self.hub.machine.holds(subscriber.id):
                self.subscriptions.ended(subscriber.id)
        self._writing = asyncio.create_task(self.deliveries.run(), name="socket deliveries")
        self._writing.add_done_callback(self._writing_ended)
        self.hub.start()

    async def stop(self) -> None:
        await self.hub.stop()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def watch(self, metrics: Metrics) -> None:
        """What Prometheus may read of it."""
        hub, machine = self.hub, self.hub.machine
        metrics.watch_gauge("bellwire_websocket_connections", "Open sockets", lambda: machine.connections)
        metrics.watch_gauge(
            "bellwire_websocket_sessions",
            "Sessions, with those that wait for their client to come back",
            lambda: machine.sessions,
        )
        metrics.watch_counter(
            "bellwire_websocket_frames",
            "Frames that clients sent (in) and were sent (out)",
            lambda: {("in",): hub.frames_in, ("out",): hub.frames_out},
            labels=("direction",),
        )
        metrics.watch_counter(
            "bellwire_websocket_closed",
            "Sockets that ended, by close code; 1006 is without one",
            lambda: {(code,): count for code, count in hub.closed_by_code.items()},
            labels=("code",),
        )
        metrics.watch_counter(
            "bellwire_websocket_refused",
            "Sockets that were not let in, by error code",
            lambda: {(code,): count for code, count in hub.refused.items()},
            labels=("error_code",),
        )
        metrics.watch_counter(
            "bellwire_websocket_cut_off",
            "Sockets that were cut, since their clients did not read or answer pings",
            lambda: hub.cut_off,
        )
        metrics.watch_counter(
            "bellwire_websocket_recoveries",
            "Connections that asked for their session back, by result",
            lambda: {(result,): count for result, count in machine.recoveries.items()},
            labels=("result",),
        )
        metrics.watch_gauge(
            "bellwire_websocket_unwritten",
            "Notifications that are matched, and not handed to the gateway yet",
            lambda: self.deliveries.waiting,
        )

    async def _find_missed(self, wanted: ReadLog, from_here: Callable[[], None]) -> list[SocketNotification]:
        """What a session missed, up to an event that the gateway has been told of, and not of the next."""
        reached = asyncio.get_running_loop().create_future()
        until = self._routed()

        def all_told() -> None:
            from_here()
            if not reached.done():
                reached.set_result(None)

        self.deliveries.after_all(all_told)
        await reached
        return await self._missed.find(wanted.subscription, Position(wanted.position), wanted.ordinal, until)

    def _session_ended(self, session: SessionId) -> None:
        self.tokens.forget(session)
        self.hub.revoked(session)

    def _writing_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)
