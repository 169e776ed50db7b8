"""The HTTP application: routers put together under the conventions, the error map and a truthful OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from bellwire.api import problems
from bellwire.api.conventions import Conventions, ConventionsMiddleware
from bellwire.api.openapi import DESCRIPTION, PlainDescription, document_routes, whole_document
from bellwire.api.routing import LaterRoutes

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class _Application(FastAPI):
    """FastAPI with a document of our own making."""

    plain: Sequence[PlainDescription] = ()
    webhooks_of: Callable[[], APIRouter] = APIRouter

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = whole_document(self, self.plain, self.webhooks_of())
        return self.openapi_schema


def build_app(
    *,
    routers: Sequence[APIRouter | LaterRoutes],
    plain_routes: Sequence[BaseRoute] = (),
    plain_descriptions: Sequence[PlainDescription] = (),
    webhooks: Callable[[], APIRouter] = APIRouter,
    conventions: Conventions | None = None,
    lifespan: Lifespan | None = None,
    public_url: str | None = None,
    version: str,
    title: str = "Bellwire",
) -> FastAPI:
    """Put the application together.

    Args:
        routers: in the order in which their routes are tried.
        plain_routes: Starlette routes and mounts, tried before all routers: for what is hot or not an API.
        plain_descriptions: what OpenAPI says of those that are part of the API.
        webhooks: makes what OpenAPI describes under `webhooks`; asked when the document is first.
        conventions: CORS and body limits; the defaults allow no browser's origin and 1 MiB.
        public_url: where clients reach the server; None is where they got the OpenAPI document from.
    """
    app = _Application(
        title=title,
        version=version,
        description=DESCRIPTION,
        servers=[{"url": public_url or "/"}],
        openapi_url=None,  # FastAPI's route would encode it at each request
        docs_url=None,  # FastAPI's page loads from a CDN
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.plain = plain_descriptions
    app.webhooks_of = webhooks
    problems.install(app)
    app.add_middleware(ConventionsMiddleware, conventions=conventions or Conventions())
    app.router.routes.extend(plain_routes)
    for router in (document_routes(), *routers):
        app.router.routes.extend([router] if isinstance(router, LaterRoutes) else router.routes)
    return app
