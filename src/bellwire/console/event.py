"""One event: its body as a tree, who got it, and who did not and why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
from nicegui import ui
from starlette.requests import Request

from bellwire.console.facade import MOST_EXPLAINED, Unmatched
from bellwire.console.forms import button
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import badge, empty, facts, family_of, filter_chip, table, told, tree
from bellwire.console.region import Region, Values, text_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import answer_of, clock_time, count, state_word
from bellwire.engine.history import EventNotification
from bellwire.errors import NotFound
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import SubscriptionId

REFRESH_SECONDS = 2.0
MOST_NOTIFICATIONS = 200
REASONS_SHOWN = 6
"""Of one subscription; the others are folded."""


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/events/{event}")
    async def event(request: Request, event: str) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Event", current="/events") as page:
            await _Event(page).build(event)


class _Event:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._logged: LoggedEvent

    async def build(self, name: str) -> None:
        visitor = self._visitor
        try:
            self._logged = await visitor.facade.event(visitor.scope, name)
        except NotFound:
            link = h("a", {"href": visitor.link("/events")}, "Search the events")
            Region(h("div", {"class": "heading"}, h("h1", None, "Event")))
            Region(
                h(
                    "div",
                    {"class": "panel"},
                    empty("There is no such event.", "It may be older than what is kept. ", link, "."),
                )
            )
            return
        event = self._logged.event
        Region(
            h(
                "div",
                {"class": "heading"},
                h("h1", None, f"{family_of(event.topic)} at {self._logged.position}"),
                h("p", {"class": "lead wraps"}, told(event)) if told(event) else None,
            )
        )
        with ui.element("div").classes("columns"):
            Region(_about(self._logged))
            Region(h("div", {"class": "panel"}, h("h2", None, "Body"), tree(msgspec.json.decode(event.body))))
        with ui.element("div").classes("panel flush"):
            Region(h("h2", None, "Who got it"))
            self._got = Region(again=self._page.guarded(self._again))
        with ui.element("div").classes("panel flush"):
            Region(h("h2", None, "Who did not, and why"))
            self._missed = Region()
        self._page.every(REFRESH_SECONDS, self._refresh)

    async def _again(self, values: Values) -> None:
        subscription = SubscriptionId(text_of(values, "subscription"))
        await self._visitor.facade.replay_event(self._visitor.scope, subscription, str(self._logged.position))
        self._page.say("It is sent again. What comes of it is counted under “Replays”.")

    async def _refresh(self) -> None:
        facade, scope = self._visitor.facade, self._visitor.scope
        page = await facade.notifications(scope, str(self._logged.position), MOST_NOTIFICATIONS)
        if page.records:
            columns = ("State", "Subscription", "On the topic", "Attempts", "Last answer", "Replays", "")
            self._got.show(table("Notifications", columns, [self._got_row(one) for one in page.records]))
        else:
            self._got.show(empty("Nobody wanted it.", "Below is said which filters came near, and what they miss."))
        got = frozenset(one.subscription for one in page.records)
        missed, is_all = await facade.who_did_not(scope, self._logged, got)
        self._missed.show(self._missed_list(missed, is_all=is_all))

    def _got_row(self, one: EventNotification) -> Html:
        level, word = state_word(one.state)
        last = one.last
        address = one.subscription if last is None else last.attempt.address
        with suppress(NotFound):
            record = self._visitor.facade.subscription(self._visitor.scope, one.subscription)
            address = record.webhook.address if record.webhook is not None else address
        named: object = address
        if one.is_live:
            named = h("a", {"href": self._visitor.link(f"/subscriptions/{one.subscription}")}, address)
        where = self._visitor.link(f"/deliveries?subscription={one.subscription}&event={self._logged.position}")
        return h(
            "tr",
            None,
            h("td", None, badge(level, word)),
            h("td", {"class": "wraps"}, named),
            h("td", {"class": "wraps faint"}, one.topic),
            h("td", {"data-name": "Attempts"}, h("a", {"href": where}, count(one.attempts, "attempt"))),
            h(
                "td",
                {"class": "wraps", "data-name": "Last answer"},
                "" if last is None else last.attempt.detail or answer_of(last.attempt),
            ),
            h("td", {"class": "number", "data-name": "Replays"}, f"{one.replays_delivered:,}"),
            h(
                "td",
                None,
                button("again", "Send again", "small", subscription=one.subscription) if one.is_live else None,
            ),
        )

    def _missed_list(self, missed: list[Unmatched], *, is_all: bool) -> Html:
        if not missed:
            return empty("There is no other subscription in this account.", "Nobody else could have got it.")
        near = [one for one in missed if _is_near(one, self._logged)]
        far = [one for one in missed if one not in near]
        rows = [self._missed_row(one) for one in near]
        shown = table("Subscriptions that did not get the event", ("Subscription", "Why not"), rows) if rows else None
        others = (
            h(
                "details",
                {"class": "others", "id": "others"},
                h("summary", None, f"{count(len(far), 'subscription')} to other families of events"),
                h("ul", {"class": "plain-list"}, [h("li", None, self._named(one)) for one in far]),
            )
            if far
            else None
        )
        bound = (
            None
            if is_all
            else h("p", {"class": "hint"}, f"Of the first {MOST_EXPLAINED} subscriptions of the account.")
        )
        return join(shown, others, bound)

    def _named(self, one: Unmatched) -> Html:
        record = one.subscription
        address = record.id if record.webhook is None else record.webhook.address
        return h("a", {"href": self._visitor.link(f"/subscriptions/{record.id}")}, address)

    def _missed_row(self, one: Unmatched) -> Html:
        said = [h("li", None, reason.message) for reason in one.explanation.reasons]
        said += [
            h(
                "li",
                None,
                filter_chip(explained.filter),
                " ",
                "; ".join(r.message for r in explained.explanation.reasons),
            )
            for explained in one.explanation.filters
            if explained.explanation.reasons
            and family_of_filter(explained.filter) == family_of(self._logged.event.topic)
        ]
        rest = None
        if len(said) > REASONS_SHOWN:
            rest = h(
                "details",
                {"id": f"why-{one.subscription.id}"},
                h("summary", None, f"and {len(said) - REASONS_SHOWN} more"),
                h("ul", {"class": "plain-list"}, said[REASONS_SHOWN:]),
            )
        return h(
            "tr",
            None,
            h("td", {"class": "wraps"}, self._named(one)),
            h("td", {"class": "wraps"}, h("ul", {"class": "plain-list"}, said[:REASONS_SHOWN]), rest),
        )


def family_of_filter(text: str) -> str:
    return family_of(text.partition("?")[0])


def _is_near(one: Unmatched, logged: LoggedEvent) -> bool:
    """Whether it wants events of this family at all."""
    family = family_of(logged.event.topic)
    texts = [explained.filter for explained in one.explanation.filters]
    return bool(one.explanation.reasons) or any(family_of_filter(text) == family for text in texts)


def _about(logged: LoggedEvent) -> Html:
    event = logged.event
    delay = event.received_ms - event.timestamp_ms if event.received_ms else 0
    audience = None if event.audience is None else ", ".join(event.audience) or "nobody"
    stated = "&".join(f"{name}={value}" for name, value in event.stated)
    return h(
        "div",
        {"class": "panel"},
        h("h2", None, "About it"),
        facts(
            [
                ("uuid", h("code", None, event.uuid)),
                ("Chosen by", "its producer" if event.chosen else "Bellwire"),
                ("Topic", event.topic),
                ("Account", event.account),
                ("Time", f"{clock_time(event.timestamp_ms)} UTC"),
                ("Handed over", f"{clock_time(event.received_ms)} UTC" if delay > 1000 else ""),
                ("Position", f"{logged.position:,}"),
                ("Size", f"{len(event.body):,} bytes"),
                ("Audience", audience),
                ("Stated", stated),
                ("Request", event.request_id),
            ]
        ),
    )
