"""The query of a filter: `name=value` joined by `&`, each name one that the template takes.

Values are percent-decoded for comparison; `+` is a literal plus, as in phone numbers, and `%2B` is the same (wire
contract, 2.7 and 3.9). What is sent back to the subscriber is the query as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from urllib.parse import unquote

from bellwire.families.declaration import QueryParameter, Role, Template
from bellwire.families.phone_numbers import E164, with_plus
from bellwire.filters.refusals import Flaw, printable

MAX_VALUES = 16
"""Values of one parameter."""
MAX_COMBINATIONS = 256
"""Product of the numbers of values: what one filter may take of the index."""

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_INTEGER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Query:
    """What a query asks for. `predicates`: sorted by name, with sorted, distinct values as rows have them."""

    predicates: tuple[tuple[str, tuple[str, ...]], ...]
    projections: frozenset[str]
    schedule: Mapping[str, int]


EMPTY = Query((), frozenset(), {})


def read_query(template: Template, query: str | None, *, position: int, must_be_complete: bool) -> Query:
    """Read the part after the question mark; None is no question mark.

    Args:
        position: where the query begins in the whole text.
        must_be_complete: whether required parameters may be missing: not in a filter, but in a published topic.

    Raises:
        Flaw
    """
    given: dict[str, list[str]] = {}
    if query is not None:
        for piece in query.split("&"):
            name, value = _read_piece(template, piece, position)
            values = given.setdefault(name, [])
            values.append(value)
            if len(values) > MAX_VALUES:
                raise Flaw(f"{name} has more than {MAX_VALUES} values", position=position, found=piece)
            position += len(piece) + 1
    if must_be_complete:
        _check_required(template, given, position)
    if not given:
        return EMPTY
    return _sorted_by_role(template, given, position)


def _read_piece(template: Template, piece: str, position: int) -> tuple[str, str]:
    """One `name=value`, with the value normalised; a second one of a parameter that takes one only is found later."""
    name, equals, raw = piece.partition("=")
    parameter = _parameter(template, name, position)
    if not equals or not raw:
        raise Flaw(f"{name} has no value", position=position, found=piece, allowed=parameter.closed_values)
    return name, _normalised(parameter, raw, position + len(name) + 1)


def _parameter(template: Template, name: str, position: int) -> QueryParameter:
    for parameter in template.parameters:
        if parameter.name == name:
            return parameter
    names = tuple(parameter.name for parameter in template.parameters)
    if not names:
        raise Flaw("this event filter takes no parameters", position=position, found=name)
    shown = f'no parameter "{printable(name[:64])}"' if name else "an empty parameter"
    close = get_close_matches(name[:64].lower(), [known.lower() for known in names], n=1)
    raise Flaw(
        f"{shown} is known for this event filter" if name else f"{shown} stands in the query",
        position=position,
        found=name,
        allowed=names,
        suggestion=next((known for known in names if close and known.lower() == close[0]), None),
    )


def _normalised(parameter: QueryParameter, raw: str, position: int) -> str:
    """A value in the spelling that rows have."""
    value = raw
    if "%" in raw:
        broken = _BROKEN_ESCAPE.search(raw)
        if broken is not None:
            raise Flaw(
                f"{parameter.name} has a broken percent-escape",
                position=position + broken.start(),
                found=raw[broken.start() : broken.start() + 3],
            )
        value = unquote(raw, errors="replace")
    if parameter.is_phone_number:
        number = with_plus("+" + value[1:] if value.startswith(" ") else value)
        if E164.fullmatch(number) is None:
            raise Flaw(
                f"{parameter.name} is not a phone number in E.164 form, such as +16505550100",
                position=position,
                found=raw,
            )
        return number
    if parameter.type == "integer":
        if _INTEGER.fullmatch(value) is None or (parameter.minimum is not None and int(value) < parameter.minimum):
            least = "" if parameter.minimum is None else f" of at least {parameter.minimum}"
            raise Flaw(f"{parameter.name} is not a whole number{least}", position=position, found=raw)
        return str(int(value))
    allowed = parameter.closed_values
    if allowed:
        return _one_of(parameter, allowed, value, raw, position)
    if _PLAIN_VALUE.fullmatch(value) is None:
        raise Flaw(
            f"{parameter.name} is not an id: 1 to 128 letters, digits, dots, colons, hyphens and underscores",
            position=position,
            found=raw,
        )
    return value


def _one_of(parameter: QueryParameter, allowed: tuple[str, ...], value: str, raw: str, position: int) -> str:
    compared = value.lower() if parameter.ignore_case else value
    if compared in (tuple(known.lower() for known in allowed) if parameter.ignore_case else allowed):
        return compared
    close = get_close_matches(value[:64].lower(), [known.lower() for known in allowed], n=1)
    raise Flaw(
        f'{parameter.name} can\'t be "{printable(raw[:64])}"',
        position=position,
        found=raw,
        allowed=allowed,
        suggestion=next((known for known in allowed if close and known.lower() == close[0]), None),
    )


def _check_required(template: Template, given: Mapping[str, list[str]], position: int) -> None:
    for parameter in template.parameters:
        if (parameter.required or parameter.fixed is not None) and parameter.name not in given:
            example = f"{parameter.name}={parameter.valid_value}"
            raise Flaw(
                f"the parameter {parameter.name} is missing",
                position=max(position - 1, 0),
                found="",
                allowed=parameter.closed_values,
                suggestion=f"{template.path}?{example}" if not given else example,
            )


def _sorted_by_role(template: Template, given: Mapping[str, list[str]], position: int) -> Query:
    predicates: list[tuple[str, tuple[str, ...]]] = []
    projections: set[str] = set()
    schedule: dict[str, int] = {}
    for parameter in template.parameters:
        values = given.get(parameter.name)
        if values is None:
            continue
        if parameter.role is Role.PREDICATE:
            if parameter.is_compared:
                predicates.append((parameter.name, tuple(sorted(set(values)))))
            continue
        if len(values) > 1:
            raise Flaw(f"{parameter.name} is given more than once", position=position - 1, found=parameter.name)
        if parameter.role is Role.SCHEDULE:
            schedule[parameter.name] = int(values[0])
        elif values[0] == "true":
            projections.update((parameter.name, *parameter.implies))
    if prod(len(values) for _, values in predicates) > MAX_COMBINATIONS:
        raise Flaw(
            f"the values make more than {MAX_COMBINATIONS} combinations; use several filters",
            position=position - 1,
            found="&".join(given),
        )
    predicates.sort()
    return Query(tuple(predicates), frozenset(projections), schedule)
