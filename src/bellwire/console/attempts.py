"""Delivery attempts as rows of a table, and one of them with its request, its answer and its timing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bellwire.console.forms import button
from bellwire.console.markup import Html, h, join
from bellwire.console.records import badge, facts, family_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import answer_of, clock_time, duration, milliseconds, outcome_word
from bellwire.engine.notification_request import NotificationRequest
from bellwire.engine.operate import TEST_HEADER
from bellwire.errors import NotFound
from bellwire.model.attempt import Attempt
from bellwire.model.ids import LOG_START
from bellwire.ports.history import RecordedAttempt

COLUMNS = ("Time (UTC)", "Outcome", "Subscription", "Event", "Answer", "Took", "Next try", "Details")


def attempt_rows(visitor: Visitor, records: Sequence[RecordedAttempt]) -> list[Html]:
    """Each with a button `open`, whose data `id` names the attempt."""
    return [_row(visitor, record) for record in records]


def _row(visitor: Visitor, record: RecordedAttempt) -> Html:
    attempt, now_ms = record.attempt, visitor.facade.now_ms()
    level, word = outcome_word(attempt)
    number = f"try {attempt.number}" if attempt.replay is None else f"replay, try {attempt.number}"
    return h(
        "tr",
        {"id": f"attempt-{record.id}"},
        h("td", {"class": "time"}, clock_time(attempt.started_ms, now_ms=now_ms)),
        h("td", None, badge(level, word), h("div", {"class": "hint"}, number)),
        h("td", {"class": "wraps"}, _subscription(visitor, attempt)),
        h("td", {"class": "wraps"}, _event(visitor, attempt)),
        h("td", {"class": "wraps", "data-name": "Answer"}, attempt.detail or answer_of(attempt)),
        h("td", {"class": "number", "data-name": "Took"}, milliseconds(attempt.duration_us / 1e6)),
        h("td", {"class": "nowrap", "data-name": "Next try"}, _next_try(attempt, now_ms)),
        h("td", None, button("open", "Open", "small", id=str(record.id))),
    )


def attempt_dialog(visitor: Visitor, attempt: Attempt, request: NotificationRequest | None, opening: int) -> Html:
    """Opens itself.

    Args:
        request: as far as it can be written again.
        opening: another each time, since a browser keeps a closed dialog when it is told the same.
    """
    now_ms = visitor.facade.now_ms()
    level, word = outcome_word(attempt)
    is_test = attempt.position == LOG_START
    when = [
        ("Began", f"{clock_time(attempt.started_ms)} UTC"),
        ("Took", milliseconds(attempt.duration_us / 1e6)),
        ("Try", str(attempt.number)),
        ("Next try", _next_try(attempt, now_ms) if attempt.next_try_ms is not None else "none"),
        ("Replay", attempt.replay or ""),
        ("Subscription", _subscription(visitor, attempt)),
        ("Event", "a test event, which is not in the log" if is_test else _event(visitor, attempt)),
        ("Notification", h("code", None, attempt.uuid)),
    ]
    answer = [
        ("Status", f"HTTP {attempt.status}" if attempt.status else "no status line came"),
        ("What went wrong", attempt.detail),
        ("Code", h("code", None, attempt.failure) if attempt.failure is not None else ""),
        ("Body", "not kept: answers are read and thrown away"),
    ]
    if attempt.is_over_socket:
        answer = [("Outcome", attempt.detail or answer_of(attempt)), ("Status", "a socket’s notifications have none")]
    again = (
        None
        if is_test or attempt.is_over_socket
        else button("again", "Send again", "primary", subscription=attempt.subscription, position=str(attempt.position))
    )
    return h(
        "dialog",
        {"data-open": opening, "aria-labelledby": "attempt-title", "class": "wide"},
        h("h2", {"id": "attempt-title"}, "Delivery attempt ", badge(level, word)),
        facts(when),
        h("h3", None, "Request"),
        _request(attempt, request, is_test=is_test),
        h("h3", None, "Answer"),
        facts(answer),
        h("div", {"class": "row"}, again, button("close", "Close", "")),
    )


def _request(attempt: Attempt, request: NotificationRequest | None, *, is_test: bool) -> Html:
    if attempt.is_over_socket:
        said = "It went over the WebSocket of its subscription’s session, as a ServerNotification."
        return h("p", {"class": "hint"}, said)
    if request is None:
        why = (
            f"A sample of the family was sent, with the header {TEST_HEADER.decode().strip()}."
            if is_test
            else "It can’t be written again: the event, the subscription or its filter of that time is gone."
        )
        return join(h("pre", None, f"POST {attempt.address}"), h("p", {"class": "hint"}, why))
    body = msgspec.json.format(request.body, indent=2).decode()
    replayed = "" if attempt.replay is None else f"\nBellwire-Replay: {attempt.replay}"
    return join(
        h("pre", {"tabindex": "0"}, f"{request.head}{replayed}\n\n{body}"),
        h("p", {"class": "hint"}, "As written for the event and the filters of that time; line breaks are added here."),
    )


def _next_try(attempt: Attempt, now_ms: int) -> str:
    if attempt.next_try_ms is None:
        return ""
    left = (attempt.next_try_ms - now_ms) / 1000
    return f"in {duration(left)}" if left > 0 else f"was {clock_time(attempt.next_try_ms, now_ms=now_ms)}"


def _subscription(visitor: Visitor, attempt: Attempt) -> Html:
    try:
        visitor.facade.subscription(visitor.scope, attempt.subscription)
    except NotFound:
        return join(attempt.address, h("div", {"class": "hint"}, "The subscription has ended."))
    return h("a", {"href": visitor.link(f"/subscriptions/{attempt.subscription}")}, attempt.address)


def _event(visitor: Visitor, attempt: Attempt) -> Html:
    family = family_of(attempt.topic)
    if attempt.position == LOG_START:
        return h("span", None, f"{family}, test event")
    return join(
        h("a", {"href": visitor.link(f"/events/{attempt.position}")}, f"{family} at {attempt.position}"),
        h("div", {"class": "hint"}, attempt.topic),
    )
