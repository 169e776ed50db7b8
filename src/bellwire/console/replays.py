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
from bellwire.errors import InvalidRequest
from bellwire.model.ids import ReplayId, SubscriptionId
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

    async def build(self) -> None:
        with ui.element("section").classes("panel").props('aria-label="Replays"'):
            Region(h("h2", None, "Replay"))
            options = [] if self._subscription is not None else await self._options()
            Region(_form(options), begin=self._page.guarded(self._begin))
            self._list = Region(cancel=self._page.guarded(self._cancel)).classes("space")
        self._page.every(REFRESH_SECONDS, self._refresh)

    async def begin_event(self, subscription: SubscriptionId, event: str) -> None:
        """Send one event again."""
        replay = await self._visitor.facade.replay_event(self._visitor.scope, subscription, event)
        self._page.say(f"Replay {replay.id[:8]} sends the event again; see how it goes under Replay.")
        await self._refresh()

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
        replay = await self._visitor.facade.replay_time(self._visitor.scope, chosen, from_ms, until_ms)
        self._page.say(f"Replay {replay.id[:8]} has begun.")
        await self._refresh()

    async def _cancel(self, values: Values) -> None:
        await self._visitor.facade.cancel_replay(self._visitor.scope, ReplayId(text_of(values, "replay")))
        await self._refresh()

    async def _refresh(self) -> None:
        found = self._visitor.facade.list_replays(self._visitor.scope, self._subscription)[:MOST_SHOWN]
        if not found:
            self._list.show(empty("Nothing was replayed yet.", "A replay sends what matched once more, with its uuid."))
            return
        now_ms = self._visitor.facade.now_ms()
        columns = ("Began (UTC)", "State", "What", "Delivered", "Given up", "")
        self._list.show(table("Replays", columns, [_row(replay, now_ms) for replay in found]))


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
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _form(options: Sequence[Option]) -> Html:
    hint = "Of the events, in UTC. Empty: from the oldest that is kept."
    return h(
        "form",
        {"class": "fields", "data-action": "begin"},
        choice("replay-subscription", "Subscription", [("", "Choose one …"), *options]) if options else None,
        text_field("replay-from", "From", kind="datetime-local", hint=hint),
        text_field("replay-to", "To", kind="datetime-local", hint="Empty: until now."),
        h("div", {"class": "row wide"}, h("button", {"type": "submit"}, "Replay what matches")),
    )


def _row(replay: Replay, now_ms: int) -> Html:
    level = {ReplayState.RUNNING: PLAIN, ReplayState.DONE: GOOD, ReplayState.CANCELLED: BAD}[replay.state]
    is_running = replay.state is ReplayState.RUNNING
    failed = f", {count(replay.failed_attempts, 'attempt')} failed" if replay.failed_attempts else ""
    return h(
        "tr",
        {"id": f"replay-{replay.id}"},
        h("td", {"class": "time"}, clock_time(replay.created_ms, now_ms=now_ms)),
        h("td", None, badge(level, replay.state.capitalize()), h("div", {"class": "hint"}, replay.reason)),
        h("td", {"class": "wraps"}, _stretch(replay)),
        h("td", {"class": "number", "data-name": "Delivered"}, f"{replay.delivered:,}"),
        h("td", {"class": "number", "data-name": "Given up"}, f"{replay.given_up:,}{failed}"),
        h("td", None, button("cancel", "Cancel", "small danger", replay=replay.id) if is_running else None),
    )


def _stretch(replay: Replay) -> str:
    if replay.until == replay.after + 1:
        return f"the event at {replay.until}"
    since = "the oldest kept" if replay.from_ms is None else clock_time(replay.from_ms)
    until = clock_time(replay.created_ms if replay.until_ms is None else replay.until_ms)
    return f"{since} to {until}, up to position {replay.until}"
