"""Where the endpoints are: the entry points that JS reads with `enableDiscovery`, and OpenID's (wire contract, 1.8)."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from bellwire.api.authentication import Authenticator
from bellwire.api.model import ApiModel
from bellwire.api.problems import documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateGroup
from bellwire.api.routing import api_router
from bellwire.model.identity import Caller

_VERSION = "1.0.0"
_RETRIES, _RETRY_SECONDS, _RETRY_CYCLE_SECONDS = 3, 3, 824
_EXPIRES_SECONDS = 86_400


class _Wire(ApiModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class InitialDiscoveryApi(_Wire):
    default_external_uri: str


class InitialAuthApi(_Wire):
    authorization_uri: str
    oidc_discovery_uri: str
    default_token_uri: str


class CoreApi(_Wire):
    base_uri: str


class InitialEntryPoints(_Wire):
    """What a client reads before anybody is logged in."""

    version: str
    retry_count: int
    retry_interval: int
    discovery_api: InitialDiscoveryApi
    auth_api: InitialAuthApi
    core_api: CoreApi


class ExternalDiscoveryApi(_Wire):
    initial_uri: str
    external_uri: str


class ExternalAuthApi(_Wire):
    authorization_uri: str
    oidc_discovery_uri: str
    base_uri: str
    token_uri: str


class VideoApi(_Wire):
    base_api_uri: str


class ExternalEntryPoints(_Wire):
    """What a client reads after login; JS dereferences `rcv` at each later request."""

    version: str
    expires_in: int
    retry_count: int
    retry_interval: int
    retry_cycle_delay: int
    discovery_api: ExternalDiscoveryApi
    auth_api: ExternalAuthApi
    core_api: CoreApi
    rcv: VideoApi


class OpenIdConfiguration(ApiModel):
    """OpenID's discovery document. No id tokens are issued, so no scope of OpenID is offered."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
    subject_types_supported: list[str]
    userinfo_signing_alg_values_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    code_challenge_methods_supported: list[str]


def discovery_routes(*, authenticator: Authenticator, public_url: PublicUrl) -> APIRouter:
    """`/.well-known/entry-points/initial` and `/external`, `/.well-known/openid-configuration`."""
    router = api_router("/.well-known", tag="Discovery")

    @router.get("/entry-points/initial", response_model=InitialEntryPoints)
    async def read_initial_entry_points(
        request: Request,
        _client_id: str | None = Query(default=None, alias="clientId"),
        _brand_id: str | None = Query(default=None, alias="brandId"),
    ) -> InitialEntryPoints:
        """Entry points for a client that has not logged in."""
        base = public_url.base(request)
        return InitialEntryPoints(
            version=_VERSION,
            retry_count=_RETRIES,
            retry_interval=_RETRY_SECONDS,
            discovery_api=InitialDiscoveryApi(default_external_uri=f"{base}/.well-known/entry-points/external"),
            auth_api=InitialAuthApi(
                authorization_uri=f"{base}/restapi/oauth/authorize",
                oidc_discovery_uri=f"{base}/.well-known/openid-configuration",
                default_token_uri=f"{base}/restapi/oauth/token",
            ),
            core_api=CoreApi(base_uri=base),
        )

    @router.get("/entry-points/external", response_model=ExternalEntryPoints, responses=documented(401, 429))
    async def read_external_entry_points(
        request: Request, response: Response, _caller: Caller = Depends(authenticator.caller(RateGroup.LIGHT))
    ) -> ExternalEntryPoints:
        """Entry points for a client that has logged in."""
        base = public_url.base(request)
        response.headers["Discovery-Tag"] = hashlib.sha256(base.encode()).hexdigest()[:16]
        return ExternalEntryPoints(
            version=_VERSION,
            expires_in=_EXPIRES_SECONDS,
            retry_count=_RETRIES,
            retry_interval=_RETRY_SECONDS,
            retry_cycle_delay=_RETRY_CYCLE_SECONDS,
            discovery_api=ExternalDiscoveryApi(
                initial_uri=f"{base}/.well-known/entry-points/initial",
                external_uri=f"{base}/.well-known/entry-points/external",
            ),
            auth_api=ExternalAuthApi(
                authorization_uri=f"{base}/restapi/oauth/authorize",
                oidc_discovery_uri=f"{base}/.well-known/openid-configuration",
                base_uri=base,
                token_uri=f"{base}/restapi/oauth/token",
            ),
            core_api=CoreApi(base_uri=base),
            rcv=VideoApi(base_api_uri=base),
        )

    @router.get("/openid-configuration", response_model=OpenIdConfiguration)
    async def read_openid_configuration(request: Request) -> OpenIdConfiguration:
        """Where OAuth's endpoints are, in OpenID's form."""
        base = public_url.base(request)
        return OpenIdConfiguration(
            issuer=base,
            authorization_endpoint=f"{base}/restapi/oauth/authorize",
            token_endpoint=f"{base}/restapi/oauth/token",
            revocation_endpoint=f"{base}/restapi/oauth/revoke",
            userinfo_endpoint=f"{base}/restapi/oauth/userinfo",
            jwks_uri=f"{base}/restapi/oauth/jwks",
            scopes_supported=[],
            token_endpoint_auth_methods_supported=["client_secret_basic"],
            response_types_supported=["code"],
            subject_types_supported=["public"],
            userinfo_signing_alg_values_supported=["none"],
            id_token_signing_alg_values_supported=["HS256"],
            code_challenge_methods_supported=["plain", "S256"],
        )

    return router
