"""The bases of what requests and answers are described by."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """Its validator and serializer are made when they are first asked for: those of all answers would take a fifth of a
    start, and most servers never give most of them."""

    model_config = ConfigDict(defer_build=True)


class RequestBody(ApiModel):
    """What FastAPI reads a whole body by; made at once. FastAPI gives it the parameter's name as an alias, which is
    nothing to pydantic, and holds pydantic's warning of that back while it makes the route, but not later."""

    model_config = ConfigDict(defer_build=False)
