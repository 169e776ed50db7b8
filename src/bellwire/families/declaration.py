"""What a family declares. One file beside this one declares one family; everything else is derived from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel

from bellwire.model.event import Rows
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.permission import Permission, UserPermission
from bellwire.model.subscription import SubscriptionApi


class Role(StrEnum):
    """What a query parameter of an event filter does."""

    PREDICATE = "predicate"
    """Narrows which events match."""
    PROJECTION = "projection"
    """Changes what the notification's body holds."""
    SCHEDULE = "schedule"
    """Sets the timing of reminders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParameter:
    """One query parameter that a template takes."""

    name: str
    role: Role
    description: str
    type: str = "string"
    """string, boolean or integer."""
    enum: tuple[str, ...] = ()
    """The values allowed; empty is any."""
    fixed: str | None = None
    """The one value that belongs to the template itself (`type=SMS`); the parameter must then be written."""
    required: bool = False
    is_phone_number: bool = False
    """E.164; a leading blank or a missing plus is mended (wire contract, 2.7)."""
    ignore_case: bool = False
    """Compared, and accepted, whatever its case."""
    implies: tuple[str, ...] = ()
    """Projections that this projection switches on, too."""
    minimum: int | None = None
    is_compared: bool = True
    """For predicates. False: it is part of every event of the template, whatever its body says, so that there is
    nothing to compare (`usageType` of the Contact Center)."""
    example: str = "1001"
    """A value, for the reference and for messages; not used where the values are a closed list."""

    @property
    def closed_values(self) -> tuple[str, ...]:
        """The values that a filter may give, if they are a closed list; empty is any."""
        if self.fixed is not None:
            return (self.fixed,)
        return ("true", "false") if self.type == "boolean" else self.enum

    @property
    def valid_value(self) -> str:
        """A value that a filter may give."""
        return self.closed_values[0] if self.closed_values else self.example


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """One path that a family's events are announced on.

    `path` has `{name}` placeholders. `aliases` are other spellings of the same path, older or newer: a filter or an
    event on an alias means this topic, and a notification echoes what was subscribed.
    """

    path: str
    permission: Permission | None
    parameters: tuple[QueryParameter, ...] = ()
    aliases: tuple[str, ...] = ()
    path_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values allowed for a placeholder; one that is absent takes any id."""
    others_permission: UserPermission | None = None
    """What a user needs beyond the application's permission: on a path with an extension, to name another
    extension than the user's own; on a path without, to subscribe at all. None: nothing."""
    others_error: str = "SUB-405"
    """The protocol's code (wire contract, 3.11) when `others_permission` is missing and no filter is left."""


class Relations(Protocol):
    """What a family may ask of the directory to find the topics of an event."""

    def watchers_of_line(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        """Extensions that monitor the extension's line."""
        ...

    def admirers_of(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        """Extensions that have the extension among their favorites."""
        ...


PathValues = Mapping[str, str]
"""Values of a template's placeholders, taken from a topic."""

DerivedTopics = Callable[[PathValues, AccountId, Relations], Sequence[str]]
ReadRows = Callable[[Mapping[str, Any]], Rows]
ReadKey = Callable[[PathValues, Mapping[str, Any]], str]
Projection = Callable[[Mapping[str, Any], frozenset[str]], Mapping[str, Any] | None]


def no_rows(_body: Mapping[str, Any]) -> Rows:
    """For families without predicates: one row that says nothing."""
    return ({},)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventFamily:
    """One kind of event. Families and templates are compared by identity: there is one of each.

    `templates`: most specific first. An event published on the first is announced on all topics that `derived_topics`
    gives, too; an event published on another is announced on that one alone.
    `rows`: predicate values of a body (see `Facts.rows`), each value as the string that a filter would write,
    booleans as `true` and `false`, phone numbers with their plus, values of `ignore_case` parameters in lower case.
    A predicate that this body says nothing about, and can't, is left out of the row and then matches any value; one
    that it could say something about, and doesn't, has no values, `()`, and matches none.
    `rows` and `ordering_key` are asked once for each event, after validation, with the decoded JSON: they are quick,
    and raise on no body that passed.
    `ordering_key`: notifications of one subscription with equal keys keep log order.
    `project`: the body reduced to what a filter with these projections asked for (names of the projections switched
    on); None means the body goes out as published. Only called when the family has projections; it leaves parts out
    and never changes what it keeps.
    """

    name: str
    title: str
    description: str
    """One sentence: when it fires."""
    templates: tuple[Template, ...]
    body: type[BaseModel]
    sample: Mapping[str, Any]
    """A body."""
    ordering_key: ReadKey
    rows: ReadRows = no_rows
    derived_topics: DerivedTopics | None = None
    project: Projection | None = None
    api: SubscriptionApi = SubscriptionApi.GENERAL
    is_flat: bool = False
    """The body's fields stand beside the envelope's instead of under `body`; no `ownerId` is required then."""
    publishable: bool = True
    """False: only Bellwire itself makes these events."""
