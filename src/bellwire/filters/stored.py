"""Reading stored filters again: a start has a million of them, of a few dozen forms.

The *form* of a text is its path without the numbers in it: `/restapi/v1.0/account`, `/extension`, `/presence`. What
`parse_filter` found out about one path is true of all with the same form, as long as every id in it is a number; so it
is asked once for each form, and the others take what is kept of it, at a third of the cost. Whatever is not that plain
(an alias, `~`, an id with letters, something to refuse) goes the whole way, each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Template
from bellwire.filters.event_filter import MAX_FILTER_LENGTH, EventFilter, parse_filter
from bellwire.filters.query import EMPTY, Query, read_query
from bellwire.filters.refusals import Flaw
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi

MAX_FORMS = 1_000
"""Forms that are kept: several times what the families declare."""

_NUMBER = re.compile(r"/([0-9]{1,20})(?=/|$)")
_PLAIN_QUERY = re.compile(r"[!-\"$-~]+")
"""Printable ASCII without blanks and `#`."""


@dataclass(frozen=True, slots=True)
class _Form:
    """`account`, `extension`: which of the numbers they are, if they are in the path."""

    family: EventFamily
    template: Template
    account: int | None
    extension: int | None


_forms: dict[tuple[str, ...], _Form] = {}


def parse_stored_filter(
    text: str, *, account: AccountId, extension: ExtensionId, api: SubscriptionApi, subscription: SubscriptionId
) -> EventFilter:
    """What `parse_filter` finds, and raises; quick for the texts that it returns as canonical."""
    path, question_mark, query_text = text.partition("?")
    parts = _NUMBER.split(path)
    form = _forms.get(tuple(parts[::2]))
    if form is None:
        parsed = parse_filter(text, account=account, extension=extension, api=api, subscription=subscription)
        if len(_forms) < MAX_FORMS:
            _learn(path, parts)
        return parsed
    query = _query(form.template, query_text if question_mark else None)
    if (
        query is None
        or form.family.api is not api
        or len(text) > MAX_FILTER_LENGTH
        or (form.account is not None and parts[form.account] != account)
    ):
        return parse_filter(text, account=account, extension=extension, api=api, subscription=subscription)
    return EventFilter(
        text=text,
        family=form.family,
        template=form.template,
        account=account,
        extension=None if form.extension is None else ExtensionId(parts[form.extension]),
        topic=path,
        key=REGISTRY.topic_key(account, path, form.template),
        predicates=query.predicates,
        projections=query.projections,
        schedule=query.schedule,
    )


def _learn(path: str, parts: list[str]) -> None:
    """Keep the form of a path that was read, if all that varies in it are numbers.

    Args:
        parts: of the path: what stands between numbers, and the numbers, in turn.
    """
    match = REGISTRY.match_shape(path)
    if match is None or match.topic != path or match.template.path_values:
        return
    if list(match.values.values()) != parts[1::2]:
        return
    names = list(match.values)
    places = {name: 2 * names.index(name) + 1 for name in ("accountId", "extensionId") if name in names}
    _forms[tuple(parts[::2])] = _Form(match.family, match.template, places.get("accountId"), places.get("extensionId"))


@lru_cache(maxsize=1_000)
def _query(template: Template, text: str | None) -> Query | None:
    """What a query asks for; None for one that is not plain, or is refused."""
    if text is None and not template.parameters:
        return EMPTY
    if text is not None and _PLAIN_QUERY.fullmatch(text) is None:
        return None
    try:
        return read_query(template, text, position=0, must_be_complete=True)
    except Flaw:
        return None
