"""Replays: begin one for a range of time, and watch those that run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from nicegui import ui

from bellwire.console.forms import Option, button, choice, text_field
from bellwire.console.frame import Page
from bellwire.console.markup import Html, h
from bellwire.console.records import badge, empty, table
from bellwire.console.region import Region, Values, text_of
from bellwire.console.words import BAD, GOOD, PLAIN, clock_time, count
from bellwire.errors import InvalidRequest, NotFound
from bellwire.model.ids import ReplayId, SubscriptionId
from bellwire.model.instants import to_milliseconds
from bellwire.model.replay import Replay, ReplayState

MOST_SHOWN = 20
MOST_CHOICES = 200
REFRESH_SECONDS = 1.0


class ReplayPanel:
    """On the page of one subscription, or of all deliveries."""

    def __init__(self, page: Page, subscription: SubscriptionId | None = None) -> None:
        self._page = page
        self._visitor = page.visitor
        self._subscription = subscription
        self._can_begin = False

    async def build(self) -> None:
        with ui.element("section").classes("panel").props('id="replays" tabindex="-1" aria-label="Replays"'):
            Region(h("h2", None, "Replay"))
            self._form = Region(begin=self._page.guarded(self._begin))
            self._list = Region(cancel=self._page.guarded(self._cancel)).classes("space")
        await self._show_form()
        self._page.every(REFRESH_SECONDS, self._refresh)

    async def begin_event(self, subscription: SubscriptionId, event: str) -> None:
        """Send one event again."""
        replay = await self._visitor.facade.replay_event(self._visitor.scope, subscription, event)
        self._page.say(f"Replay {replay.id[:8]} sends the event again; see how it goes under Replay.")
        await self._refresh()

    async def _show_form(self) -> None:
        """Once it is there it stays as it is: somebody may be filling it in."""
        options = [] if self._subscription is not None else await self._options()
        self._can_begin = self._subscription is not None or bool(options)
        self._form.show(_form(options) if self._can_begin else self._nobody())

    def _nobody(self) -> Html:
        link = h("a", {"href": self._visitor.link("/subscriptions/new")}, "Create one")
        return empty("There is no webhook subscription to replay to.", link, ", and what it matches can be replayed.")

    async def _options(self) -> list[Option]:
        found = await self._visitor.facade.list_subscriptions(self._visitor.scope, None, None, MOST_CHOICES)
        return [
            (record.id, f"{record.webhook.address} ({record.id[:8]})")
            for record in found.records
            if record.webhook is not None
        ]

    async def _begin(self, values: Values) -> None:
        chosen = self._subscription or SubscriptionId(text_of(values, "replay-subscription"))
        if not chosen:
            self._page.say("Choose a subscription to replay to.", is_problem=True)
            return
        from_ms = time_of(text_of(values, "replay-from"), "From")
        until_ms = time_of(text_of(values, "replay-to"), "To")
        if from_ms is not None and until_ms is not None and from_ms >= until_ms:
            self._page.say("“From” has to be before “To”.", is_problem=True)
            return
        if from_ms is not None and from_ms >= self._visitor.facade.now_ms():
            self._page.say("“From” is in the future: there is nothing to replay yet. Times are UTC.", is_problem=True)
            return
        replay = await self._visitor.facade.replay_time(self._visitor.scope, chosen, from_ms, until_ms)
        self._page.say(f"Replay {replay.id[:8]} has begun.")
        await self._refresh()

    async def _cancel(self, values: Values) -> None:
        await self._visitor.facade.cancel_replay(self._visitor.scope, ReplayId(text_of(values, "replay")))
        await self._refresh()

    async def _refresh(self) -> None:
        if not self._can_begin:
            await self._show_form()
        found = self._visitor.facade.list_replays(self._visitor.scope, self._subscription)[:MOST_SHOWN]
        if not found:
            nothing = empty("Nothing was replayed yet.", "A replay sends what matched once more, with its uuid.")
            self._list.show(nothing if self._can_begin else Html(""))
            return
        now_ms = self._visitor.facade.now_ms()
        columns = ("Began (UTC)", "State", "What", "Delivered", "Given up", "")
        self._list.show(table("Replays", columns, [self._row(replay, now_ms) for replay in found]))

    def _row(self, replay: Replay, now_ms: int) -> Html:
        level = {ReplayState.RUNNING: PLAIN, ReplayState.DONE: GOOD, ReplayState.CANCELLED: BAD}[replay.state]
        is_running = replay.state is ReplayState.RUNNING
        failed = f", {count(replay.failed_attempts, 'attempt')} failed" if replay.failed_attempts else ""
        return h(
            "tr",
            {"id": f"replay-{replay.id}"},
            h("td", {"class": "time"}, clock_time(replay.created_ms, now_ms=now_ms)),
            h("td", None, badge(level, replay.state.capitalize()), h("div", {"class": "hint"}, replay.reason)),
            h("td", {"class": "wraps"}, _stretch(replay), self._to(replay)),
            h("td", {"class": "number", "data-name": "Delivered"}, f"{replay.delivered:,}"),
            h("td", {"class": "number", "data-name": "Given up"}, f"{replay.given_up:,}{failed}"),
            h("td", None, button("cancel", "Cancel", "small danger", replay=replay.id) if is_running else None),
        )

    def _to(self, replay: Replay) -> Html | None:
        """The subscription, where the page is about all of them."""
        if self._subscription is not None:
            return None
        try:
            record = self._visitor.facade.subscription(self._visitor.scope, replay.subscription)
        except NotFound:
            return h("div", {"class": "hint"}, "to a subscription that has ended")
        address = record.id if record.webhook is None else record.webhook.address
        link = h("a", {"href": self._visitor.link(f"/subscriptions/{record.id}")}, address)
        return h("div", {"class": "hint"}, "to ", link)


def time_of(text: str, field: str) -> int | None:
    """Milliseconds of a time as a form has it, in UTC; None where there is none.

    Raises:
        InvalidRequest: it is no time.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("CMN-101", f"“{field}” is not a time such as 2026-03-02 14:30", parameter=field) from None
    return to_milliseconds(at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _form(options: Sequence[Option]) -> Html:
    hint = "Of the events, in UTC. Empty: from the oldest that is kept."
    return h(
        "form",
        {"class": "fields roomy", "data-action": "begin"},
        choice("replay-subscription", "Subscription", [("", "Choose one …"), *options]) if options else None,
        text_field("replay-from", "From", kind="datetime-local", hint=hint),
        text_field("replay-to", "To", kind="datetime-local", hint="Empty: until now."),
        h("div", {"class": "row wide"}, h("button", {"type": "submit"}, "Replay what matches")),
    )


def _stretch(replay: Replay) -> str:
    if replay.until == replay.after + 1:
        return f"the event at {replay.until}"
    since = "the oldest kept" if replay.from_ms is None else clock_time(replay.from_ms)
    until = clock_time(replay.created_ms if replay.until_ms is None else replay.until_ms)
    return f"{since} to {until}, up to position {replay.until}"
