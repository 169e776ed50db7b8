"""A composed server: what it shows, and in which order its parts start and stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog
from starlette.types import ASGIApp

from bellwire import __version__
from bellwire.api.health import Readiness
from bellwire.compose_delivery import DeliveryParts
from bellwire.compose_gateway import GatewayParts
from bellwire.compose_sms import SmsService
from bellwire.engine.housekeeping import Housekeeping
from bellwire.engine.operate import Operations
from bellwire.engine.seed import DemoCredentials
from bellwire.engine.seed_load import Seeded, Seeding
from bellwire.model.ids import EMBEDDED_PARTITION
from bellwire.observe.attempts import AttemptWatch, Listener
from bellwire.observe.system_clock import SystemClock
from bellwire.observe.traces import Traces
from bellwire.settings import Settings
from bellwire.storage.embedded.engine_files import EngineFiles

LONGEST_DRAIN_SECONDS = 5.0

_log = structlog.get_logger("bellwire.server")


class Server:
    """A composed server. `app` answers requests between `start` and `stop`."""

    def __init__(
        self,
        *,
        app: ASGIApp,
        clock: SystemClock,
        notes: Sequence[str],
        demo: DemoCredentials | None,
        engine: RunningEngine,
    ) -> None:
        self.app = app
        self.clock = clock
        self.notes = tuple(notes)
        """Lines to show once: the first admin key."""
        self.demo = demo
        """The demo account's credentials, in `dev`."""
        self._engine = engine

    @property
    def attempts(self) -> AttemptWatch:
        """Where to listen for delivery attempts."""
        return self._engine.attempts

    @property
    def engine(self) -> RunningEngine:
        """For who takes it over (`development.py`)."""
        return self._engine

    def on_attempt(self, listener: Listener) -> None:
        """Have it called at each delivery attempt, from the event loop; must be quick."""
        self._engine.attempts.listen(listener)

    async def seed(self, text: bytes) -> Seeded:
        """Load a seed file; in `dev`, once started.

        Raises:
            InvalidRequest: every problem by its place; nothing was changed.
        """
        return await self._engine.seeding.load(text)

    @property
    def operations(self) -> Operations:
        """What an operator may do with any subscription."""
        return self._engine.delivery.operations

    @property
    def failed(self) -> asyncio.Event:
        """Set when the engine can't go on (its disk failed): the process should end."""
        return self._engine.failed

    async def start(self) -> None:
        """Restore the subscriptions, and begin to route and to deliver."""
        await self._engine.start()

    def wind_down(self) -> None:
        """Ask long requests that are under way to end with an answer; `stop` comes when all have ended."""
        self._engine.stopping.set()

    async def stop(self, *, drain_seconds: float = LONGEST_DRAIN_SECONDS) -> None:
        """Stop in reverse order: no more routing, attempts under way end, everything durable, files closed.

        Args:
            drain_seconds: how long attempts under way may take at most.
        """
        await self._engine.stop(drain_seconds)


class RunningEngine:
    """What runs behind the API."""

    def __init__(
        self, *, settings: Settings, closing: AsyncExitStack, attempts: AttemptWatch, traces: Traces | None
    ) -> None:
        self.settings = settings
        self.closing = closing
        self.attempts = attempts
        self.traces = traces
        self.failed = asyncio.Event()
        self.stopping = asyncio.Event()
        self.is_ready = False
        self.files: EngineFiles
        self.delivery: DeliveryParts
        self.housekeeping: Housekeeping
        self.seeding: Seeding
        self.gateway: GatewayParts
        self.sms: SmsService
        self._routing: asyncio.Task[None] | None = None

    def fail(self, error: BaseException) -> None:
        """The engine can't go on: nothing more is said to be ready, and the process ends."""
        _log.critical("engine.failed", error=repr(error), exc_info=error)
        self.is_ready = False
        self.failed.set()

    async def start(self) -> None:
        began = time.monotonic()
        watermark = await self.delivery.deliveries.claim()
        restored = await self.delivery.live.restore()
        # A log that retention emptied must not count from 1 again, below the filters' positions (engine.md, Files).
        await self.files.event_log.raise_head(max(watermark, self.delivery.live.restored_up_to))
        self.delivery.deliveries.start()
        await self.gateway.start()
        self.delivery.watch.start()
        await self.delivery.replays.start()
        self._routing = asyncio.create_task(self.delivery.router.run(watermark), name="router")
        self._routing.add_done_callback(self._routing_ended)
        await self.sms.start()
        self.housekeeping.start()
        self.is_ready = True
        head = self.files.event_log.head(EMBEDDED_PARTITION)
        _log.info(
            "server.started",
            watermark=watermark,
            log_head=head,
            to_route=head - watermark,
            subscriptions=restored,
            seconds=round(time.monotonic() - began, 3),
            version=__version__,
        )

    async def stop(self, drain_seconds: float) -> None:
        drain_seconds = min(drain_seconds, self.settings.shutdown_seconds)
        began = time.monotonic()
        self.is_ready = False
        if self._routing is not None:
            await self.housekeeping.stop()
            await self.delivery.watch.stop()
            await self.delivery.alerts.stop()
            await self.sms.stop(drain_seconds=drain_seconds)
            self._routing.cancel()
            await asyncio.gather(self._routing, return_exceptions=True)
            await self.gateway.stop()
            await self.delivery.replays.stop(drain_seconds=min(1.0, drain_seconds))
            await self.delivery.deliveries.stop(drain_seconds=drain_seconds)
        await self.closing.aclose()
        _log.info("server.stopped", seconds=round(time.monotonic() - began, 3))

    def readiness(self) -> Readiness | None:
        if not self.is_ready:
            return None
        return Readiness(
            logHead=self.files.event_log.head(EMBEDDED_PARTITION),
            routed=self.delivery.deliveries.settling.routed,
            watermark=self.delivery.deliveries.committed_watermark,
        )

    def _routing_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
