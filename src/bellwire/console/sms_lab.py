"""SMS lab: handsets beside batches. Send a batch, type STOP on a handset, and watch the opt-out event arrive."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from nicegui import ui
from starlette.requests import Request

from bellwire.console.feed import RoutedEvent, Viewer
from bellwire.console.forms import button, choice, text_field
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h, join
from bellwire.console.records import badge, empty, family_of, table, told
from bellwire.console.region import Region, Values, text_of
from bellwire.console.sms_facade import SmsLab, Talk
from bellwire.console.visitor import Visitor
from bellwire.console.words import BAD, GOOD, PLAIN, WARN, clock_time, count, sms_error
from bellwire.engine.accept_batch import Accepted
from bellwire.errors import InvalidRequest
from bellwire.model.directory import PhoneNumber
from bellwire.model.instants import to_milliseconds
from bellwire.model.sms import BatchStatus, ConsentStatus, MessageDirection, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.sms.batch_request import MAX_TEXT_LENGTH
from bellwire.sms.numbers import Unusable, recipient_number

REFRESH_SECONDS = 1.0
MOST_HANDSETS = 12
KEPT_EVENTS = 40
LISTED_REJECTIONS = 5

_FAMILIES = frozenset({"a2p_batch", "a2p_message", "a2p_opt_out"})
_FIRST_HANDSETS = ("+12015550141", "+12015550142", "+12015550143")
_FIRST_TEXT = "Your table is booked for tonight. Reply STOP to opt out."


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/sms-lab")
    async def sms_lab(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "SMS lab", current="/sms-lab") as page:
            _Lab(page).build()


class _Lab:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._number = ""
        self._handsets: dict[str, Region] = {}
        self._viewer: Viewer | None = None
        self._has_events = False

    @property
    def _sms(self) -> SmsLab:
        lab = self._visitor.facade.sms
        assert lab is not None, "the page is built with one"
        return lab

    def build(self) -> None:
        Region(
            h(
                "div",
                {"class": "heading"},
                h("h1", None, "SMS lab"),
                h("p", {"class": "lead"}, "Virtual handsets on the simulated carrier: send a batch, and answer it."),
            )
        )
        senders = [] if self._visitor.facade.sms is None else self._sms.senders(self._visitor.scope)
        if not senders:
            Region(h("div", {"class": "panel"}, _nothing(has_lab=self._visitor.facade.sms is not None)))
            return
        self._number = senders[0].phone_number
        guarded = self._page.guarded
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                with ui.element("section").classes("panel").props('aria-label="Send a batch"'):
                    Region(h("h2", None, "Send a batch"))
                    Region(_batch_form(senders), send=guarded(self._send), choose=guarded(self._choose))
                    self._sent = Region()
                with ui.element("section").classes("panel flush").props('aria-label="Batches"'):
                    Region(h("h2", None, "Batches"))
                    self._batches = Region()
                with ui.element("section").classes("panel flush").props('aria-label="Events that arrive"'):
                    Region(h("h2", None, "Events that arrive"))
                    self._events = Region(_NO_EVENTS).classes("scrolls bounded")
            with ui.element("section").props('aria-label="Handsets"'):
                self._phones = ui.element("div").classes("phones")
                with ui.element("div").classes("panel space"):
                    Region(_handset_form(), add=guarded(self._add))
        for handset in _FIRST_HANDSETS:
            self._add_phone(handset)
        self._viewer = Viewer(self._visitor.scope.account_id)
        self._visitor.feed.open(self._viewer)
        self._page.client.on_delete(self._close)
        self._page.every(REFRESH_SECONDS, self._refresh)

    def _close(self) -> None:
        if self._viewer is not None:
            self._visitor.feed.close(self._viewer)

    # What is done

    async def _choose(self, values: Values) -> None:
        self._number = text_of(values, "from") or self._number
        await self._refresh()

    async def _send(self, values: Values) -> None:
        self._number = text_of(values, "from") or self._number
        recipients = text_of(values, "to").replace(",", " ").split()
        if not recipients:
            said = "To is empty: write at least one number, such as +12015550141."
            self._sent.show(h("div", {"class": "note bad", "role": "alert"}, said))
            return
        try:
            accepted = await self._sms.send(
                self._visitor.scope, self._number, recipients, text_of(values, "text", limit=MAX_TEXT_LENGTH + 1)
            )
        except InvalidRequest as refused:
            said = " ".join(f"{entry.message}." for entry in refused.entries)
            self._sent.show(h("div", {"class": "note bad", "role": "alert"}, said))
            return
        self._sent.show(_sent(accepted))
        for recipient in recipients:
            number = recipient_number(recipient)
            if not isinstance(number, Unusable):
                self._add_phone(number)
        await self._refresh()

    async def _add(self, values: Values) -> None:
        number = recipient_number(text_of(values, "handset"))
        if isinstance(number, Unusable):
            self._page.say(f"This number can’t be texted: {number.reason}", is_problem=True)
            return
        if number not in self._handsets and len(self._handsets) >= MOST_HANDSETS:
            self._page.say(f"There are {MOST_HANDSETS} handsets already.", is_problem=True)
            return
        self._add_phone(number)
        await self._refresh()

    def _add_phone(self, handset: str) -> None:
        if handset in self._handsets or len(self._handsets) >= MOST_HANDSETS:
            return

        async def say(values: Values) -> None:
            text = text_of(values, "text", limit=MAX_TEXT_LENGTH + 1)
            await self._sms.say(self._visitor.scope, handset, self._number, text)
            form.fill(field, "")
            await self._refresh_phone(handset)

        field = f"say-{handset.lstrip('+')}"
        with self._phones, ui.element("section").classes("phone").props(f'aria-label="Handset {handset}"'):
            self._handsets[handset] = Region(h("h3", None, handset)).classes("grow")
            form = Region(_say_form(field, handset), say=self._page.guarded(say))

    # What is shown

    async def _refresh(self) -> None:
        now_ms = self._visitor.facade.now_ms()
        batches = await self._sms.batches(self._visitor.scope, self._number)
        self._batches.show(_batch_table(batches, now_ms))
        self._show_events(now_ms)
        for handset in list(self._handsets):
            await self._refresh_phone(handset)

    async def _refresh_phone(self, handset: str) -> None:
        talk = await self._sms.talk(self._visitor.scope, self._number, handset)
        self._handsets[handset].show(_phone(handset, talk))

    def _show_events(self, now_ms: int) -> None:
        assert self._viewer is not None
        self._viewer.take_attempts()
        found = [one for one in self._viewer.take_events().items if family_of(one.event.topic) in _FAMILIES]
        if not found:
            return
        if not self._has_events:
            self._has_events = True
            self._events.show(_EVENTS)
        rows = [self._event_row(one, now_ms) for one in reversed(found)]
        self._events.prepend_rows(join(rows), KEPT_EVENTS)

    def _event_row(self, one: RoutedEvent, now_ms: int) -> Html:
        event = one.event
        family = family_of(event.topic)
        link = h("a", {"href": self._visitor.link(f"/events/{event.uuid}")}, told(event) or event.uuid)
        to = count(one.notifications, "notification") if one.notifications else "nobody wants it"
        return h(
            "tr",
            None,
            h("td", {"class": "time"}, clock_time(event.received_ms or event.timestamp_ms, now_ms=now_ms)),
            h("td", None, badge(WARN if family == "a2p_opt_out" else PLAIN, family)),
            h("td", {"class": "wraps"}, link, h("div", {"class": "hint"}, to)),
        )


def _phone(handset: str, talk: Talk) -> Html:
    match talk.consent:
        case ConsentStatus.OPT_OUT:
            consent = badge(BAD, "Opted out")
        case ConsentStatus.OPT_IN:
            consent = badge(GOOD, "Opted in")
        case None:
            consent = badge(PLAIN, "No opt-out")
    said = [_bubble(message) for message in talk.messages] or h("p", {"class": "hint"}, "No texts yet.")
    place = f"talk-{handset.lstrip('+')}"
    return join(
        h("div", {"class": "row"}, h("h3", {"class": "mono"}, handset), consent),
        h(
            "div",
            {
                "class": "talk",
                "id": place,
                "tabindex": "0",
                "role": "log",
                "aria-label": f"Texts of {handset}",
                "data-keep-bottom": True,
            },
            said,
        ),
    )


def _bubble(message: Message) -> Html:
    is_mine = message.direction is MessageDirection.INBOUND
    state = ""
    if not is_mine and message.status is not MessageStatus.DELIVERED:
        state = message.status if message.error_code is None else f"{message.status}: {sms_error(message.error_code)}"
    return h(
        "div",
        {"class": "bubble mine" if is_mine else "bubble"},
        message.text or "",
        h("div", {"class": "hint"}, state) if state else None,
    )


def _batch_table(batches: list[Batch], now_ms: int) -> Html:
    if not batches:
        return empty("No batch was sent from this number yet.", "Send one with the form above.")
    rows = [
        h(
            "tr",
            None,
            h("td", {"class": "time"}, clock_time(to_milliseconds(batch.created_at), now_ms=now_ms)),
            h("td", None, badge(GOOD if batch.status is BatchStatus.COMPLETED else PLAIN, batch.status)),
            h("td", {"class": "number", "data-name": "Processed"}, f"{batch.processed:,} of {batch.size:,}"),
            h("td", {"class": "wraps", "data-name": "Batch"}, h("code", None, batch.id)),
        )
        for batch in batches
    ]
    return table("Batches, newest first", ("Time (UTC)", "Status", "Processed", "Batch"), rows)


def _nothing(*, has_lab: bool) -> Html:
    if not has_lab:
        return empty(
            "The lab needs the simulated carrier of a development server.",
            "Start ",
            h("code", None, "bellwire dev"),
            " with sms_carrier = simulator. Here, texts come from and go to real recipients.",
        )
    return empty(
        "No number may send High Volume SMS.",
        "Give one the feature: ",
        h("code", None, "bellwire admin numbers change"),
        " with features=A2PSmsSender.",
    )


def _batch_form(senders: list[PhoneNumber]) -> Html:
    options = [(one.phone_number, one.phone_number) for one in senders]
    return h(
        "form",
        {"class": "fields", "data-action": "send", "data-live": "choose"},
        choice("from", "From", options),
        text_field("to", "To", " ".join(_FIRST_HANDSETS), look="field wide", hint="Numbers with blanks between."),
        text_field("text", "Text", _FIRST_TEXT, look="field wide", limit=MAX_TEXT_LENGTH, is_required=True),
        h("div", {"class": "row wide"}, h("button", {"type": "submit", "class": "primary"}, "Send")),
    )


def _handset_form() -> Html:
    return h(
        "form",
        {"class": "row bottom", "data-action": "add"},
        text_field("handset", "Another handset", placeholder="+12015550144", is_required=True, limit=20),
        h("button", {"type": "submit"}, "Add"),
    )


def _sent(accepted: Accepted) -> Html:
    """What a batch came to, with the reasons of the first entries that were rejected."""
    size, rejected = accepted.batch.size, len(accepted.rejected)
    taken = count(size, "message") if size else "there is nobody to send it to"
    said = f"Batch {accepted.batch.id[:8]} is accepted: {taken}"
    if not rejected:
        return h("p", {"class": "note good", "role": "status"}, f"{said}.")
    entries = [msgspec.json.decode(entry, type=_Rejected) for entry in accepted.rejected[:LISTED_REJECTIONS]]
    reasons = [h("li", None, f"{entry.to[0]}: {entry.description} ({entry.error_code})") for entry in entries]
    if rejected > LISTED_REJECTIONS:
        reasons.append(h("li", None, f"and {rejected - LISTED_REJECTIONS} more"))
    marks = {"class": "note warn", "role": "status"} if size else {"class": "note bad", "role": "alert"}
    return h("div", marks, h("p", None, f"{said}, {rejected} rejected."), h("ul", None, *reasons))


class _Rejected(msgspec.Struct, rename="camel"):
    to: list[str]
    error_code: str
    description: str


def _say_form(field: str, handset: str) -> Html:
    attributes: dict[str, str | int | bool | None] = {
        "id": field,
        "name": "text",
        "aria-label": f"Text from {handset}",
        "placeholder": "STOP",
        "required": True,
        "maxlength": MAX_TEXT_LENGTH,
        "autocomplete": "off",
    }
    return h(
        "form",
        {"class": "row", "data-action": "say"},
        h("div", {"class": "grow narrow"}, h("input", attributes)),
        h("button", {"type": "submit"}, "Text"),
        button("say", "STOP", "quiet", text="STOP"),
    )


_NO_EVENTS = empty(
    "Nothing has come yet.", "Events of batches, messages and opt-outs appear here as they are published."
)
_EVENTS = h(
    "table",
    {"class": "stream cards"},
    h("caption", {"class": "unseen"}, "Events of High Volume SMS, newest first"),
    h("thead", None, h("tr", None, [h("th", {"scope": "col"}, name) for name in ("Time (UTC)", "Family", "What")])),
    h("tbody", None),
)
