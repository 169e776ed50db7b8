"""Admin API: users' names and passwords, JWTs, publisher and admin keys."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from bellwire.api.admin_router import admin_router
from bellwire.api.admin_scope import ScopeOf
from bellwire.api.admin_views import (
    ExtensionPath,
    JtiPath,
    JwtTokenView,
    JwtView,
    KeyPath,
    KeySecretView,
    KeyView,
    LoginView,
    PageView,
    Part,
    page_view,
)
from bellwire.api.problems import documented
from bellwire.engine.provision import Scope
from bellwire.engine.provision_commands import KeyChanges, LoginChanges, NewAdminKey, NewJwt, NewPublisherKey
from bellwire.engine.provision_credentials import Jwts, Keys, Logins
from bellwire.model.identity import KeyKind


def login_routes(logins: Logins, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/extensions/{extensionId}/password")

    @router.get("")
    async def get_login(extension: ExtensionPath, scope: Scope = Depends(scope_of)) -> LoginView:
        """How a user logs in; the password itself is nowhere."""
        return LoginView.of(await logins.get(scope, extension))

    @router.put("", responses=documented(409))
    async def set_login(extension: ExtensionPath, changes: LoginChanges, scope: Scope = Depends(scope_of)) -> LoginView:
        """Set the user's name, password (8 characters at least) or both; a new password also lifts a lock."""
        return LoginView.of(await logins.change(scope, extension, changes))

    @router.delete("", status_code=204)
    async def delete_password(extension: ExtensionPath, scope: Scope = Depends(scope_of)) -> None:
        """Take the user's password away; the user name stays."""
        await logins.delete_password(scope, extension)

    return router


def jwt_routes(jwts: Jwts, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/extensions/{extensionId}/jwts")

    @router.get("")
    async def list_jwts(extension: ExtensionPath, part: Part, scope: Scope = Depends(scope_of)) -> PageView[JwtView]:
        """JWTs that were made for a user, revoked ones too; the tokens themselves are not kept."""
        return page_view(JwtView, await jwts.page(scope, extension, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201, responses=documented(409))
    async def create_jwt(extension: ExtensionPath, new: NewJwt, scope: Scope = Depends(scope_of)) -> JwtTokenView:
        """Make a JWT that logs in as the user; it is shown this once."""
        return JwtTokenView.of(await jwts.create(scope, extension, new))

    @router.delete("/{jti}", status_code=204)
    async def revoke_jwt(extension: ExtensionPath, jti: JtiPath, scope: Scope = Depends(scope_of)) -> None:
        """Revoke a JWT: nobody can log in with it any more. Sessions that are open go on."""
        await jwts.revoke(scope, extension, jti)

    return router


def key_routes(keys: Keys, kind: KeyKind, scope_of: ScopeOf) -> APIRouter:
    """Routes of publisher keys or of admin keys, which differ in what a new one may name."""
    router = admin_router(f"/{kind.value}-keys", named=lambda name: name.replace("_key", f"_{kind.value}_key"))

    @router.get("")
    async def list_keys(part: Part, scope: Scope = Depends(scope_of)) -> PageView[KeyView]:
        """Keys that the key reaches: for a key of one account, those of that account alone."""
        return page_view(KeyView, await keys.page(scope, cursor=part.cursor, limit=part.limit))

    if kind is KeyKind.PUBLISHER:

        @router.post("", status_code=201, operation_id="adminCreatePublisherKey")
        async def create_publisher_key(new: NewPublisherKey, scope: Scope = Depends(scope_of)) -> KeySecretView:
            """Make a key; it is shown this once. A key of one account makes keys for that account."""
            return KeySecretView.of(await keys.create(scope, new))

    else:

        @router.post("", status_code=201, operation_id="adminCreateAdminKey")
        async def create_admin_key(new: NewAdminKey, scope: Scope = Depends(scope_of)) -> KeySecretView:
            """Make a key; it is shown this once. A key of one account makes keys for that account."""
            return KeySecretView.of(await keys.create(scope, new))

    @router.get("/{keyId}")
    async def get_key(key_id: KeyPath, scope: Scope = Depends(scope_of)) -> KeyView:
        """One key, without its secret."""
        return KeyView.of(await keys.get(scope, key_id))

    @router.patch("/{keyId}", responses=documented(409))
    async def change_key(key_id: KeyPath, changes: KeyChanges, scope: Scope = Depends(scope_of)) -> KeyView:
        """Rename, disable or enable a key. The last admin key that is good for all accounts stays enabled."""
        return KeyView.of(await keys.change(scope, key_id, changes))

    @router.delete("/{keyId}", status_code=204, responses=documented(409))
    async def delete_key(key_id: KeyPath, scope: Scope = Depends(scope_of)) -> None:
        """Delete a key. The last admin key that is good for all accounts stays."""
        await keys.delete(scope, key_id)

    return router
