"""Admin API: applications, the OAuth clients."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from bellwire.api.admin_router import admin_router
from bellwire.api.admin_scope import ScopeOf
from bellwire.api.admin_views import (
    ApplicationSecretView,
    ApplicationView,
    ClientPath,
    PageView,
    Part,
    page_view,
)
from bellwire.api.problems import documented
from bellwire.engine.provision import Scope
from bellwire.engine.provision_applications import Applications
from bellwire.engine.provision_commands import ApplicationChanges, NewApplication


def application_routes(applications: Applications, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/applications")

    @router.get("")
    async def list_applications(part: Part, scope: Scope = Depends(scope_of)) -> PageView[ApplicationView]:
        """Applications that the key reaches: for a key of one account, those of that account alone."""
        return page_view(ApplicationView, applications.page(scope, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201)
    async def create_application(new: NewApplication, scope: Scope = Depends(scope_of)) -> ApplicationSecretView:
        """Make an application; its secret is shown this once. A key of one account makes it for that account."""
        return ApplicationSecretView.of(await applications.create(scope, new))

    @router.get("/{clientId}")
    async def get_application(client: ClientPath, scope: Scope = Depends(scope_of)) -> ApplicationView:
        """One application."""
        return ApplicationView.of(applications.get(scope, client))

    @router.patch("/{clientId}")
    async def change_application(
        client: ClientPath, changes: ApplicationChanges, scope: Scope = Depends(scope_of)
    ) -> ApplicationView:
        """Change the fields that are given."""
        return ApplicationView.of(await applications.change(scope, client, changes))

    @router.post("/{clientId}/secret", status_code=201, responses=documented(409))
    async def rotate_secret(client: ClientPath, scope: Scope = Depends(scope_of)) -> ApplicationSecretView:
        """Replace the secret; the new one is shown this once, and the old one is worth nothing from now on."""
        return ApplicationSecretView.of(await applications.rotate_secret(scope, client))

    @router.delete("/{clientId}", status_code=204)
    async def delete_application(client: ClientPath, scope: Scope = Depends(scope_of)) -> None:
        """Delete an application with its sessions and subscriptions."""
        await applications.delete(scope, client)

    return router
