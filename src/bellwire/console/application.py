"""NiceGUI, set up for the console and started: loaded when the first operator enters.

NiceGUI has one application for a process; so has the console one gate. Pages are registered once, and ask the gate for
the engine of the moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from fastapi import FastAPI
from nicegui import app, ui
from starlette.requests import Request
from starlette.types import ASGIApp

from bellwire.console import (
    charts,
    deliveries,
    event,
    events,
    live,
    sms_lab,
    subscription,
    subscription_form,
    subscriptions,
)
from bellwire.console.frame import framed
from bellwire.console.gate import SESSION_KEY, ConsoleGate
from bellwire.console.markup import h
from bellwire.console.records import empty
from bellwire.console.region import Region
from bellwire.console.sessions import ConsoleSession
from bellwire.console.visitor import SignedOut, Visitor
from bellwire.errors import BellwireError

RECONNECT_SECONDS = 20.0
"""For how long a page whose connection broke is kept, to go on where it was."""

_log = structlog.get_logger("bellwire.console")

BuildPage = Callable[..., Awaitable[None]]


class NiceGuiPages:
    """See `gate.Pages`."""

    def __init__(self, running: AsyncExitStack) -> None:
        self.app: ASGIApp = app
        self._running = running

    async def close(self) -> None:
        await self._running.aclose()


async def open_pages(gate: ConsoleGate) -> NiceGuiPages:
    """Register the pages and start NiceGUI in this event loop; once in a process."""
    _register(gate)
    app.on_exception(_report)
    # NiceGUI's own way to be mounted adds what it needs to its application; the mount itself is the gate's.
    ui.run_with(
        FastAPI(openapi_url=None),
        title="Bellwire",
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_SECONDS,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        favicon=None,
    )
    running = AsyncExitStack()
    await running.enter_async_context(app.router.lifespan_context(app))
    return NiceGuiPages(running)


def _register(gate: ConsoleGate) -> None:
    def visitor_of(request: Request) -> Visitor:
        session = request.scope.get(SESSION_KEY)
        assert isinstance(session, ConsoleSession), "the gate lets nobody else in"
        return Visitor(gate, session, request.scope["root_path"])

    for pages in (live, subscriptions, subscription_form, subscription, deliveries, events, event, charts, sms_lab):
        pages.register(visitor_of)

    @ui.page("/{path:path}")
    async def unknown(request: Request, path: str) -> None:
        visitor = visitor_of(request)
        ui.context.client.status_code = 404
        with framed(visitor, "No such page", current=""):
            link = h("a", {"href": visitor.link("/")}, "See what flows")
            Region(h("div", {"class": "heading"}, h("h1", None, "No such page")))
            said = empty(f"The console has no page /{path[:100]}.", "The pages are above. ", link, ".")
            Region(h("div", {"class": "panel"}, said))


def _report(error: Exception) -> None:
    if not isinstance(error, BellwireError | SignedOut):
        _log.error("console.failed", error=repr(error), exc_info=error)
