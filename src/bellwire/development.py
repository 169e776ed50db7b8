"""A development server: one that can go back to its seed while it runs.

    POST /bellwire/v1/dev/reset ──▶ newcomers wait ─▶ requests under way end ─▶ engine stops ─▶ directory is emptied
                                    newcomers go on ◀─ seed file is loaded ◀─ engine starts ◀─ all is opened anew ◀┘

A reset throws the engine away and composes a new one over an empty directory, rather than emptying each store by hand:
what will ever be stored is reset with it. The listening socket, the clock, the credentials and those who watch stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from bellwire.compose import Development, open_server
from bellwire.console.gate import PREFIX as CONSOLE_PREFIX
from bellwire.console.gate import ConsoleGate
from bellwire.engine.faults import Faults
from bellwire.errors import InvalidRequest, Misconfigured, Problem
from bellwire.observe.attempts import Listener
from bellwire.observe.system_clock import SystemClock
from bellwire.running import Server
from bellwire.settings import Settings
from bellwire.storage.reset import empty_directory

GRACE_SECONDS = 2.0
"""What requests under way are given to end; then their engine is gone, and they are answered 503."""

_log = structlog.get_logger("bellwire.development")


class DevServer(Server):
    """Made by `open_dev_server`."""

    def __init__(self, settings: Settings, clock: SystemClock, seed: bytes | None) -> None:
        self.clock = clock
        self._settings = settings
        self._seed = seed
        self._front = _Front()
        self._faults = Faults()
        self._console = ConsoleGate(now=SystemClock().monotonic)
        self._failed = asyncio.Event()
        self._attempt_listeners: list[Listener] = []
        self._reset_listeners: list[Callable[[], None]] = []
        self._changing = asyncio.Lock()
        self._resetting = 0
        self._is_open = False

    async def open(self) -> None:
        """Compose the server. Raises Misconfigured as `open_server` does."""
        development = Development(faults=self._faults, reset=self.reset, console=self._console)
        opened = await open_server(self._settings, clock=self.clock, dev=True, development=development)
        super().__init__(app=self._front, clock=self.clock, notes=opened.notes, demo=opened.demo, engine=opened.engine)
        self._engine.failed = self._failed
        self._front.app = opened.app
        for listener in self._attempt_listeners:
            super().on_attempt(listener)
        self._is_open = True

    async def start(self) -> None:
        """Raises Misconfigured, with every problem of the seed file."""
        await super().start()
        if self._seed is None:
            return
        try:
            await self.seed(self._seed)
        except InvalidRequest as refused:
            problems = (Problem(entry.parameter or "seed", entry.message) for entry in refused.entries)
            raise Misconfigured(tuple(problems)) from refused

    async def stop(self, *, drain_seconds: float = 5.0) -> None:
        async with self._changing:
            if self._is_open:
                await super().stop(drain_seconds=drain_seconds)
            await self._console.close()

    async def reset(self, *, rewind_clock: bool = False) -> None:
        """Back to the seed. Runs to its end, also when the request that asked for it is gone.

        Args:
            rewind_clock: the clock shows the machine's time again, too.
        """
        await asyncio.shield(asyncio.create_task(self._reset(rewind_clock), name="reset"))

    def on_attempt(self, listener: Listener) -> None:
        self._attempt_listeners.append(listener)
        super().on_attempt(listener)

    def on_reset(self, listener: Callable[[], None]) -> None:
        """Have it called after each reset, from the event loop."""
        self._reset_listeners.append(listener)

    async def _reset(self, rewind_clock: bool) -> None:
        self._resetting += 1
        try:
            async with self._changing:
                await self._begin_anew(rewind_clock)
        finally:
            self._resetting -= 1
        for listener in self._reset_listeners:
            listener()

    async def _begin_anew(self, rewind_clock: bool) -> None:
        if not self._is_open:
            return
        self._front.hold()
        self._engine.gateway.hub.close_all()
        try:
            await self._front.ended(but=lambda: self._resetting, within_seconds=GRACE_SECONDS)
            await super().stop(drain_seconds=0.0)
            self._is_open = False
            await asyncio.to_thread(empty_directory, self._settings.data_dir)
            self._faults.clear()
            self.clock.forget_listeners()
            if rewind_clock:
                self.clock.rewind()
            await self.open()
            await self.start()
            gc.collect()  # the engine that was left is full of cycles, and the collector seldom looks
        except BaseException as error:
            self._engine.fail(error)
            raise
        finally:
            self._front.release()
        _log.info("server.reset", data_dir=str(self._settings.data_dir))


async def open_dev_server(settings: Settings, *, clock: SystemClock, seed: bytes | None = None) -> DevServer:
    """As `open_server`, for development.

    Args:
        seed: a seed file's content, loaded at each start and reset.
    """
    server = DevServer(settings, clock, seed)
    await server.open()
    return server


class _Front:
    """An ASGI application before the one of the moment, that can make requests wait."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self._under_way = 0
        self._may_enter = asyncio.Event()
        self._may_enter.set()
        self._left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        if scope.get("path", "").startswith(CONSOLE_PREFIX):  # it outlives a reset, and so do its pages' sockets
            await self.app(scope, receive, send)
            return
        await self._may_enter.wait()
        self._under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._left.set()

    def hold(self) -> None:
        """Newcomers wait from now on."""
        self._may_enter.clear()

    def release(self) -> None:
        self._may_enter.set()

    async def ended(self, *, but: Callable[[], int], within_seconds: float) -> None:
        """Wait, for a bounded time, until no more than so many requests are under way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                while self._under_way > but():
                    self._left.clear()
                    await self._left.wait()
