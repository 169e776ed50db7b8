"""The admin API, `/bellwire/v1/admin`: provisioning over HTTP, for admin keys.

    admin_accounts       accounts, extensions, numbers, devices
    admin_applications   applications
    admin_credentials    users' passwords, JWTs, publisher and admin keys
    admin_scope          what a request's key reaches
    admin_router         what their routes have in common
    admin_views          what is answered, and how lists are paged

The rules, limits of bodies included, are the engine's (`engine/provision.py`); here is only HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from bellwire.api.admin_accounts import account_routes, device_routes, extension_routes, number_routes
from bellwire.api.admin_applications import application_routes
from bellwire.api.admin_credentials import jwt_routes, key_routes, login_routes
from bellwire.api.admin_scope import scope_by
from bellwire.engine.provision import Provisioning
from bellwire.model.identity import ApiKey, KeyKind


def admin_routes(*, provisioning: Provisioning, admin: Callable[..., Awaitable[ApiKey]]) -> list[APIRouter]:
    """All routes of the admin API.

    Args:
        admin: a FastAPI dependency that gives the enabled admin key of the request, or raises `Unauthenticated`.
    """

    scope = scope_by(admin)

    return [
        account_routes(provisioning.accounts, scope),
        extension_routes(provisioning.extensions, scope),
        number_routes(provisioning.numbers, scope),
        device_routes(provisioning.devices, scope),
        application_routes(provisioning.applications, scope),
        login_routes(provisioning.logins, scope),
        jwt_routes(provisioning.jwts, scope),
        key_routes(provisioning.publisher_keys, KeyKind.PUBLISHER, scope),
        key_routes(provisioning.admin_keys, KeyKind.ADMIN, scope),
    ]
