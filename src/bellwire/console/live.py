"""Live: events and notifications as they flow, by family, and by a filter typed as subscribers write it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from nicegui import ui
from starlette.requests import Request

from bellwire.console.feed import MadeAttempt, RoutedEvent, Sampled, Viewer
from bellwire.console.forms import choice, filter_refusal, options_of_accounts, options_of_families
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.pace import Pace
from bellwire.console.records import badge, empty, family_of, told
from bellwire.console.region import Region, Values, text_of, texts_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import answer_of, clock_time, count, milliseconds, outcome_word, rate
from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.filters import MAX_FILTER_LENGTH, EventFilter
from bellwire.model.attempt import AttemptOutcome
from bellwire.model.event import Event
from bellwire.model.ids import AccountId

T = TypeVar("T")

TICK_SECONDS = 0.5
ROWS_A_TICK = 10
KEPT_ROWS = 120
RATE_TICKS = 10
"""Over which rates are averaged."""

_KINDS = {"events": "Events", "notifications": "Delivery attempts"}


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/")
    async def live(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Live", current="/") as page:
            _Stream(page).build()


class _Stream:
    """One page that looks at what flows."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._viewer: Viewer | None = None
        self._account: AccountId | None = self._visitor.scope.account_id
        self._family = ""
        self._kinds = set(_KINDS)
        self._filter: EventFilter | None = None
        self._has_bad_filter = False
        self._is_paused = False
        self._missed = 0.0
        self._pace = Pace(RATE_TICKS)
        self._looked_at = time.monotonic()
        self._has_rows = False
        self._choices = 0
        """How often they were changed."""

    def build(self) -> None:
        facade, scope = self._visitor.facade, self._visitor.scope
        accounts = facade.accounts(scope)
        with ui.element("div").classes("heading"):
            Region(h("h1", None, "Live"))
            self._tools = Region(self._buttons(), pause=self._page.guarded(self._pause)).classes("tools")
        with ui.element("div").classes("panel"):
            self._figures = Region(_figures(0, 0, 0))
            self._form = Region(
                _form(options_of_accounts(accounts), len(accounts) > 1), watch=self._page.guarded(self._watch)
            ).classes("space")
            self._status = Region(use=self._page.guarded(self._use))
            self._status.props('aria-live="polite"')
        with ui.element("div").classes("panel flush"):
            self._table = Region(_EMPTY).classes("scrolls")
        self._open()
        self._page.client.on_delete(self._close)
        self._page.every(TICK_SECONDS, self._tick)

    # What is done on the page

    async def _pause(self, _values: Values) -> None:
        self._is_paused = not self._is_paused
        self._missed = 0.0
        self._tools.show(self._buttons())
        self._tools.focus("pause")

    async def _watch(self, values: Values) -> None:
        before = (self._family, self._kinds, self._account, self._filter)
        self._family = text_of(values, "family")
        self._kinds = set(texts_of(values, "kinds"))
        scope = self._visitor.scope
        chosen = text_of(values, "account")
        account = scope.account_id or (AccountId(chosen) if chosen else None)
        if account != self._account:
            self._account = account
            self._open()
        self._filter, self._has_bad_filter = None, False
        text = text_of(values, "filter")
        if text:
            try:
                self._filter = self._read_filter(text, account)
            except InvalidRequest as refused:
                self._has_bad_filter = True
                waits = "Until the filter can be read, nothing new is shown."
                self._status.show(join(filter_refusal(text, refused), h("p", {"class": "hint"}, waits)))
                return
        else:
            self._status.show(Html(""))
        if before != (self._family, self._kinds, self._account, self._filter):
            self._begin_anew()

    def _begin_anew(self) -> None:
        """What came for other choices would look as if it fitted these."""
        self._has_rows = False
        self._choices += 1
        self._pace.forget("fitting", "shown")
        self._table.show(self._nothing())

    def _nothing(self) -> Html:
        """Why there is nothing, as far as that can be told."""
        if not self._kinds:
            return _NO_KIND
        if self._family and self._filter is not None and self._filter.family.name != self._family:
            return _contradiction(self._family, self._filter.family.name)
        is_narrowed = bool(self._family) or self._filter is not None or len(self._kinds) < len(_KINDS)
        return _NONE_FITS if is_narrowed else _EMPTY

    async def _use(self, values: Values) -> None:
        """Take the suggestion."""
        self._form.fill("filter", text_of(values, "value"))
        self._form.focus("filter")

    def _read_filter(self, text: str, account: AccountId | None) -> EventFilter:
        facade, scope = self._visitor.facade, self._visitor.scope
        match = REGISTRY.match_shape(text.partition("?")[0])
        named = "" if match is None else match.values.get("accountId", "")
        if account is None and named not in {"", "~"} and scope.covers(AccountId(named)):
            account = AccountId(named)
        if account is None and (first := facade.account_with_users(scope)) is not None:
            account = first.id
        if account is None:
            raise InvalidRequest("CMN-102", "There is no account yet, so that a filter can’t mean anything.")
        users = facade.users(scope, account)
        if not users:
            raise InvalidRequest("CMN-102", "The account has no users yet, so that a filter can’t mean anything.")
        return facade.read_filter(text, account, users[0].id)

    # What flows

    def _open(self) -> None:
        self._close()
        self._viewer = Viewer(self._account)
        self._visitor.feed.open(self._viewer)

    def _close(self) -> None:
        if self._viewer is not None:
            self._visitor.feed.close(self._viewer)
            self._viewer = None

    async def _tick(self) -> None:
        scope, viewer = self._visitor.scope, self._viewer
        if viewer is None or not (viewer.account is None or scope.covers(viewer.account)):
            return
        events, attempts = viewer.take_events(), viewer.take_attempts()
        wanted_events = [one for one in events.items if self._wants("events", one.event)]
        wanted_attempts = [one for one in attempts.items if self._wants("notifications", one.event)]
        failed = [one for one in attempts.items if one.attempt.outcome is not AttemptOutcome.DELIVERED]
        fitting = _scaled(events, wanted_events) + _scaled(attempts, wanted_attempts)
        shown = 0 if self._is_paused else min(ROWS_A_TICK, len(wanted_events) + len(wanted_attempts))
        self._pace.visit(
            self._seconds_since(),
            events=events.seen,
            notifications=attempts.seen,
            failed=_scaled(attempts, failed),
            fitting=fitting,
            shown=shown,
        )
        self._figures.show(_figures(*(self._pace.a_second(name) for name in ("events", "notifications", "failed"))))
        if self._is_paused:
            self._missed += fitting
            self._tools.show(self._buttons())
        else:
            self._show_rows(wanted_events, wanted_attempts)

    def _seconds_since(self) -> float:
        """Since it was asked the last time; ticks come late when the server is busy."""
        before, self._looked_at = self._looked_at, time.monotonic()
        return self._looked_at - before

    def _wants(self, kind: str, event: Event | None) -> bool:
        if self._has_bad_filter or kind not in self._kinds:
            return False
        if event is None:
            return not self._family and self._filter is None
        if self._family and _family_of(event.topic) != self._family:
            return False
        return self._filter is None or self._visitor.facade.is_wanted(self._filter, event)

    def _show_rows(self, events: Sequence[RoutedEvent], attempts: Sequence[MadeAttempt]) -> None:
        """The newest, with those that there is no time to read left out."""
        now_ms = self._visitor.facade.now_ms()
        found: list[tuple[int, RoutedEvent | MadeAttempt]] = [
            *((_handed_over_ms(one.event), one) for one in events),
            *((one.attempt.started_ms, one) for one in attempts),
        ]
        found.sort(key=lambda entry: -entry[0])
        rows = [
            self._event_row(one, now_ms) if isinstance(one, RoutedEvent) else self._attempt_row(one, now_ms)
            for _, one in found[:ROWS_A_TICK]
        ]
        if rows:
            if not self._has_rows:
                self._has_rows = True
                self._table.show(_table(self._choices))
            self._table.prepend_rows(join(rows), KEPT_ROWS)
        if not self._has_bad_filter:
            self._say_rate()

    def _say_rate(self) -> None:
        of_all, shown = self._pace.a_second("fitting"), self._pace.a_second("shown")
        said = ""
        if of_all > shown * 1.05 + 0.2:
            said = f"A sample: {rate(shown)} of {rate(of_all)} a second are shown."
        elif self._filter is not None or self._family:
            said = f"All that fit are shown: {rate(of_all)} a second."
        self._status.show(h("p", {"class": "hint"}, said) if said else Html(""))

    # Rows

    def _event_row(self, one: RoutedEvent, now_ms: int) -> Html:
        event = one.event
        to = count(one.notifications, "notification") if one.notifications else "nobody wants it"
        return _row(
            clock_time(_handed_over_ms(event), now_ms=now_ms),
            badge("accent", "Event"),
            _family_of(event.topic),
            said=told(event),
            where=h("a", {"href": self._visitor.link(f"/events/{event.uuid}")}, event.topic),
            came=h("span", {"class": "faint"}, to),
        )

    def _attempt_row(self, one: MadeAttempt, now_ms: int) -> Html:
        attempt = one.attempt
        level, word = outcome_word(attempt)
        where = self._visitor.link(f"/deliveries?subscription={attempt.subscription}&event={attempt.position}")
        said = answer_of(attempt) if attempt.failure is None else attempt.detail or answer_of(attempt)
        return _row(
            clock_time(attempt.started_ms, now_ms=now_ms),
            badge(level, word),
            _family_of(attempt.topic),
            said=told(one.event),
            where=h("a", {"href": where}, attempt.address),
            came=h("span", {"class": "faint"}, f"{milliseconds(attempt.duration_us / 1e6)} · {said}"),
        )

    def _buttons(self) -> Html:
        missed = f"{self._missed:,.0f} more since then" if self._is_paused else None
        pressed = "true" if self._is_paused else "false"
        return join(
            h("span", {"class": "faint row"}, missed) if self._is_paused else None,
            h(
                "button",
                {"type": "button", "id": "pause", "data-action": "pause", "aria-pressed": pressed},
                "Go on" if self._is_paused else "Pause",
            ),
        )


def _scaled(sampled: Sampled[T], wanted: Sequence[T]) -> float:
    """How many there were of what was wanted, as far as the sample tells."""
    return sampled.seen * len(wanted) / len(sampled.items) if sampled.items else 0.0


def _handed_over_ms(event: Event) -> int:
    return event.received_ms or event.timestamp_ms


@lru_cache(maxsize=4096)
def _family_of(topic: str) -> str:
    return family_of(topic)


def _row(at: str, kind: Html, family: str, *, said: str, where: Html, came: Html) -> Html:
    return h(
        "tr",
        None,
        h("td", {"class": "time"}, at),
        h("td", None, kind),
        h("td", {"class": "nowrap", "data-name": "Family"}, family),
        h("td", {"class": "wraps"}, said),
        h("td", {"class": "wraps"}, where, h("br"), came),
    )


def _table(choices: int) -> Html:
    """Without rows; another for each change of choices, since a browser keeps what it has when it is told the same."""
    names = ("Time (UTC)", "What", "Family", "In words", "Where")
    return h(
        "table",
        {"class": "stream cards", "data-choices": choices},
        h("caption", {"class": "unseen"}, "Events and delivery attempts, newest first"),
        h("thead", None, h("tr", None, [h("th", {"scope": "col"}, name) for name in names])),
        h("tbody", None),
    )


_EMPTY = empty(
    "Nothing has come since you opened this page.",
    "Publish an event (",
    h("code", None, "bellwire publish events.ndjson"),
    "), or start the demo traffic with ",
    h("code", None, "bellwire dev"),
    ". It appears here at once.",
)


_NONE_FITS = empty(
    "Nothing that fits has come since you chose this.",
    "It appears here at once. What came before is under Events and Deliveries; fewer choices show more.",
)


_NO_KIND = empty(
    "Neither events nor delivery attempts are chosen.", "Tick one of them above, or both, to see what flows."
)


def _contradiction(family: str, of_filter: str) -> Html:
    return empty(
        "Nothing can fit both choices.",
        f"The filter is about {of_filter}, and the family that is chosen is {family}. "
        "Choose all families, or another filter.",
    )


def _figures(events: float, notifications: float, failed: float) -> Html:
    shown = ((events, "events a second"), (notifications, "attempts a second"), (failed, "failed a second"))
    return h(
        "div",
        {"class": "figures"},
        [h("div", {"class": "figure"}, h("b", None, rate(value)), h("span", None, name)) for value, name in shown],
    )


def _form(accounts: list[tuple[str, str]], has_choice: bool) -> Html:
    kinds = [
        h(
            "label",
            {"class": "check"},
            h("input", {"type": "checkbox", "name": "kinds", "value": kind, "checked": True}),
            name,
        )
        for kind, name in _KINDS.items()
    ]
    return h(
        "form",
        {"data-live": "watch", "data-action": "watch", "class": "row bottom"},
        choice("account", "Account", [("", "All accounts"), *accounts]) if has_choice else None,
        choice("family", "Event family", [("", "All families"), *options_of_families()]),
        h("fieldset", {"class": "row"}, h("legend", {"class": "unseen"}, "What to show"), kinds),
        h(
            "div",
            {"class": "grow"},
            h("label", {"for": "filter"}, "Event filter"),
            h(
                "input",
                {
                    "id": "filter",
                    "name": "filter",
                    "class": "mono",
                    "data-search": True,
                    "autocomplete": "off",
                    "autocapitalize": "none",
                    "spellcheck": "false",
                    "placeholder": "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound",
                    "maxlength": MAX_FILTER_LENGTH,
                },
            ),
        ),
    )
