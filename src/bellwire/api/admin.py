"""The admin API, `/bellwire/v1/admin`: provisioning over HTTP, for admin keys.

    admin_accounts       accounts, extensions, numbers, devices
    admin_applications   applications
    admin_credentials    users' passwords, JWTs, publisher and admin keys
    admin_views          what is answered, and how lists are paged

The rules, limits of bodies included, are the engine's (`engine/provision.py`); here is only HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends

from bellwire.api.admin_accounts import account_routes, device_routes, extension_routes, number_routes
from bellwire.api.admin_applications import application_routes
from bellwire.api.admin_credentials import jwt_routes, key_routes, login_routes
from bellwire.api.openapi import operation_ids
from bellwire.api.problems import documented
from bellwire.engine.provision import Provisioning, Scope
from bellwire.model.identity import ApiKey, KeyKind

PREFIX = "/bellwire/v1/admin"


def admin_routes(*, provisioning: Provisioning, admin: Callable[..., Awaitable[ApiKey]]) -> APIRouter:
    """All routes of the admin API.

    Args:
        admin: a FastAPI dependency that gives the enabled admin key of the request, or raises `Unauthenticated`.
    """

    async def scope(key: ApiKey = Depends(admin)) -> Scope:
        return Scope.of(key)

    router = APIRouter(
        prefix=PREFIX,
        tags=["Administration"],
        responses=documented(400, 401, 404, 503),
        generate_unique_id_function=operation_ids("admin_{}".format),
    )
    router.include_router(account_routes(provisioning.accounts, scope))
    router.include_router(extension_routes(provisioning.extensions, scope))
    router.include_router(number_routes(provisioning.numbers, scope))
    router.include_router(device_routes(provisioning.devices, scope))
    router.include_router(application_routes(provisioning.applications, scope))
    router.include_router(login_routes(provisioning.logins, scope))
    router.include_router(jwt_routes(provisioning.jwts, scope))
    router.include_router(key_routes(provisioning.publisher_keys, KeyKind.PUBLISHER, scope))
    router.include_router(key_routes(provisioning.admin_keys, KeyKind.ADMIN, scope))
    return router
