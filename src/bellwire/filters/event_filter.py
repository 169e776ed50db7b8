"""Event filters: the text that a subscriber writes, and what it means.

    /restapi/v1.0/account/~/extension/~/message-store?type=SMS&direction=Inbound
    └──────────── path: the topic ──────────────────┘ └─ predicates, projections ┘

`~`, and the subscriber's own ids, become concrete ids here; whether the extension exists and may be watched is decided
by `subscriptions`. The reminder alone keeps its `~` (wire contract, 3.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.registry import TemplateMatch, filled
from bellwire.filters.path import check_id, find_template, place_of, split_text
from bellwire.filters.query import read_query
from bellwire.filters.refusals import FilterRefused, Flaw, ForeignAccount, printable, refused_together
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi

MAX_FILTER_LENGTH = 1024
"""Characters, and bytes: filters are ASCII."""
MAX_FILTERS = 1024
"""Filters of one request."""
MAX_REFUSALS = 100
"""Refused filters after which the rest of a request is not read: each costs a search for what was meant."""

_TILDE = "~"
_REMINDER_ID = "subscriptionId"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """A filter, understood.

    `text`: canonical, which is what is stored, echoed and sent as `event`: concrete ids, aliases as written, the query
    verbatim. It parses to an equal filter again. `topic`: the canonical path. `key`: what the filter index files the
    topic under. `predicates`: sorted by name, values as rows have them. `schedule`: a reminder's times in seconds.
    """

    text: str
    family: EventFamily = field(hash=False)
    template: Template = field(hash=False)
    account: AccountId
    extension: ExtensionId | None
    """The one that the path names."""
    topic: str
    key: str
    predicates: tuple[tuple[str, tuple[str, ...]], ...] = ()
    projections: frozenset[str] = frozenset()
    """Those switched on, implied ones included."""
    schedule: Mapping[str, int] = field(default_factory=dict, hash=False)

    def fits(self, rows: Rows) -> bool:
        """Whether an event on the filter's topic matches it, by the rows of its body (see `Facts.rows`). The index
        answers this for all filters at once; this is for a single one."""
        return any(
            all(name not in row or not set(values).isdisjoint(row[name]) for name, values in self.predicates)
            for row in rows
        )


def parse_filter(
    text: str,
    *,
    account: AccountId,
    extension: ExtensionId,
    api: SubscriptionApi,
    subscription: SubscriptionId | None = None,
) -> EventFilter:
    """Read one filter of a subscriber.

    Args:
        text: as written, or canonical as stored; at most 1,024 characters of printable ASCII.
        account, extension: the subscriber's, for `~`.
        api: the endpoint at which it is subscribed.
        subscription: for the reminder's topic; without it that topic is a placeholder that ends with `~`.

    Raises:
        FilterRefused: it can't be read, or belongs to the other endpoint (SUB-508).
        ForeignAccount: it names another account (SUB-406).
    """
    try:
        path, query_text, start = split_text(text, max_length=MAX_FILTER_LENGTH)
        match = find_template(path, start)
        family, template = match.family, match.template
        if family.api is not api:
            raise Flaw(_wrong_endpoint(family), position=start, found=path)
        values = _concrete(match, path, start, account, extension)
        query = read_query(
            template,
            query_text,
            position=start + len(path) + 1,
            must_be_complete=True,
        )
        concrete_path = _with_ids(path, match.values, values)
        canonical = concrete_path if query_text is None else f"{concrete_path}?{query_text}"
        if len(canonical) > MAX_FILTER_LENGTH:
            raise Flaw(f"with its ids it is longer than {MAX_FILTER_LENGTH} characters", position=start, found=path)
    except Flaw as flaw:
        raise FilterRefused(text, flaw) from None
    if values.get("accountId", account) != account:
        raise ForeignAccount(text, values["accountId"])
    topic_values = values
    if values.get(_REMINDER_ID) == _TILDE and subscription is not None:
        topic_values = {**values, _REMINDER_ID: subscription}
    named = values.get("extensionId")
    topic = filled(template.path, topic_values)
    return EventFilter(
        text=canonical,
        family=family,
        template=template,
        account=account,
        extension=None if named is None else ExtensionId(named),
        topic=topic,
        key=REGISTRY.topic_key(account, topic, template),
        predicates=query.predicates,
        projections=query.projections,
        schedule=query.schedule,
    )


def parse_filters(
    texts: Sequence[str],
    *,
    account: AccountId,
    extension: ExtensionId,
    api: SubscriptionApi,
    subscription: SubscriptionId | None = None,
) -> tuple[EventFilter, ...]:
    """Read all filters of a request, in order.

    Raises:
        InvalidRequest: there is none, or more than 1,024 (CMN-101).
        FilterRefused, ForeignAccount: one error with an entry for each filter that is refused (the first 100).
    """
    if not texts:
        raise InvalidRequest("CMN-101", "eventFilters needs at least one event filter", parameter="eventFilters")
    if len(texts) > MAX_FILTERS:
        raise InvalidRequest(
            "CMN-101", f"eventFilters has {len(texts)} filters, and may have {MAX_FILTERS}", parameter="eventFilters"
        )
    filters: list[EventFilter] = []
    refusals: list[FilterRefused | ForeignAccount] = []
    for text in texts:
        try:
            filters.append(parse_filter(text, account=account, extension=extension, api=api, subscription=subscription))
        except (FilterRefused, ForeignAccount) as refusal:
            refusals.append(refusal)
            if len(refusals) == MAX_REFUSALS:
                break
    if refusals:
        raise refused_together(refusals)
    return tuple(filters)


def _concrete(
    match: TemplateMatch, path: str, start: int, account: AccountId, extension: ExtensionId
) -> dict[str, str]:
    """The path's values, with `~` resolved and ids checked."""
    own = {"accountId": str(account), "extensionId": str(extension)}
    values: dict[str, str] = {}
    for name, value in match.values.items():
        if name == _REMINDER_ID:
            if value != _TILDE:
                raise Flaw(
                    f"a reminder is for this very subscription: write ~ instead of {printable(value[:64])}",
                    position=place_of(match, name, path, start),
                    found=value,
                    allowed=(_TILDE,),
                )
            values[name] = _TILDE
        elif value == _TILDE and name in own:
            values[name] = own[name]
        else:
            check_id(match, name, path, start, hint=", or ~ for your own" if name in own else "")
            values[name] = value
    return values


def _with_ids(path: str, written: Mapping[str, str], values: Mapping[str, str]) -> str:
    """The path as written, alias or not, with its `~` replaced. Placeholders come in the order of the path."""
    if _TILDE not in written.values():
        return path
    resolved = iter([values[name] for name, value in written.items() if value == _TILDE])
    return "/".join([next(resolved) if segment == _TILDE else segment for segment in path.split("/")])


def _wrong_endpoint(family: EventFamily) -> str:
    if family.api is SubscriptionApi.WEBINAR:
        return "webinar events are subscribed to at /webinar/notifications/v1/subscriptions"
    return "only webinar events are subscribed to here; use /restapi/v1.0/subscription"
