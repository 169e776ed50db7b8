"""Topics that events are published on: a concrete path, and maybe the query of an example notification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Template
from bellwire.filters.path import check_id, find_template, place_of, split_text
from bellwire.filters.query import read_query
from bellwire.filters.refusals import Flaw, printable
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId

MAX_EVENT_LENGTH = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedTopic:
    """What the `event` of a published event says.

    `topic`: canonical path. `key`: what the filter index files it under. `stated`: predicate values of the query, for
    bodies that have no field for them (see `rows_with_stated`).
    """

    family: EventFamily
    template: Template
    values: Mapping[str, str]
    account: AccountId
    topic: str
    key: str
    stated: tuple[tuple[str, str], ...] = ()
    index: int = field(default=0)
    """Of the template in its family; 0 is the most specific, from which other topics are derived."""


def parse_topic(event: str, *, account: AccountId | None) -> ResolvedTopic:
    """Read the `event` of an event to be published: any template or alias of any family, ids concrete.

    Args:
        event: at most 2,048 characters. A query is read as that of a filter, without the need to be complete.
        account: the event's, if something else than the path says it; the path's wins, unchecked.

    Raises:
        InvalidRequest: CMN-101, parameter `event` (or `accountId` where neither the path nor the caller names one).
    """
    match = REGISTRY.match(event)
    stated: tuple[tuple[str, str], ...] = ()
    if match is None:
        # The slow way, for a query, and to find out what is wrong.
        try:
            path, query_text, start = split_text(event, max_length=MAX_EVENT_LENGTH)
            match = find_template(path, start)
            for name, value in match.values.items():
                if value == "~":
                    raise Flaw(
                        f"{name} is ~, which only a subscriber has; write the id",
                        position=place_of(match, name, path, start),
                        found="~",
                    )
                check_id(match, name, path, start)
            query = read_query(match.template, query_text, position=start + len(path) + 1, must_be_complete=False)
        except Flaw as flaw:
            raise _refused(event, str(flaw)) from None
        stated = tuple((name, value) for name, values in query.predicates for value in values)
    family = match.family
    if not family.publishable:
        raise _refused(event, f"only Bellwire itself makes events of the family {family.name}")
    named = match.values.get("accountId")
    owner = account if named is None else AccountId(named)
    if owner is None:
        raise InvalidRequest(
            "CMN-101",
            f'accountId is missing: neither "{printable(event)}" nor the key says which account the event is of',
            parameter="accountId",
        )
    return ResolvedTopic(
        family=family,
        template=match.template,
        values=match.values,
        account=owner,
        topic=match.topic,
        key=REGISTRY.topic_key(owner, match.topic, match.template),
        stated=stated,
        index=match.index,
    )


def rows_with_stated(rows: Rows, stated: Sequence[tuple[str, str]]) -> Rows:
    """Rows of a body, with what the publisher stated put in where the body says nothing of it."""
    if not stated:
        return rows
    by_name: dict[str, tuple[str, ...]] = {}
    for name, value in stated:
        by_name[name] = (*by_name.get(name, ()), value)
    return tuple([{**row, **{name: of for name, of in by_name.items() if not row.get(name)}} for row in rows])


def _refused(event: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        "CMN-101", f'event "{printable(event)}" is refused: {reason}', parameter="event", value=printable(event)
    )
