"""`/`, `/bellwire/v1/health`, `/bellwire/v1/ready` and `/metrics`: for people who look in, supervisors and Prometheus,
without a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from bellwire.api.model import ApiModel
from bellwire.api.problems import documented
from bellwire.api.routing import api_router
from bellwire.errors import Unavailable

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Index(ApiModel):
    """What answers here, and where to look next."""

    name: str = "Bellwire"
    version: str
    links: dict[str, str] = Field(description="Paths of this server")


class Health(ApiModel):
    """The process is up."""

    status: Literal["ok"] = "ok"
    version: str


class Readiness(ApiModel):
    """Events are taken and delivered."""

    status: Literal["ready"] = "ready"
    logHead: int  # noqa: N815 - the wire's name
    """The last durable position of the event log."""
    routed: int
    """The last position that was matched."""
    watermark: int
    """The position up to which every notification is settled."""


def health_routes(
    *, version: str, readiness: Callable[[], Readiness | None], render_metrics: Callable[[], bytes]
) -> APIRouter:
    """`readiness` answers None while the server starts or stops, or after a fatal error."""
    index = Index(
        version=version,
        links={
            "api": "/restapi/v1.0",
            "publish": "/bellwire/v1/events",
            "eventFamilies": "/bellwire/v1/event-families",
            "openapi": "/bellwire/v1/openapi.json",
            "health": "/bellwire/v1/health",
            "ready": "/bellwire/v1/ready",
            "metrics": "/metrics",
        },
    )
    router = api_router(tag="Operation")

    @router.get("/", summary="What is where")
    async def read_index() -> Index:
        return index

    @router.get("/bellwire/v1/health", summary="Is the process up?")
    async def read_health() -> Health:
        return Health(version=version)

    @router.get("/bellwire/v1/ready", summary="Are events taken and delivered?", responses=documented(503))
    async def read_readiness() -> Readiness:
        found = readiness()
        if found is None:
            raise Unavailable("Bellwire is starting, stopping or broken; see its log", retry_after_seconds=1)
        return found

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def read_metrics() -> Response:
        return Response(render_metrics(), media_type=METRICS_TYPE)

    return router
