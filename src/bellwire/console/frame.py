"""What all pages have around them: the navigation, the theme, where messages are said; and what becomes of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

from nicegui import ui
from nicegui.client import Client

from bellwire.console.gate import assets_version
from bellwire.console.markup import Html, h, join
from bellwire.console.region import Region
from bellwire.console.sign_in import head_parts
from bellwire.console.visitor import SignedOut, Visitor
from bellwire.errors import BellwireError, InvalidRequest, Unavailable

P = ParamSpec("P")

PAGES = (
    ("/", "Live"),
    ("/subscriptions", "Subscriptions"),
    ("/deliveries", "Deliveries"),
    ("/events", "Events"),
    ("/charts", "Charts"),
)
SMS_LAB = ("/sms-lab", "SMS lab")
"""There with the simulated carrier of a development server."""


@dataclass(slots=True)
class Page:
    """One page in one browser."""

    visitor: Visitor
    client: Client
    _said: Region
    _has_said_problem: bool = False

    def say(self, sentence: str, *, is_problem: bool = False) -> None:
        """A message that screen readers read out, too; an empty one takes the last away."""
        if self.client.is_deleted:
            return
        self._has_said_problem = is_problem and bool(sentence)
        if not sentence:
            self._said.show(Html(""))
            return
        look = "toast problem" if is_problem else "toast"
        close = h("button", {"type": "button", "data-action": "close", "aria-label": "Close the message"}, "×")
        self._said.show(h("div", {"class": look}, h("span", None, sentence), close))

    def go(self, path: str) -> None:
        """Lead the browser to another page, by its path within the console."""
        self.client.open(path)  # NiceGUI puts the console's own path before it

    def leave(self) -> None:
        """The session is over: loaded again, the page leads to the sign-in, and from there back."""
        self.client.run_javascript("window.location.reload()")

    def guarded(self, action: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
        """An action whose refusals are said on the page, and that leads to the sign-in when the session is over."""

        @wraps(action)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            if self._has_said_problem:
                self.say("")  # it was about what was done before
            try:
                await action(*args, **kwargs)
            except SignedOut:
                self.leave()
            except BellwireError as refused:
                self.say(sentence_of(refused), is_problem=True)
            except Exception:
                self.say("Something went wrong here. The server’s log says what.", is_problem=True)
                raise

        return guarded

    def every(self, seconds: float, action: Callable[[], Awaitable[None]]) -> ui.timer:
        """Do it now and then, while the page is open."""
        return ui.timer(seconds, self._quietly(action))

    def _quietly(self, action: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """As `guarded`, but that the engine is away for a moment is not worth a message."""

        async def quiet() -> None:
            try:
                await action()
            except SignedOut:
                self.leave()
            except Unavailable:
                return
            except BellwireError as refused:
                self.say(sentence_of(refused), is_problem=True)

        return quiet


def sentence_of(refused: BellwireError) -> str:
    """What a refusal says to people, every entry of it."""
    if isinstance(refused, InvalidRequest):
        return " ".join(f"{_closed(entry.message)} ({entry.code})" for entry in refused.entries[:5])
    return str(refused)


def _closed(message: str) -> str:
    return message if message.endswith("?") else f"{message.rstrip('.')}."


@contextmanager
def framed(visitor: Visitor, title: str, *, current: str) -> Iterator[Page]:
    """Build a page within this.

    Args:
        current: path of the page in the navigation that it belongs to.
    """
    client = ui.context.client
    ui.add_head_html(head_parts(visitor.base, assets_version()))
    ui.page_title(f"{title} · Bellwire")
    # NiceGUI's page is the main landmark; what stands before it goes before it in the layout.
    with client.layout, ui.element("header").classes("top") as header:
        Region(_navigation(visitor, current))
    header.move(target_index=0)

    async def close(_values: object) -> None:
        said.show(Html(""))

    said = Region(close=close)
    said.props('role="status" aria-live="polite"').classes("said")
    page = Page(visitor, client, said)
    with ui.element("div").classes("content").props('id="main" tabindex="-1"'):
        yield page


def _navigation(visitor: Visitor, current: str) -> Html:
    links = [
        h(
            "li",
            None,
            h("a", {"href": visitor.link(path), "aria-current": "page" if path == current else None}, name),
        )
        for path, name in (*PAGES, *((SMS_LAB,) if visitor.has_sms_lab else ()))
    ]
    return join(
        h("a", {"href": "#main", "class": "skip"}, "Skip to the content"),
        h(
            "a",
            {"href": visitor.link("/"), "class": "brand"},
            h("span", {"class": "mark", "aria-hidden": "true"}),
            "Bellwire",
        ),
        h("nav", {"aria-label": "Pages"}, h("ul", None, links)),
        h(
            "div",
            {"class": "own"},
            h(
                "button",
                {"type": "button", "class": "icon", "data-theme-toggle": True, "aria-label": "Change the theme"},
                h("span", {"aria-hidden": "true"}, "◐"),
            ),
            h(
                "form",
                {"method": "post", "action": visitor.link("/sign-out")},
                h("button", {"type": "submit", "class": "quiet"}, "Sign out"),
            ),
        ),
    )
