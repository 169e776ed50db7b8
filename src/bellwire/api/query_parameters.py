"""Query parameters that a route of Bellwire's own API does not know are refused: a filter with a slip of the pen would
otherwise list everything. The compatible API ignores them, as its model does."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from bellwire.errors import ErrorEntry, InvalidRequest

MAX_SHOWN = 10
MAX_LENGTH_SHOWN = 64

_METHOD = "_method"
"""Overrides the method of any request (`conventions.py`)."""


def refuse_unknown_parameters(request: Request) -> None:
    """
    Raises:
        InvalidRequest: a parameter's name is none of the route's; each is an entry (CMN-101) that names it.
    """
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = frozenset(_names(route.dependant))
    unknown = [name[:MAX_LENGTH_SHOWN] for name in request.query_params if name not in known and name != _METHOD]
    entries = [
        ErrorEntry("CMN-101", f"Parameter [{name}] is unknown{_hint(name, known)}", name)
        for name in unknown[:MAX_SHOWN]
    ]
    if entries:
        first, *more = entries
        raise InvalidRequest(first.code, first.message, parameter=first.parameter, more=tuple(more))


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for further in dependant.dependencies:
        yield from _names(further)


def _hint(name: str, known: frozenset[str]) -> str:
    if close := get_close_matches(name, sorted(known), n=1):
        return f"; did you mean [{close[0]}]?"
    return f": it is one of {', '.join(sorted(known))}" if known else ": this request takes none"
