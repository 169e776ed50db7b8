"""Deliveries: attempts of all subscriptions with request, answer, timing and next try; replay one, or a range."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui
from starlette.requests import Request

from bellwire.console.attempts import COLUMNS, attempt_dialog, attempt_rows
from bellwire.console.forms import choice, text_field
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import empty, more, table
from bellwire.console.region import Region, Values, text_of
from bellwire.console.replays import ReplayPanel
from bellwire.console.visitor import Visitor
from bellwire.delivery.failures import sentence
from bellwire.engine.history import AttemptSearch
from bellwire.errors import InvalidRequest
from bellwire.model.attempt import AttemptOutcome, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.ports.history import RecordedAttempt

PART = 50
MOST_PARTS = 20
REFRESH_SECONDS = 2.0

_OUTCOMES = [
    ("", "Any outcome"),
    ("delivered", "Delivered"),
    ("failed", "Failed, tried again"),
    ("given_up", "Given up"),
]


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/deliveries")
    async def deliveries(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Deliveries", current="/deliveries") as page:
            given = {name: request.query_params.get(name, "") for name in ("subscription", "event", "outcome")}
            await _Deliveries(page).build(given)


class AttemptList:
    """Attempts that fit a search, newest first, read again now and then; one of them can be opened."""

    def __init__(self, page: Page, replays: ReplayPanel, search: AttemptSearch, *, part: int = PART) -> None:
        self._page = page
        self._visitor = page.visitor
        self._replays = replays
        self._part = part
        self._limit = part
        self._records: dict[int, RecordedAttempt] = {}
        self._openings = 0
        self.search = search

    def build(self, nothing: Html) -> None:
        """`nothing`: in the place of an empty list."""
        self._nothing = nothing
        guarded = self._page.guarded
        self._list = Region(h("p", {"class": "empty"}, "…"), open=guarded(self._open), more=guarded(self._more))
        self._dialog = Region(again=guarded(self._again))
        self._page.every(REFRESH_SECONDS, self.refresh)

    async def look_for(self, search: AttemptSearch) -> None:
        self.search, self._limit = search, self._part
        await self.refresh()

    async def refresh(self) -> None:
        try:
            page = await self._visitor.facade.attempts(self._visitor.scope, self.search, None, self._limit)
        except InvalidRequest as refused:  # the event or the subscription that is asked for is not there
            self._list.show(
                empty("Nothing can be shown for this.", f"{refused.message}. Leave the field empty to look at all.")
            )
            return
        self._records = {record.id: record for record in page.records}
        if not page.records:
            self._list.show(self._nothing)
            return
        rows = attempt_rows(self._visitor, page.records)
        cursor = page.next_cursor if self._limit < self._part * MOST_PARTS else None
        self._list.show(join(table("Delivery attempts, newest first", COLUMNS, rows), more(cursor, len(rows))))

    async def _more(self, _values: Values) -> None:
        self._limit += self._part
        await self.refresh()

    async def _open(self, values: Values) -> None:
        name = text_of(values, "id")
        record = self._records.get(int(name)) if name.isdecimal() else None
        if record is None:
            self._page.say("This attempt is no longer among those shown.", is_problem=True)
            return
        request = await self._visitor.facade.request_of(self._visitor.scope, record.attempt)
        self._openings += 1
        self._dialog.show(attempt_dialog(self._visitor, record.attempt, request, self._openings))

    async def _again(self, values: Values) -> None:
        subscription = SubscriptionId(text_of(values, "subscription"))
        await self._replays.begin_event(subscription, text_of(values, "position"))


class _Deliveries:
    def __init__(self, page: Page) -> None:
        self._page = page

    async def build(self, given: dict[str, str]) -> None:
        with ui.element("div").classes("heading"):
            Region(h("h1", None, "Deliveries"))
            Region(h("a", {"class": "button", "href": "#replays"}, "Replay a range")).classes("tools")
        with ui.element("div").classes("panel"):
            self._said = Region()
            Region(_form(given), look=self._page.guarded(self._look))
        replays = ReplayPanel(self._page)
        with ui.element("div").classes("panel flush"):
            self._attempts = AttemptList(self._page, replays, _search(given))
            self._attempts.build(
                empty(
                    "No attempt is like this.",
                    "Attempts appear here as soon as an event matches a subscription. With other choices above there "
                    "may be some.",
                )
            )
        await replays.build()

    async def _look(self, values: Values) -> None:
        names = ("subscription", "event", "outcome", "failure")
        await self._attempts.look_for(_search({name: text_of(values, name) for name in names}))


def _search(given: dict[str, str]) -> AttemptSearch:
    outcome, failure = given.get("outcome", ""), given.get("failure", "")
    return AttemptSearch(
        subscription=SubscriptionId(given["subscription"]) if given.get("subscription") else None,
        event=given.get("event") or None,
        outcome=AttemptOutcome(outcome) if outcome in set(AttemptOutcome) else None,
        failure=FailureCode(failure) if failure in set(FailureCode) else None,
    )


def _form(given: dict[str, str]) -> Html:
    failures = [("", "Any reason"), *((code.value, f"{code.value}: {sentence(code)}") for code in FailureCode)]
    return h(
        "form",
        {"class": "fields", "data-live": "look", "data-action": "look"},
        choice("outcome", "Outcome", _OUTCOMES, given["outcome"]),
        choice("failure", "Why it failed", failures),
        text_field(
            "subscription", "Subscription", given["subscription"], placeholder="its id", is_search=True, limit=64
        ),
        text_field("event", "Event", given["event"], placeholder="position or uuid", limit=64),
    )
