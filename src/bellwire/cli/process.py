"""One server process: a listening socket, the composed server behind uvicorn, and an orderly end.

`serve` and `dev` differ only in their settings and in what runs beside the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import uvicorn

from bellwire.cli.collector import calm_the_collector
from bellwire.cli.data_directory import record_server_url
from bellwire.cli.failure import CommandFailed
from bellwire.cli.listener_config import listener_config
from bellwire.cli.listening_socket import listening_socket
from bellwire.compose import open_server
from bellwire.development import open_dev_server
from bellwire.observe.system_clock import SystemClock
from bellwire.running import Server
from bellwire.settings import Settings, local_url

STOP_SECONDS = 15
"""What the engine may take to stop, after requests have ended."""

Beside = Callable[[Server, Settings], AbstractAsyncContextManager[None]]
"""What is entered once the server answers, and left before it stops."""


class _Listener(uvicorn.Server):
    """Uvicorn without its own signal handling, that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


def run_server(settings: Settings, *, dev: bool, beside: Beside, seed: bytes | None = None) -> None:
    """Run a server until SIGINT or SIGTERM; a second signal ends requests that are under way.

    Args:
        dev: with the demo account and the development controls.
        seed: in `dev`, a seed file's content.

    Raises:
        CommandFailed: it can't start, or did not stop in time.
        Misconfigured: host, port or data directory can't be used.
    """
    import uvloop

    os.umask(0o077)  # what the data directory holds is for this user alone, whatever the directory's own mode
    listening = listening_socket(settings.host, settings.port)
    settings = replace(settings, port=listening.getsockname()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, listening, dev=dev, beside=beside, seed=seed))


async def _run(settings: Settings, listening: socket.socket, *, dev: bool, beside: Beside, seed: bytes | None) -> None:
    stop = asyncio.Event()
    listener: _Listener | None = None

    def on_signal() -> None:
        if stop.is_set() and listener is not None:
            listener.force_exit = True
        stop.set()

    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, on_signal)

    clock = SystemClock()
    server: Server
    if dev:
        server = await open_dev_server(settings, clock=clock, seed=seed)
    else:
        server = await open_server(settings, clock=clock, dev=False)
    try:
        await server.start()
        calm_the_collector(for_good=not dev)  # in `dev` a reset throws the engine away, and composes another
        record_server_url(settings.data_dir, local_url(settings.host, settings.port))
        listener = _Listener(listener_config(server.app, settings))
        failing = asyncio.create_task(server.failed.wait())
        failing.add_done_callback(lambda _: stop.set())
        async with _listening(listener, listening, stop), beside(server, settings):
            await stop.wait()
            server.wind_down()
        failing.cancel()
        if server.failed.is_set():
            raise CommandFailed("the engine can't go on; see the log")
    finally:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await server.stop()
        except TimeoutError:
            raise CommandFailed(f"the engine did not stop within {STOP_SECONDS} s") from None


@contextlib.asynccontextmanager
async def _listening(listener: _Listener, listening: socket.socket, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer requests while the context lasts. Should the listener end by itself, `stop` is set."""
    serving = asyncio.create_task(listener.serve(sockets=[listening]))
    serving.add_done_callback(lambda _: stop.set())
    listens = asyncio.create_task(listener.listens.wait())
    await asyncio.wait({serving, listens}, return_when=asyncio.FIRST_COMPLETED)
    listens.cancel()
    try:
        yield
    finally:
        listener.should_exit = True
        await serving
