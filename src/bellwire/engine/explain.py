"""Would this event filter match this event, and if not, why not: of a made-up event, and of a logged one.

A made-up event is read as if it were to be published, but for what its body leaves out. What is compared, and the words
for it, are in filters/explain.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from pydantic import ValidationError

from bellwire.engine.publish import (
    Rejection,
    Submission,
    audience_of,
    decode_submission,
    judge_account,
    stated_account_of,
    steps,
    time_of,
    uuid_of,
)
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import parse_stored
from bellwire.errors import ErrorEntry, Forbidden, InvalidRequest
from bellwire.families import REGISTRY, TemplateMatch
from bellwire.families.declaration import EventFamily
from bellwire.families.partial_body import completed
from bellwire.filters import (
    Announced,
    EventFilter,
    Explanation,
    FilterRefused,
    ForeignAccount,
    Reason,
    ReasonKind,
    ResolvedTopic,
    explain,
    parse_filter,
    parse_topic,
)
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionApi
from bellwire.ports.identity import Directory

MAX_FIELD_ERRORS = 20
_NOBODY = ExtensionId("0")
_LEFT_OUT = frozenset({"missing", "union_tag_not_found"})
"""Pydantic's errors about what is not there. The second: what says of which kind the body is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """For whom a filter is explained. `account`: for `~`, and the only one that filters may name where `is_bound`; None
    is the event's. `extension`: for `~`, and for the event's audience; None is nobody in particular."""

    account: AccountId | None
    extension: ExtensionId | None
    is_bound: bool


@dataclass(frozen=True, slots=True)
class FilterExplanation:
    filter: str
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class SubscriptionExplanation:
    """Whether a subscription was to get an event. `filters`: those in force at the event, in order. `reasons`: why not,
    beside what each of the filters says."""

    matches: bool
    filters: tuple[FilterExplanation, ...]
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


def explain_made_up(
    filter_text: str, item: bytes, *, asker: Asker, directory: Directory, max_event_bytes: int
) -> Explanation:
    """Whether a filter, as its subscriber writes it, would match an event, as its producer would hand it over.

    Args:
        item: JSON; its `body` may leave out what its family requires, or be left out.

    Raises:
        InvalidRequest: SUB-508, SUB-406 for the filter (`parameter` is `filter`); CMN-101, CMN-103 for the event
            (`parameter` is the place in it, as `event.body.from`); CMN-102, CMN-109 for an account where nothing can be
            published.
    """
    event = _read_event(item, asker, max_event_bytes)
    if asker.account == event.account or not asker.is_bound:  # of others it is not told whether they exist
        known = directory.account(event.account)
        if (problem := judge_account(event.account, None if known is None else known.status)) is not None:
            raise InvalidRequest(problem.code, f"event: {problem.message}", parameter="event.event")
    event_filter = _read_filter(filter_text, asker, event.account)
    if event_filter.account == event.account:
        # In another account, who monitors whom is nobody's business here.
        event = replace(event, topics=REGISTRY.topics_of(event.match, event.account, directory))
    return explain(event_filter, event, owner=asker.extension)


def as_announced(event: Event, announcements: Announcements) -> Announced:
    """A published event as filters are held against it, on all topics that it is announced on now."""
    return Announced(
        match=announcements.template(event),
        account=event.account,
        topics=[topic for topic, _ in announcements.topics(event)],
        rows=announcements.facts(event).rows,
        stated=event.stated,
        audience=event.audience,
        body=msgspec.json.decode(event.body),
    )


def explain_logged(
    subscription: Subscription, logged: LoggedEvent, announcements: Announcements
) -> SubscriptionExplanation:
    """Whether a subscription was to get an event of the log, by the filters that were in force at its position."""
    announced = as_announced(logged.event, announcements)
    version, reasons, notes = _version_at(subscription, logged)
    filters = _explained(subscription, version.filters, announced)
    matches = not reasons and any(one.explanation.matches for one in filters)
    if not matches:
        disabled = {one.filter: one.message for one in subscription.disabled_filters}
        reasons += [
            Reason(
                ReasonKind.DISABLED,
                f"Event filter {one.filter} would match, and is not in force: {disabled[one.filter]}",
                None,
                (one.filter,),
            )
            for one in _explained(subscription, tuple(disabled), announced)
            if one.explanation.matches
        ]
    return SubscriptionExplanation(matches, filters, tuple(reasons), tuple(notes))


# Made-up events


def _read_event(item: bytes, asker: Asker, max_event_bytes: int) -> Announced:
    """As `Submissions` reads what is published, but for parts of the body that are left out. Announced on its own topic
    alone so far."""
    try:
        submission = _with_body(item)
    except msgspec.ValidationError as mismatch:
        raise _wrong("event", f"The event has another form than expected: {mismatch}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as malformed:
        raise InvalidRequest("CMN-103", f"event is not valid JSON: {malformed}", parameter="event") from None
    stated_account, audience = stated_account_of(submission), audience_of(submission)
    for refused, field in (
        (stated_account, "event.accountId"),
        (uuid_of(submission), "event.uuid"),
        (audience, "event.audience"),
        (time_of(submission), "event.timestamp"),
    ):
        if isinstance(refused, Rejection):
            raise _wrong(field, f"event.{refused.message}")
    assert not isinstance(stated_account, Rejection)
    assert not isinstance(audience, Rejection)
    topic = _read_topic(submission.event, stated_account or asker.account)
    if stated_account not in (None, topic.account):
        raise _wrong(
            "event.accountId", f"event.accountId is {stated_account}, but the event's path says {topic.account}"
        )
    if len(submission.body) > max_event_bytes:
        raise _wrong(
            "event.body", f"event.body has {len(submission.body)} bytes; at most {max_event_bytes} are allowed"
        )
    body = _read_body(topic.family, bytes(submission.body))
    return Announced(
        match=TemplateMatch(topic.family, topic.template, dict(topic.values), topic.topic, topic.index),
        account=topic.account,
        topics=(topic.topic,),
        rows=topic.family.rows(body),
        stated=topic.stated,
        audience=audience,
        body=body,
    )


def _with_body(item: bytes) -> Submission:
    try:
        return decode_submission(item)
    except msgspec.ValidationError:
        members = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
        if "body" in members:
            raise
        return decode_submission(msgspec.json.encode({**members, "body": msgspec.Raw(b"{}")}))


def _read_topic(event: str, account: AccountId | None) -> ResolvedTopic:
    try:
        return parse_topic(event, account=account)
    except InvalidRequest as refused:
        (entry,) = refused.entries
        raise InvalidRequest(
            entry.code, f"event.{entry.message}", parameter=f"event.{entry.parameter}", value=entry.value
        ) from None


def _read_body(family: EventFamily, raw: bytes) -> Mapping[str, Any]:
    """The body with all that its family requires (see `completed`). What it does say must be right."""
    body = msgspec.json.decode(raw)
    if not isinstance(body, dict):
        raise _wrong("event.body", "event.body has to be a JSON object")
    try:
        family.body.__pydantic_validator__.validate_json(raw)
    except ValidationError as errors:
        found = errors.errors(include_url=False, include_context=False, include_input=False)
    else:
        return body
    # Of a value that may have one of several forms each is found wanting: it is right if one only lacks something.
    places = [tuple(steps(error["loc"], body, is_missing=error["type"] == "missing")) for error in found]
    lacking = [place for place, error in zip(places, found, strict=True) if error["type"] in _LEFT_OUT]
    wrong = [
        (place, error["msg"])
        for place, error in zip(places, found, strict=True)
        if error["type"] not in _LEFT_OUT and not any(inner[: len(place)] == place for inner in lacking)
    ]
    if wrong:
        entries = [
            ErrorEntry("CMN-101", f"{field}: {message}; family {family.name}", field)
            for place, message in wrong[:MAX_FIELD_ERRORS]
            if (field := ".".join(("event.body", *place)))
        ]
        first, *rest = entries
        raise InvalidRequest(first.code, first.message, parameter=first.parameter, more=tuple(rest))
    return completed(family, body)


def _read_filter(text: str, asker: Asker, account_of_event: AccountId) -> EventFilter:
    """As a subscriber's; each family at its own endpoint."""
    match = REGISTRY.match_shape(text.strip(" \t\r\n").partition("?")[0])
    named = {} if match is None else match.values
    if named.get("extensionId") == "~" and asker.extension is None:
        raise _wrong(
            "filter",
            "filter: extensionId is ~, which is a user's own extension, and a publisher key has none; write the id, or "
            "give extensionId beside the filter",
        )
    account = asker.account
    if account is None or not asker.is_bound:
        written = named.get("accountId", "~")
        account = AccountId(written) if written != "~" else account or account_of_event
    try:
        return parse_filter(
            text,
            account=account,
            extension=asker.extension or _NOBODY,
            api=SubscriptionApi.GENERAL if match is None else match.family.api,
        )
    except FilterRefused as refused:
        raise InvalidRequest(refused.code, refused.message, parameter="filter", value=refused.filter) from None
    except ForeignAccount as refused:
        raise Forbidden(refused.code, refused.message, parameter="filter", value=refused.filter) from None


def _wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest("CMN-101", message, parameter=field)


# Logged events


def _version_at(subscription: Subscription, logged: LoggedEvent) -> tuple[FilterVersion, list[Reason], list[str]]:
    """The filters in force at an event's position, or else those nearest to it; with why the subscription can't have
    got it, and what has to be known of the choice."""
    position = logged.position
    for version in subscription.versions:
        until = version.until_position
        if version.from_position < position and (until is None or position <= until):
            return version, [], []
    oldest = subscription.versions[0]
    if oldest.version > 1:
        return (
            oldest,
            [],
            [
                "The event filters of that time are not kept any more; it is compared with those that came into "
                f"force after position {oldest.from_position}."
            ],
        )
    return (
        oldest,
        [
            Reason(
                ReasonKind.BEGAN,
                f"The subscription began after position {oldest.from_position} of the log; the event is at {position}",
                None,
                (str(oldest.from_position + 1),),
                (str(position),),
            )
        ],
        [],
    )


def _explained(subscription: Subscription, filters: Sequence[str], event: Announced) -> tuple[FilterExplanation, ...]:
    """Filters that this release can't read any more match nothing, and are left out."""
    parsed = parse_stored(subscription, filters)
    return tuple(
        FilterExplanation(text, explain(event_filter, event, owner=subscription.owner_id))
        for text, event_filter in zip(filters, parsed, strict=True)
        if event_filter is not None
    )
