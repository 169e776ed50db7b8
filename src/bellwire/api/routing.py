"""How our routers are made: each route is whole where it is declared.

FastAPI's `include_router` keeps a router as a part of another one, and makes each of its routes once more for its place
there: at the start, or at the first request that passes by. So no router of ours includes another. What a route would
inherit is given to the router that it is declared on, and `build_app` takes the routes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel


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
