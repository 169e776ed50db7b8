"""What the admin key of a request reaches, asked for by all routes of the own API that are for operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Depends, Request

from bellwire.api.query_parameters import refuse_unknown_parameters
from bellwire.engine.provision import Scope
from bellwire.model.identity import ApiKey

ScopeOf = Callable[..., Awaitable[Scope]]
"""A FastAPI dependency: what the request's key reaches."""


def scope_by(admin: Callable[..., Awaitable[ApiKey]]) -> ScopeOf:
    """
    Args:
        admin: a FastAPI dependency that gives the enabled admin key of the request, or raises `Unauthenticated`.
    """

    async def scope(request: Request, key: ApiKey = Depends(admin)) -> Scope:
        refuse_unknown_parameters(request)  # of those alone who may ask
        return Scope.of(key)

    return scope
