"""How our routers are made: each route is whole where it is declared.

FastAPI's `include_router` keeps a router as a part of another one, and makes each of its routes once more for its place
there: at the start, or at the first request that passes by. So no router of ours includes another. What a route would
inherit is given to the router that it is declared on, and `build_app` takes the routes themselves.

Routes that most servers are never asked for are `LaterRoutes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

_CHOSEN = "bellwire.route"
_ESCAPED_PLACEHOLDER = re.compile(r"\\\{\w+\\\}")


def api_router(
    prefix: str = "",
    *,
    tag: str | None = None,
    responses: dict[int | str, dict[str, Any]] | None = None,
    dependencies: Sequence[Depends] = (),
    named: Callable[[str], str] = str,
) -> APIRouter:
    """A router for routes of one path.

    Args:
        prefix: what all paths begin with.
        tag: under which the OpenAPI document lists them.
        responses: what each of them may answer beside what it says itself.
        dependencies: what is asked before anything of a request is judged.
        named: makes the operations' names from the functions', see `operation_ids`.
    """
    return APIRouter(
        prefix=prefix,
        tags=None if tag is None else [tag],
        responses=responses,
        dependencies=dependencies,
        generate_unique_id_function=operation_ids(named),
    )


def operation_ids(name: Callable[[str], str] = str) -> Callable[[APIRoute], str]:
    """How routes get their operation id: the endpoint function's name in camelCase. It is a promise to those who
    generate clients.

    Args:
        name: makes the name unique, where functions of several routers have the same.
    """
    return lambda route: to_camel(name(route.name))


class LaterRoutes(BaseRoute):
    """Routes that are made when the first request below one of their prefixes comes, or the OpenAPI document is asked
    for. Making one takes about a millisecond, so that a hundred would be a tenth of a start, and half of a reset."""

    def __init__(self, prefixes: Sequence[str], make: Callable[[], Iterable[APIRouter]]) -> None:
        """
        Args:
            prefixes: what the paths of all of them begin with, `{placeholders}` included.
            make: the routers that they are on; called once.
        """
        self._prefixes = tuple(prefixes)
        patterns = (_ESCAPED_PLACEHOLDER.sub("[^/]+", re.escape(prefix)) for prefix in prefixes)
        self._is_below = re.compile("|".join(patterns)).match
        self._make = make
        self._made: list[BaseRoute] | None = None
        self._making = Lock()  # the document is made on a thread

    @property
    def routes(self) -> Sequence[BaseRoute]:
        with self._making:
            if self._made is None:
                made = [route for router in self._make() for route in router.routes]
                strays = [path for route in made if not (path := getattr(route, "path", "")).startswith(self._prefixes)]
                assert not strays, f"{strays} would never be found below {self._prefixes}"
                self._made = made
            return self._made

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found: tuple[Match, Scope] = (Match.NONE, {})
        if not self._is_below(scope["path"]):
            return found
        for route in self.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, {**child, _CHOSEN: route}
            if match is Match.PARTIAL and found[0] is Match.NONE:
                found = match, {**child, _CHOSEN: route}
        return found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[_CHOSEN].handle(scope, receive, send)


def every_route(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes, those too that were to be made later."""
    for route in routes:
        if isinstance(route, LaterRoutes):
            yield from route.routes
        else:
            yield route
