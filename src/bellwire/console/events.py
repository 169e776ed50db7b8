"""Events: what was published, searched by family, topic, uuid, account and time."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui
from starlette.requests import Request

from bellwire.console.forms import choice, options_of_accounts, options_of_families, text_field
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import empty, family_of, more, table, told
from bellwire.console.region import Region, Values, text_of
from bellwire.console.replays import time_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import clock_time
from bellwire.engine.history import EventSearch
from bellwire.errors import InvalidRequest
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId

PART = 50
REFRESH_SECONDS = 3.0


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/events")
    async def events(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Events", current="/events") as page:
            _Events(page).build()


class _Events:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._search = EventSearch()
        self._older: list[LoggedEvent] = []
        self._cursor: str | None = None
        self._is_at_top = True

    def build(self) -> None:
        visitor = self._visitor
        accounts = visitor.facade.accounts(visitor.scope)
        with ui.element("div").classes("heading"):
            Region(h("h1", None, "Events"))
        with ui.element("div").classes("panel"):
            options = options_of_accounts(accounts)
            Region(_form(options if len(accounts) > 1 else []), look=self._page.guarded(self._look))
            self._problem = Region()
        with ui.element("div").classes("panel flush"):
            self._list = Region(h("p", {"class": "empty"}, "…"), more=self._page.guarded(self._more))
        self._page.every(REFRESH_SECONDS, self._refresh)

    async def _look(self, values: Values) -> None:
        account = text_of(values, "account")
        try:
            self._search = EventSearch(
                account=AccountId(account) if account else None,
                uuid=text_of(values, "uuid") or None,
                family=text_of(values, "family") or None,
                topic=text_of(values, "topic") or None,
                from_ms=time_of(text_of(values, "from"), "From"),
                until_ms=time_of(text_of(values, "to"), "To"),
            )
            search = self._search
            if search.from_ms is not None and search.until_ms is not None and search.from_ms >= search.until_ms:
                raise InvalidRequest("CMN-101", "“From” has to be before “To”.", parameter="from")
            self._is_at_top = True
            await self._refresh()
        except InvalidRequest as refused:
            self._search = EventSearch()
            self._problem.show(h("div", {"class": "note bad", "role": "alert"}, refused.message))
        else:
            self._problem.show(Html(""))

    async def _refresh(self) -> None:
        """The newest; once older ones were asked for, what is shown stays."""
        if not self._is_at_top:
            return
        page = await self._visitor.facade.events(self._visitor.scope, self._search, None, PART)
        self._older, self._cursor = list(page.records), page.next_cursor
        self._show()

    async def _more(self, _values: Values) -> None:
        self._is_at_top = False
        page = await self._visitor.facade.events(self._visitor.scope, self._search, self._cursor, PART)
        self._older += page.records
        self._cursor = page.next_cursor
        self._show()

    def _show(self) -> None:
        if not self._older:
            self._list.show(self._nothing())
            return
        now_ms = self._visitor.facade.now_ms()
        columns = ("Time (UTC)", "Family", "In words", "Topic", "Position", "Size")
        rows = [self._row(logged, now_ms) for logged in self._older]
        self._list.show(join(table("Events, newest first", columns, rows), more(self._cursor, len(rows))))

    def _nothing(self) -> Html:
        if self._cursor is not None:
            return join(
                empty("Nothing was found so far.", "There is more history to look through."), more(self._cursor, 0)
            )
        if self._search != EventSearch():
            return empty(
                "No event is like this.", "Leave a field empty to look at all, or check the spelling of the topic."
            )
        return empty(
            "Nothing was published yet.",
            "POST /bellwire/v1/events with a publisher key, or ",
            h("code", None, "bellwire publish events.ndjson"),
            ".",
        )

    def _row(self, logged: LoggedEvent, now_ms: int) -> Html:
        event = logged.event
        link = h("a", {"href": self._visitor.link(f"/events/{logged.position}")}, event.topic)
        return h(
            "tr",
            {"id": f"event-{logged.position}"},
            h("td", {"class": "time"}, clock_time(event.timestamp_ms, now_ms=now_ms)),
            h("td", {"class": "nowrap", "data-name": "Family"}, family_of(event.topic)),
            h("td", {"class": "wraps"}, told(event)),
            h("td", {"class": "wraps"}, link),
            h("td", {"class": "number", "data-name": "Position"}, f"{logged.position:,}"),
            h("td", {"class": "number", "data-name": "Size"}, f"{len(event.body):,} B"),
        )


def _form(accounts: list[tuple[str, str]]) -> Html:
    return h(
        "form",
        {"class": "fields", "data-live": "look", "data-action": "look"},
        choice("account", "Account", [("", "All accounts"), *accounts]) if accounts else None,
        choice("family", "Event family", [("", "All families"), *options_of_families()]),
        text_field(
            "topic",
            "Topic",
            placeholder="/restapi/v1.0/account/…",
            hint="The whole path that it was published on.",
            is_search=True,
        ),
        text_field("uuid", "uuid", limit=64),
        text_field("from", "From", kind="datetime-local", hint="UTC"),
        text_field("to", "To", kind="datetime-local", hint="UTC"),
    )
