"""Explains whether an event filter matches an event, and if not, why not. Pure.

The verdict is the one that routing comes to (`matching/index.py` asked for each topic of the event, and the audience);
a test compares the two over all families. An event that a filter doesn't want may differ from it in several ways: each
has a reason of its own, and of differences in the topic only the most telling one: another family, or else another
account, or else other ids or another path of the same family.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Role, Template
from bellwire.families.partial_body import UNSAID
from bellwire.families.registry import TemplateMatch, placeholders
from bellwire.filters.event_filter import EventFilter
from bellwire.filters.topic import rows_with_stated
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId, ExtensionId

MOST_SHOWN = 10
"""Values, entries or topics that a sentence names."""
_LONGEST_SHOWN = 200


class ReasonKind(StrEnum):
    """In what respect an event is not what the filter wants."""

    FAMILY = "family"
    """It is of another event family."""
    ACCOUNT = "account"
    """It is of another account."""
    PATH = "path"
    """It is announced on such topics, with another id in the path: extension, batch, chat …"""
    TOPIC = "topic"
    """It is of the family, and not announced on this kind of topic."""
    PREDICATE = "predicate"
    """Its body has another value, or none."""
    MISSING = "missing"
    """Its body leaves out what the predicate is compared with; a whole body has it."""
    TOGETHER = "together"
    """No one part of its body has all the values."""
    AUDIENCE = "audience"
    """The subscription's owner is not among those who may see it."""
    BEGAN = "began"
    """The subscription began after it."""
    DISABLED = "disabled"
    """The filter is there and not in force: a permission is missing, or its owner can't log in."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`parameter`: of the filter, in its path or query. `wanted`: what the filter has there. `found`: what the event
    has, empty for nothing."""

    kind: ReasonKind
    message: str
    parameter: str | None = None
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """`reasons`: why not; none exactly when it matches. `notes`: what else is worth knowing, in whole sentences."""

    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()

    @property
    def matches(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An event as routing sees it. `match`: of the topic that it was published on. `topics`: all that it is announced
    on, that one first. `rows`: of its body; those of a partial one have `UNSAID` for what it leaves out. `body`: for
    what projections leave out of it; None is not known."""

    match: TemplateMatch
    account: AccountId
    topics: Sequence[str]
    rows: Rows
    stated: Sequence[tuple[str, str]] = ()
    audience: Collection[ExtensionId] | None = None
    body: Mapping[str, Any] | None = None

    def key(self, topic: str) -> str:
        return REGISTRY.topic_key(self.account, topic, self.match.template)


def explain(event_filter: EventFilter, event: Announced, *, owner: ExtensionId | None = None) -> Explanation:
    """Whether a filter matches an event.

    Args:
        owner: of the subscription, for the event's audience; None is not known, and then the audience is a note.
    """
    reasons: list[Reason] = []
    notes: list[str] = []
    on_topic = next((topic for topic in event.topics if event.key(topic) == event_filter.key), None)
    if on_topic is None:
        reasons.append(_why_elsewhere(event_filter, event))
    elif on_topic != event.topics[0]:
        notes.append(f"The event is published on {event.topics[0]}, and for that announced on {on_topic}, too.")
    if event.match.family is event_filter.family:
        rows = _rows(event)
        reasons += _why_not_these_values(event_filter.predicates, rows)
        notes += _notes_on_predicates(event_filter, event, rows)
    if event.audience is not None:
        audience = _listed(sorted(event.audience))
        if owner is None:
            notes.append(f"Only subscriptions of these extensions get the event, its audience: {audience or 'none'}.")
        elif owner not in event.audience:
            reasons.append(
                Reason(
                    ReasonKind.AUDIENCE,
                    f"The event's audience is {f'extensions {audience}' if audience else 'empty'}; "
                    f"the subscription's owner, extension {owner}, is not among them",
                    "audience",
                    (owner,),
                    tuple(sorted(event.audience)[:MOST_SHOWN]),
                )
            )
    if not reasons:
        notes += _notes_on_projections(event_filter, event)
    return Explanation(tuple(reasons), tuple(notes))


# Topics


def _why_elsewhere(wanted: EventFilter, event: Announced) -> Reason:
    """The most telling difference of the filter's topic from all those of the event."""
    family, published = event.match.family, event.topics[0]
    if family is not wanted.family:
        return Reason(
            ReasonKind.FAMILY,
            f"The filter is for events of the family {wanted.family.name} ({wanted.family.title}); "
            f"this event, on {published}, is of {family.name} ({family.title})",
            None,
            (wanted.family.name,),
            (family.name,),
        )
    if wanted.account != event.account:
        return Reason(
            ReasonKind.ACCOUNT,
            f"accountId: the filter wants account {wanted.account}; the event is of account {event.account}",
            "accountId",
            (wanted.account,),
            (event.account,),
        )
    own = _values(wanted.template, wanted.topic)
    others = [values for topic in event.topics if (values := _values(wanted.template, topic)) is not None]
    if own is None or not others:
        return _why_other_path(wanted, event)
    # Of several topics of the kind, the one that differs in the fewest ids.
    name = min(
        ([name for name in own if own[name] != values[name]] for values in others),
        key=len,
    )[0]
    found = tuple(dict.fromkeys(values[name] for values in others))
    said = f"{name}: the filter wants {own[name]}; the event is announced there for {_listed(found)}"
    if len(event.topics) == 1 or wanted.template is event.match.template:
        said = f"{name}: the filter wants {own[name]}; the event has {_listed(found)}"
    return Reason(ReasonKind.PATH, said, name, (own[name],), found[:MOST_SHOWN])


def _why_other_path(wanted: EventFilter, event: Announced) -> Reason:
    published = event.topics[0]
    said = f"The event is announced on {_listed(event.topics)}, and not on {wanted.topic}"
    most_specific = event.match.family.templates[0]
    if event.match.index and wanted.family.derived_topics is not None:
        said += f". Only events that are published on {most_specific.path} are announced on more than one topic"
    return Reason(ReasonKind.TOPIC, said, None, (wanted.topic,), (published, *event.topics[1:MOST_SHOWN]))


def _values(template: Template, topic: str) -> dict[str, str] | None:
    """The ids in a topic of this template; None if it is of another. A reminder's `~` is one, too."""
    match = REGISTRY.match_shape(topic)
    if match is None or match.template is not template:
        return None
    return {name: match.values[name] for name in placeholders(template.path)}


# Predicates


def _rows(event: Announced) -> Rows:
    """As routing compares them; what a partial body leaves out and the query of `event` states is taken from there."""
    stated = {name for name, _ in event.stated}
    rows = tuple(
        {n: () if n in stated and UNSAID in values else values for n, values in row.items()} for row in event.rows
    )
    return rows_with_stated(rows, event.stated)


def _why_not_these_values(predicates: Sequence[tuple[str, tuple[str, ...]]], rows: Rows) -> list[Reason]:
    """A reason for each predicate that no row fits, and one where rows fit the others, but none fits all of those."""
    fitting = {name: [_fits(name, values, row) for row in rows] for name, values in predicates}
    reasons = [_why_not(name, values, rows) for name, values in predicates if not any(fitting[name])]
    met = [(name, values) for name, values in predicates if any(fitting[name])]
    if met and not any(all(fitting[name][at] for name, _ in met) for at in range(len(rows))):
        reasons.append(_why_not_together(met, rows))
    return reasons


def _fits(name: str, values: tuple[str, ...], row: Mapping[str, tuple[str, ...]]) -> bool:
    return name not in row or not set(values).isdisjoint(row[name])


def _why_not(name: str, values: tuple[str, ...], rows: Rows) -> Reason:
    found = tuple(dict.fromkeys(value for row in rows for value in row.get(name, ())))
    wants = f"{name}: the filter wants {_alternatives(values)}"
    if any(UNSAID in value for value in found):
        said = tuple(value for value in found if UNSAID not in value)
        beside = f" beside {_listed(said)}" if said else ""
        return Reason(ReasonKind.MISSING, f"{wants}; the body leaves it out{beside}", name, values, said[:MOST_SHOWN])
    has = f"has {_listed(found)}" if found else f"has no {name}"
    return Reason(ReasonKind.PREDICATE, f"{wants}; the event {has}", name, values, found[:MOST_SHOWN])


def _why_not_together(predicates: Sequence[tuple[str, tuple[str, ...]]], rows: Rows) -> Reason:
    wanted = tuple(f"{name}={value}" for name, values in predicates for value in values)
    found = tuple(
        " ".join(f"{name}={_alternatives(row[name], or_='and')}" for name, _ in predicates if row.get(name))
        for row in rows
    )
    return Reason(
        ReasonKind.TOGETHER,
        f"No one part of the body has all of {_listed([f'{name}={_alternatives(v)}' for name, v in predicates])}; "
        f"its {len(rows)} parts have: {_listed(found, separator='; ')}",
        None,
        wanted,
        found[:MOST_SHOWN],
    )


def _notes_on_predicates(wanted: EventFilter, event: Announced, rows: Rows) -> Iterable[str]:
    stated = {name for name, _ in event.stated}
    for name, values in wanted.predicates:
        without = [row for row in rows if name not in row]
        if without and len(without) == len(rows):
            yield (
                f"{name}: this event's body has no place to say it, so that the filter's {_alternatives(values)} is "
                f"met by any event; a publisher can state it in the query of `event`, as ?{name}={values[0]}."
            )
        elif name in stated and any(not row.get(name) for row in event.rows):
            yield f"{name}: the body does not say it; it is compared with what the query of `event` states."
    for parameter in wanted.template.parameters:
        if not parameter.is_compared and parameter.required:
            yield f"{parameter.name}: it is part of each event on this topic, and not compared with the body."


# Projections


def _notes_on_projections(wanted: EventFilter, event: Announced) -> Iterable[str]:
    known = [parameter for parameter in wanted.template.parameters if parameter.role is Role.PROJECTION]
    for parameter in known:
        if parameter.name in wanted.projections:
            yield f"{parameter.name} changes what the notification holds, not what matches: {parameter.description}"
    left_out = _left_out(wanted.family, event.body, wanted.projections)
    if left_out:
        remedy = [p.name for p in known if p.name not in wanted.projections]
        asked = f", since the filter does not ask for {' or '.join(remedy)}" if remedy else ""
        yield f"The notification leaves out {_listed(left_out)} of the body{asked}."


def _left_out(family: EventFamily, body: Mapping[str, Any] | None, projections: frozenset[str]) -> list[str]:
    """Fields of the body that a notification with these projections does not have, as dotted paths."""
    if body is None or family.project is None:
        return []
    projected = family.project(body, projections)
    return [] if projected is None else list(dict.fromkeys(_gone(body, projected, "")))


def _gone(before: Any, after: Any, place: str) -> Iterable[str]:
    if before is after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name, part in before.items():
            if name in after:
                yield from _gone(part, after[name], f"{place}{name}.")
            else:
                yield place + name
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip(before, after, strict=False):
            yield from _gone(one, other, place)


# Words


def _alternatives(values: Sequence[str], *, or_: str = "or") -> str:
    shown = [_short(value) for value in values[:MOST_SHOWN]]
    if len(values) > MOST_SHOWN:
        return ", ".join(shown) + f" {or_} {len(values) - MOST_SHOWN} more"
    return f" {or_} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _listed(values: Sequence[str], *, separator: str = ", ") -> str:
    shown = separator.join(_short(value) or "nothing" for value in values[:MOST_SHOWN])
    return shown if len(values) <= MOST_SHOWN else f"{shown} and {len(values) - MOST_SHOWN} more"


def _short(value: str) -> str:
    value = value.replace(UNSAID, "(left out)")
    return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
