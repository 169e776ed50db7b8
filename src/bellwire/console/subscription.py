"""One subscription: how it fares, what it wants, what was sent; pause, test, renew, replay, delete."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui
from starlette.requests import Request

from bellwire.console.deliveries import AttemptList
from bellwire.console.forms import button
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import badge, empty, facts, filter_chip, person
from bellwire.console.region import Region, Values
from bellwire.console.replays import ReplayPanel
from bellwire.console.visitor import Visitor
from bellwire.console.words import GOOD, Standing, answer_of, count, duration, milliseconds, standing_of, transport_word
from bellwire.engine.history import AttemptSearch
from bellwire.engine.operate import SubscriptionHealth
from bellwire.errors import NotFound
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionStatus

REFRESH_SECONDS = 1.0
ATTEMPTS_SHOWN = 15
FILTERS_SHOWN = 8


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/subscriptions/{subscription}")
    async def subscription(request: Request, subscription: str) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Subscription", current="/subscriptions") as page:
            await _Subscription(page, SubscriptionId(subscription)).build()


class _Subscription:
    def __init__(self, page: Page, id_: SubscriptionId) -> None:
        self._page = page
        self._visitor = page.visitor
        self._id = id_

    async def build(self) -> None:
        visitor = self._visitor
        try:
            record = visitor.facade.subscription(visitor.scope, self._id)
        except NotFound:
            Region(_gone(visitor))
            return
        guarded = self._page.guarded
        self._head = Region(
            pause=guarded(self._pause),
            resume=guarded(self._resume),
            test=guarded(self._test),
            renew=guarded(self._renew),
            probe=guarded(self._probe),
            delete=guarded(self._delete),
        )
        with ui.element("div").classes("columns"):
            self._health = Region()
            self._facts = Region()
        self._filters = Region()
        self._page.every(REFRESH_SECONDS, self._refresh)
        replays = ReplayPanel(self._page, self._id)
        with ui.element("div").classes("panel flush"):
            Region(h("h2", None, "Latest attempts"))
            search = AttemptSearch(subscription=self._id)
            self._attempts = AttemptList(self._page, replays, search, part=ATTEMPTS_SHOWN)
            self._attempts.build(
                empty(
                    "Nothing was sent yet.",
                    "Publish an event that matches, or send a test event with the button above.",
                )
            )
        if record.webhook is not None:
            await replays.build()

    # What is done

    async def _pause(self, _values: Values) -> None:
        await self._visitor.facade.pause(self._visitor.scope, self._id)
        self._page.say("Paused. What matches gathers in the backlog.")
        await self._refresh()

    async def _resume(self, _values: Values) -> None:
        await self._visitor.facade.resume(self._visitor.scope, self._id)
        self._page.say("Deliveries go on, with what gathered first.")
        await self._refresh()

    async def _test(self, _values: Values) -> None:
        self._page.say("Sending a test event …")
        attempt = await self._visitor.facade.test_event(self._visitor.scope, self._id)
        took = milliseconds(attempt.duration_us / 1e6)
        if attempt.failure is None:
            self._page.say(f"The test event was taken: {answer_of(attempt)} in {took}.")
        else:
            self._page.say(f"The test event was not taken: {attempt.detail or answer_of(attempt)}", is_problem=True)

    async def _renew(self, _values: Values) -> None:
        record = await self._visitor.facade.renew(self._visitor.scope, self._id)
        self._page.say(f"Renewed until {record.expires_at:%Y-%m-%d %H:%M} UTC.")
        await self._refresh()

    async def _probe(self, _values: Values) -> None:
        self._page.say("Trying the address …")
        self._page.say(await self._visitor.facade.probe(self._visitor.scope, self._id))
        await self._refresh()

    async def _delete(self, _values: Values) -> None:
        await self._visitor.facade.delete(self._visitor.scope, self._id)
        self._page.go("/subscriptions")

    # What is shown

    async def _refresh(self) -> None:
        facade, scope = self._visitor.facade, self._visitor.scope
        try:
            record = facade.subscription(scope, self._id)
        except NotFound:
            self._head.show(_gone(self._visitor))
            return
        health = facade.health(scope, self._id)
        standing = standing_of(record, health)
        self._head.show(_heading(record, standing))
        self._health.show(_health_panel(standing, health))
        self._facts.show(self._facts_panel(record))
        self._filters.show(_filters_panel(record))

    def _facts_panel(self, record: Subscription) -> Html:
        facade = self._visitor.facade
        application = facade.application(record.client_id)
        left = (record.expires_at - facade.now()).total_seconds()
        sealed = record.webhook
        shown = facts(
            [
                ("Id", h("code", None, record.id)),
                ("Owner", person(facade.extension(record.owner_id), record.owner_id)),
                ("Application", record.client_id if application is None else application.name),
                ("Delivery", transport_word(record)),
                ("Verification token", "set" if sealed and sealed.verification_token_sealed else "none"),
                ("Signing secret", "set" if sealed and sealed.signing_secret_sealed else "none"),
                ("Created", f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("Expires", f"{record.expires_at:%Y-%m-%d %H:%M:%S} UTC, in {duration(left)}"),
            ]
        )
        return h("div", {"class": "panel"}, h("h2", None, "About it"), shown)


def _filters_panel(record: Subscription) -> Html:
    shown = [h("li", None, h("code", None, text)) for text in record.filters]
    off = [
        h("li", None, filter_chip(one.filter, is_off=True), h("div", {"class": "hint"}, one.message))
        for one in record.disabled_filters
    ]
    rest = None
    if len(shown) > FILTERS_SHOWN:
        summary = h("summary", None, f"All {len(shown)} event filters")
        rest = h(
            "details", {"id": "all-filters"}, summary, h("ul", {"class": "plain-list space"}, shown[FILTERS_SHOWN:])
        )
    return h(
        "div",
        {"class": "panel"},
        h("h2", None, "Event filters"),
        h("ul", {"class": "plain-list"}, off, shown[:FILTERS_SHOWN]),
        rest,
    )


def _heading(record: Subscription, standing: Standing) -> Html:
    address = transport_word(record) if record.webhook is None else record.webhook.address
    buttons: list[Html] = []
    if record.webhook is not None:
        if record.status is SubscriptionStatus.BLACKLISTED:
            buttons.append(button("probe", "Try it now", "primary", id="probe"))
        buttons.append(
            button("resume", "Go on", "primary") if record.paused else button("pause", "Pause"),
        )
        buttons += [button("test", "Send a test event"), button("renew", "Renew")]
    buttons.append(
        h(
            "button",
            {"type": "button", "class": "danger", "data-action": "ask", "data-opens": "confirm-delete"},
            "Delete …",
        )
    )
    return join(
        h(
            "div",
            {"class": "heading"},
            h("h1", {"class": "wraps"}, address),
            badge(standing.level, standing.word),
            h("div", {"class": "tools"}, buttons),
        ),
        h(
            "dialog",
            {"id": "confirm-delete", "aria-labelledby": "delete-title"},
            h("h2", {"id": "delete-title"}, "Delete this subscription?"),
            h(
                "p",
                None,
                "Nothing more is sent to ",
                h("strong", None, address),
                ", and what waits for it is dropped. ",
            ),
            h("p", None, "Its owner can make another one; this one does not come back."),
            h(
                "div",
                {"class": "row"},
                h("button", {"type": "button", "data-action": "keep"}, "Keep it"),
                button("delete", "Delete it", "danger primary"),
            ),
        ),
    )


def _health_panel(standing: Standing, health: SubscriptionHealth | None) -> Html:
    sentence = h("p", {"class": f"note {standing.level}".strip()}, standing.sentence)
    if health is None:
        return h("div", {"class": "panel"}, h("h2", None, "Health"), sentence)
    rate = "–" if health.success_rate is None else f"{health.success_rate * 100:.4g} %"
    figures = [
        (f"{health.delivered:,}", "delivered"),
        (f"{health.failed:,}", "failed"),
        (rate, "success rate"),
        (f"{health.lane.backlog_rows:,}", "waiting on disk"),
        (f"{health.lane.waiting + health.lane.in_flight:,}", "in memory"),
    ]
    quantiles = (("p50", health.p50_seconds), ("p95", health.p95_seconds), ("p99", health.p99_seconds))
    latency = ", ".join(f"{name} {milliseconds(value)}" for name, value in quantiles if value is not None)
    last = health.last_failure
    shown = facts(
        [
            ("Answer times", latency),
            ("Failures in a row", count(health.failures, "failure") if health.failures else ""),
            ("Last failure", "" if last is None or standing.level == GOOD else last.detail),
        ]
    )
    return h(
        "div",
        {"class": "panel"},
        h("h2", None, "Health, since the server started"),
        sentence,
        h(
            "div",
            {"class": "figures space"},
            [h("div", {"class": "figure"}, h("b", None, value), h("span", None, name)) for value, name in figures],
        ),
        h("div", {"class": "space"}, shown),
    )


def _gone(visitor: Visitor) -> Html:
    link = h("a", {"href": visitor.link("/subscriptions")}, "All subscriptions")
    return join(
        h("div", {"class": "heading"}, h("h1", None, "Subscription")),
        h("div", {"class": "panel"}, empty("There is no such subscription.", "It expired or was deleted. ", link, ".")),
    )
