"""A new subscription: its owner, its event filters with what they would have matched, and where notifications go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from nicegui import ui
from starlette.requests import Request

from bellwire.console.filter_builder import fields_of, filter_of, template_named, template_options
from bellwire.console.forms import choice, filter_refusal, options_of_accounts, text_field
from bellwire.console.frame import Page, framed, sentence_of
from bellwire.console.markup import Attribute, Html, h, join
from bellwire.console.records import badge, empty, family_of, filter_chip, person, told
from bellwire.console.region import Region, Values, text_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import GOOD, PLAIN, clock_time, count
from bellwire.engine.history import EventSearch
from bellwire.engine.subscribe import WebhookRequest
from bellwire.errors import BellwireError, InvalidRequest
from bellwire.filters import MAX_FILTER_LENGTH, EventFilter, Explanation
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.wire.webhook.address import MAX_ADDRESS_LENGTH
from bellwire.wire.webhook.request import MAX_VERIFICATION_TOKEN_LENGTH

LOOKED_AT = 30
"""Latest events of the filter's family that it is tried on."""

_LIFETIMES = [
    ("", "7 days"),
    ("86400", "1 day"),
    ("2592000", "30 days"),
    ("31536000", "1 year"),
    ("315360000", "10 years"),
]


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/subscriptions/new")
    async def new_subscription(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "New subscription", current="/subscriptions") as page:
            _NewSubscription(page).build()


class _NewSubscription:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._owner: ExtensionId | None = None
        self._account: AccountId | None = None
        self._client: ClientId | None = None
        self._filters: list[str] = []
        self._written = ""
        self._template = ""

    def build(self) -> None:
        visitor, guarded = self._visitor, self._page.guarded
        accounts = visitor.facade.accounts(visitor.scope)
        Region(h("div", {"class": "heading"}, h("h1", None, "New subscription")))
        if not accounts:
            said = empty(
                "There is no account yet.",
                "A subscription belongs to a user of one: ",
                h("code", None, "bellwire admin accounts create"),
                ".",
            )
            Region(h("div", {"class": "panel"}, said))
            return
        first = visitor.facade.account_with_users(visitor.scope)
        self._account = accounts[0].id if first is None else first.id
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                with ui.element("section").classes("panel"):
                    Region(h("h2", None, "Whose it is"))
                    if len(accounts) > 1:
                        options = options_of_accounts(accounts)
                        Region(
                            h("form", {"data-live": "account"}, choice("account", "Account", options, self._account)),
                            account=guarded(self._choose_account),
                        )
                    self._owners = Region(owner=guarded(self._choose_owner)).classes("space")
                with ui.element("section").classes("panel"):
                    Region(h("h2", None, "Which events"))
                    Region(_template_form(), template=guarded(self._choose_template))
                    self._builder = Region(build=guarded(self._build_filter)).classes("space")
                    self._typed = Region(_filter_form(), typed=guarded(self._type), add=guarded(self._add)).classes(
                        "space"
                    )
                    self._problem = Region(use=guarded(self._use))
                    self._brief = Region()
                    self._chosen = Region(remove=guarded(self._remove)).classes("space")
                with ui.element("section").classes("panel"):
                    Region(h("h2", None, "Where notifications go"))
                    Region(_delivery_form(), create=guarded(self._create))
                    self._refusal = Region()
            with ui.element("section").classes("panel flush").props('id="tried" tabindex="-1"'):
                Region(h("h2", None, "What it would have matched"))
                self._matches = Region(_UNTRIED)
                self._matches.props('aria-live="polite"')
        self._show_owners()
        self._show_chosen()

    # Owner

    async def _choose_account(self, values: Values) -> None:
        self._account = AccountId(text_of(values, "account"))
        self._show_owners()
        await self._try_filter()

    async def _choose_owner(self, values: Values) -> None:
        self._owner = ExtensionId(text_of(values, "owner"))
        self._client = ClientId(text_of(values, "application"))
        await self._try_filter()

    def _show_owners(self) -> None:
        assert self._account is not None
        facade, scope = self._visitor.facade, self._visitor.scope
        users, applications = facade.users(scope, self._account), facade.applications(scope, self._account)
        if not users or not applications:
            self._owner = self._client = None
            self._owners.show(
                empty("This account needs a user and an application first.", "Make them with bellwire admin.")
            )
            return
        self._owner, self._client = users[0].id, applications[0].client_id
        named = [
            (
                one.id,
                f"{person(one, one.id)}{' (administrator)' if one.is_admin else ''}",
            )
            for one in users
        ]
        self._owners.show(
            h(
                "form",
                {"class": "fields", "data-live": "owner"},
                choice("owner", "Owner", named, hint="Its permissions and limits count."),
                choice("application", "Application", [(one.client_id, one.name) for one in applications]),
            )
        )

    # Filters

    async def _choose_template(self, values: Values) -> None:
        self._template = text_of(values, "template")
        found = template_named(self._template)
        if found is None:
            self._builder.show(Html(""))
            return
        self._builder.show(h("form", {"data-live": "build", "data-action": "build"}, fields_of(*found)))
        await self._write(filter_of(found[1], {}))

    async def _build_filter(self, values: Values) -> None:
        found = template_named(self._template)
        if found is not None:
            await self._write(filter_of(found[1], values))

    async def _write(self, text: str) -> None:
        self._typed.fill("new-filter", text)
        self._written = text
        await self._try_filter()

    async def _type(self, values: Values) -> None:
        text = text_of(values, "new-filter", limit=MAX_FILTER_LENGTH + 1)
        if text != self._written:
            self._written = text
            await self._try_filter()

    async def _use(self, values: Values) -> None:
        await self._write(text_of(values, "value"))
        self._typed.focus("new-filter")

    async def _add(self, values: Values) -> None:
        await self._type(values)
        if self._written and self._read() is not None:
            if self._written not in self._filters:
                self._filters.append(self._written)
            self._show_chosen()
            await self._write("")
            self._typed.focus("new-filter")

    async def _remove(self, values: Values) -> None:
        self._filters = [text for text in self._filters if text != text_of(values, "filter")]
        self._show_chosen()
        if not self._filters:
            self._typed.focus("new-filter")
        await self._try_filter()

    def _show_chosen(self) -> None:
        if not self._filters:
            self._chosen.show(
                h("p", {"class": "hint"}, "Several filters are OR. One that is written above counts, too.")
            )
            return
        chips = [
            h(
                "li",
                {"class": "chip"},
                filter_chip(text),
                h(
                    "button",
                    {"type": "button", "data-action": "remove", "data-filter": text, "aria-label": f"Remove {text}"},
                    "×",
                ),
            )
            for text in self._filters
        ]
        self._chosen.show(h("ul", {"class": "chips"}, chips))

    def _read(self) -> EventFilter | None:
        """The filter that is written, if it can be read; else what is wrong is said beside it."""
        if not self._written or self._owner is None or self._account is None:
            self._problem.show(Html(""))
            return None
        try:
            read = self._visitor.facade.read_filter(self._written, self._account, self._owner)
        except InvalidRequest as refused:
            self._problem.show(filter_refusal(self._written, refused))
            return None
        self._problem.show(Html(""))
        return read

    async def _try_filter(self) -> None:
        """That which is written; with none written, those that were added."""
        written = self._read()
        if written is None and self._written:
            return
        filters = self._added() if written is None else [written]
        if not filters:
            self._brief.show(Html(""))
            self._matches.show(_UNTRIED)
            return
        families = list(dict.fromkeys(event_filter.family.name for event_filter in filters))
        events = await self._latest(families)
        if not events:
            self._brief.show(Html(""))
            self._matches.show(
                empty(
                    f"No event of the {_families(families)} is kept yet.",
                    "The filter is fine as it is; what it matches shows once there are some.",
                )
            )
            return
        tried = [(logged, self._explain(filters, logged)) for logged in events]
        matched = sum(1 for _, explanation in tried if explanation.matches)
        said = f"{matched} of the last {count(len(events), 'event')} of the {_families(families)}"
        see = h("a", {"href": "#tried"}, "See which")
        self._brief.show(h("p", {"class": "hint when-narrow"}, f"Would have matched {said}. ", see, "."))
        self._matches.show(_tried(f"{said}.", tried, self._visitor.facade.now_ms()))

    def _added(self) -> list[EventFilter]:
        """Those that can be read for the owner that is chosen now."""
        read: list[EventFilter] = []
        if self._owner is not None and self._account is not None:
            for text in self._filters:
                with suppress(InvalidRequest):  # said when the subscription is created
                    read.append(self._visitor.facade.read_filter(text, self._account, self._owner))
        return read

    async def _latest(self, families: list[str]) -> list[LoggedEvent]:
        """Newest first."""
        found: list[LoggedEvent] = []
        for family in families:
            search = EventSearch(account=self._account, family=family)
            found += (await self._visitor.facade.events(self._visitor.scope, search, None, LOOKED_AT)).records
        return sorted(found, key=lambda logged: -logged.position)[:LOOKED_AT]

    def _explain(self, filters: list[EventFilter], logged: LoggedEvent) -> Explanation:
        """By the first filter that matches; else by the first of the event's family."""
        family = family_of(logged.event.topic)
        near = [one for one in filters if one.family.name == family] or filters
        explained = [self._visitor.facade.explain_filter(one, logged.event, self._owner) for one in near]
        return next((one for one in explained if one.matches), explained[0])

    # Creation

    async def _create(self, values: Values) -> None:
        if self._owner is None or self._client is None:
            self._page.say("Choose an account that has a user and an application.", is_problem=True)
            return
        filters = [*self._filters]
        if self._written and self._written not in filters:
            filters.append(self._written)
        if not filters:
            self._refusal.show(_refused("Write at least one event filter above."))
            return
        expires = text_of(values, "expires")
        request = WebhookRequest(
            filters=filters,
            address=text_of(values, "address", limit=MAX_ADDRESS_LENGTH + 1),
            verification_token=text_of(values, "token", limit=MAX_VERIFICATION_TOKEN_LENGTH + 1) or None,
            signing_secret=text_of(values, "secret") or None,
            expires_in=int(expires) if expires.isdecimal() else None,
        )
        self._refusal.show(h("p", {"class": "note", "role": "status"}, "Asking the address whether it agrees …"))
        try:
            record = await self._visitor.facade.create(self._visitor.scope, self._owner, self._client, request)
        except BellwireError as refused:
            self._refusal.show(_refused(sentence_of(refused)))
            return
        self._page.go(f"/subscriptions/{record.id}")


def _families(names: list[str]) -> str:
    return f"family {names[0]}" if len(names) == 1 else f"families {', '.join(names)}"


def _tried(said: str, tried: list[tuple[LoggedEvent, Explanation]], now_ms: int) -> Html:
    items = [
        h(
            "li",
            None,
            badge(GOOD, "Matches") if explanation.matches else badge(PLAIN, "No"),
            " ",
            h("span", {"class": "faint"}, clock_time(logged.event.timestamp_ms, now_ms=now_ms)),
            " ",
            told(logged.event),
            None
            if explanation.matches
            else h("div", {"class": "hint"}, "; ".join(reason.message for reason in explanation.reasons)),
        )
        for logged, explanation in tried
    ]
    return join(h("p", {"id": "matched"}, h("strong", None, said)), h("ul", {"class": "tried"}, items))


def _refused(sentence: str) -> Html:
    return h("div", {"class": "note bad", "role": "alert"}, sentence)


_UNTRIED = empty(
    "Nothing to try yet.",
    "Choose a kind of event, or write a filter: the latest events that it would have matched appear here.",
)


def _template_form() -> Html:
    options = [("", "Choose a kind of event …"), *template_options()]
    return h("form", {"data-live": "template"}, choice("template", "Kind of event", options))


def _filter_form() -> Html:
    field: dict[str, Attribute] = {
        "id": "new-filter",
        "name": "new-filter",
        "class": "mono",
        "data-search": True,
        "autocomplete": "off",
        "autocapitalize": "none",
        "spellcheck": "false",
        "maxlength": MAX_FILTER_LENGTH,
        "placeholder": "/restapi/v1.0/account/~/…",
    }
    return h(
        "form",
        {"class": "row bottom", "data-live": "typed", "data-action": "add"},
        h("div", {"class": "grow"}, h("label", {"for": "new-filter"}, "Event filter"), h("input", field)),
        h("button", {"type": "submit"}, "Add another"),
    )


def _delivery_form() -> Html:
    return h(
        "form",
        {"class": "fields", "data-action": "create"},
        text_field(
            "address",
            "Webhook address",
            kind="url",
            placeholder="https://example.com/webhook",
            is_required=True,
            look="field wide",
            hint="It is called once now, and has to echo the header Validation-Token within 3 seconds.",
            limit=MAX_ADDRESS_LENGTH,
        ),
        text_field(
            "token",
            "Verification token",
            hint="Optional. Sent along with each notification.",
            limit=MAX_VERIFICATION_TOKEN_LENGTH,
        ),
        text_field(
            "secret", "Signing secret", hint="Optional: whsec_ and base64. Notifications are signed with it.", limit=256
        ),
        choice("expires", "Lives for", _LIFETIMES),
        h("div", {"class": "row wide"}, h("button", {"type": "submit", "class": "primary"}, "Create the subscription")),
    )
