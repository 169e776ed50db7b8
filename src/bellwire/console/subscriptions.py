"""Subscriptions: all within reach, with how each fares."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui
from starlette.requests import Request

from bellwire.console.forms import choice, options_of_accounts
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import badge, empty, filter_chips, more, person, table
from bellwire.console.region import Region, Values, text_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import duration, standing_of, transport_word
from bellwire.model.ids import AccountId
from bellwire.model.subscription import Subscription, SubscriptionStatus

PART = 50
REFRESH_SECONDS = 2.0

_STATUSES = [("", "Any status"), ("Active", "Active"), ("Blacklisted", "Blacklisted")]


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/subscriptions")
    async def subscriptions(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Subscriptions", current="/subscriptions") as page:
            _List(page).build()


class _List:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._account: AccountId | None = None
        self._status: SubscriptionStatus | None = None
        self._limit = PART

    def build(self) -> None:
        visitor = self._visitor
        accounts = visitor.facade.accounts(visitor.scope)
        with ui.element("div").classes("heading"):
            Region(h("h1", None, "Subscriptions"))
            new = h("a", {"class": "button primary", "href": visitor.link("/subscriptions/new")}, "New subscription")
            Region(new).classes("tools")
        form = h(
            "form",
            {"class": "row bottom", "data-live": "look", "data-action": "look"},
            choice("account", "Account", [("", "All accounts"), *options_of_accounts(accounts)])
            if len(accounts) > 1
            else None,
            choice("status", "Status", _STATUSES),
        )
        with ui.element("div").classes("panel"):
            Region(form, look=self._page.guarded(self._look))
        with ui.element("div").classes("panel flush"):
            self._list = Region(h("p", {"class": "empty"}, "…"), more=self._page.guarded(self._more))
        self._page.every(REFRESH_SECONDS, self._refresh)

    async def _look(self, values: Values) -> None:
        account, status = text_of(values, "account"), text_of(values, "status")
        self._account = AccountId(account) if account else None
        self._status = SubscriptionStatus(status) if status in set(SubscriptionStatus) else None
        self._limit = PART
        await self._refresh()

    async def _more(self, _values: Values) -> None:
        self._limit += PART
        await self._refresh()

    async def _refresh(self) -> None:
        facade, scope = self._visitor.facade, self._visitor.scope
        page = await facade.list_subscriptions(scope, self._account, self._status, self._limit)
        if not page.records:
            self._list.show(self._nothing())
            return
        rows = [self._row(record) for record in page.records]
        columns = ("Status", "Address", "Event filters", "Owner", "Expires")
        self._list.show(join(table("Subscriptions", columns, rows), more(page.next_cursor, len(rows))))

    def _nothing(self) -> Html:
        if self._account is not None or self._status is not None:
            return empty("No subscription is like this.", "Choose any status, or another account.")
        return empty(
            "There are no subscriptions yet.",
            h("a", {"href": self._visitor.link("/subscriptions/new")}, "Create one here"),
            ", or have a client make it: POST /restapi/v1.0/subscription.",
        )

    def _row(self, record: Subscription) -> Html:
        facade = self._visitor.facade
        standing = standing_of(record, facade.health(self._visitor.scope, record.id))
        owner = person(facade.extension(record.owner_id), record.owner_id)
        address = transport_word(record) if record.webhook is None else record.webhook.address
        left = (record.expires_at - facade.now()).total_seconds()
        link = h(
            "a",
            {"href": self._visitor.link(f"/subscriptions/{record.id}"), "id": f"s-{record.id}"},
            address,
            h("span", {"class": "unseen"}, f" ({record.id[:8]})"),
        )
        return h(
            "tr",
            None,
            h("td", {"class": "wraps"}, badge(standing.level, standing.word), _sentence(standing.sentence)),
            h("td", {"class": "wraps"}, link),
            h("td", {"class": "wraps"}, filter_chips(record)),
            h("td", {"data-name": "Owner"}, owner),
            h("td", {"class": "nowrap", "data-name": "Expires"}, f"in {duration(left)}"),
        )


def _sentence(text: str) -> Html:
    return h("div", {"class": "hint"}, text)
