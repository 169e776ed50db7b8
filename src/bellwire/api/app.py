"""The HTTP application: routers put together under the conventions, the error map and a truthful OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from bellwire.api import problems
from bellwire.api.conventions import Conventions, ConventionsMiddleware

OPENAPI_PATH = "/bellwire/v1/openapi.json"
_UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class _Application(FastAPI):
    """FastAPI whose OpenAPI document says what `problems.py` really answers: 400, and never FastAPI's own 422."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = get_openapi(
                title=self.title,
                version=self.version,
                openapi_version=self.openapi_version,
                description=self.description,
                routes=self.routes,
                webhooks=self.webhooks.routes,
            )
            for operations in schema.get("paths", {}).values():
                for operation in operations.values():
                    operation.get("responses", {}).pop("422", None)
            for name in _UNUSED_SCHEMAS:
                schema.get("components", {}).get("schemas", {}).pop(name, None)
            self.openapi_schema = schema
        return self.openapi_schema


def build_app(
    *,
    routers: Sequence[APIRouter],
    plain_routes: Sequence[BaseRoute] = (),
    webhooks: APIRouter | None = None,
    conventions: Conventions | None = None,
    lifespan: Lifespan | None = None,
    version: str,
    title: str = "Bellwire",
    description: str = "Event notifications that speak the RingCentral subscription protocol.",
) -> FastAPI:
    """Put the application together.

    Args:
        routers: in the order in which their routes are tried.
        plain_routes: Starlette routes and mounts, tried before all routers: for what is hot or not an API.
        webhooks: what OpenAPI describes under `webhooks`.
        conventions: CORS and body limits; the defaults allow no browser's origin and 1 MiB.
    """
    app = _Application(
        title=title,
        version=version,
        description=description,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # FastAPI's page loads from a CDN
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        webhooks=webhooks,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.install(app)
    app.add_middleware(ConventionsMiddleware, conventions=conventions or Conventions())
    app.router.routes.extend(plain_routes)
    for router in routers:
        app.include_router(router)
    return app
