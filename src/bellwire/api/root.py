"""`/restapi`, its version and its status: what SDKs and probes read first (wire contract, 2.1). Not rate limited."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from bellwire.api.model import ApiModel
from bellwire.api.problems import documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.routing import api_router
from bellwire.errors import NotFound

_COMPATIBLE_VERSION = "1.0.46"
"""The version of the compatible API whose shapes we answer with (wire contract, SPEC46)."""


class ApiVersion(ApiModel):
    """One version of the compatible API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    uri: str
    version_string: str
    uri_string: str


class ApiVersions(ApiModel):
    """All versions of the compatible API, and what serves them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    uri: str
    api_versions: list[ApiVersion]
    server_version: str


def root_routes(*, public_url: PublicUrl, version: str) -> APIRouter:
    """`/restapi`, `/restapi/{apiVersion}` and `/restapi/v1.0/status`.

    Args:
        version: of Bellwire.
    """
    router = api_router("/restapi", tag="API info")

    def v1(request: Request) -> ApiVersion:
        return ApiVersion(
            uri=f"{public_url.base(request)}/restapi/v1.0", version_string=_COMPATIBLE_VERSION, uri_string="v1.0"
        )

    @router.get("", response_model=ApiVersions)
    async def read_api_versions(request: Request) -> ApiVersions:
        """The versions of the API."""
        return ApiVersions(
            uri=f"{public_url.base(request)}/restapi", api_versions=[v1(request)], server_version=f"Bellwire {version}"
        )

    @router.get("/v1.0/status", response_class=Response, responses={200: {"description": "The API is up"}})
    async def read_api_status() -> Response:
        """200 and nothing more, while the API is up."""
        return Response()

    @router.get("/{apiVersion}", response_model=ApiVersion, responses=documented(404))
    async def read_api_version(request: Request, apiVersion: str) -> ApiVersion:  # noqa: N803 - the path's name
        """One version of the API."""
        if apiVersion != "v1.0":
            raise NotFound("CMN-102", "Resource for parameter [apiVersion] is not found", parameter="apiVersion")
        return v1(request)

    return router
