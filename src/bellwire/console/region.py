"""A part of a page: HTML that the server writes, and what is done in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from bellwire.console.markup import Html

Values = Mapping[str, Any]
"""What a form holds, or a button's data, by name: texts, or lists of them."""
Action = Callable[[Values], Awaitable[None]]


class Region(Element, component="region.js"):
    """Shows HTML; calls what was registered for the names that its markup has in `data-action` and `data-live`.

    Actions of one region run one after the other, in the order in which they were done.
    """

    def __init__(self, html: Html | None = None, **actions: Action) -> None:
        super().__init__()
        self._actions: dict[str, Action] = dict(actions)
        self._turn = asyncio.Lock()
        self._props["html"] = html or ""
        self.on("tell", self._told)

    def show(self, html: Html) -> None:
        """Put this in the place of what is there; the same again costs nothing."""
        if self._props["html"] != html:
            self._props["html"] = html
            self.update()

    def prepend_rows(self, rows: Html, limit: int) -> None:
        """Rows at the top of the first table, of which `limit` are kept."""
        self.run_method("prepend", rows, limit)

    def fill(self, field: str, value: str) -> None:
        """Set a field's value by its id, as if it had been typed."""
        self.run_method("fill", field, value)

    def focus(self, field: str) -> None:
        self.run_method("focus", field)

    async def _told(self, event: GenericEventArguments) -> None:
        told = event.args if isinstance(event.args, dict) else {}
        action = self._actions.get(str(told.get("action")))
        values = told.get("values")
        if action is not None and isinstance(values, dict):
            async with self._turn:
                await action(values)


def text_of(values: Values, name: str, *, limit: int = 4096) -> str:
    """A single value as text without blanks around it; empty where there is none, cut where it is too long."""
    value = values.get(name, "")
    if isinstance(value, list):
        value = value[0] if value else ""
    return str(value).strip()[:limit]


def texts_of(values: Values, name: str, *, limit: int = 4096) -> list[str]:
    """All values of a name that are not empty."""
    value = values.get(name, [])
    listed = value if isinstance(value, list) else [value]
    return [text for one in listed if (text := str(one).strip()[:limit])]
