"""Admin API: accounts, extensions, phone numbers, devices."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from bellwire.api.admin_router import admin_router
from bellwire.api.admin_scope import ScopeOf
from bellwire.api.admin_views import (
    AccountPath,
    AccountView,
    DevicePath,
    DeviceView,
    ExtensionPath,
    ExtensionView,
    NumberPath,
    NumberView,
    PageView,
    Part,
    page_view,
)
from bellwire.api.problems import documented
from bellwire.engine.provision import Scope
from bellwire.engine.provision_accounts import Accounts, Extensions
from bellwire.engine.provision_commands import (
    AccountChanges,
    DeviceChanges,
    ExtensionChanges,
    NewAccount,
    NewDevice,
    NewExtension,
    NewNumber,
    NumberChanges,
)
from bellwire.engine.provision_numbers import Devices, Numbers


def account_routes(accounts: Accounts, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/accounts")

    @router.get("")
    async def list_accounts(part: Part, scope: Scope = Depends(scope_of)) -> PageView[AccountView]:
        """Accounts that the key reaches."""
        return page_view(AccountView, accounts.page(scope, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201, responses=documented(403, 409))
    async def create_account(new: NewAccount, scope: Scope = Depends(scope_of)) -> AccountView:
        """Make an account; only with a key that is good for all."""
        return AccountView.of(await accounts.create(scope, new))

    @router.get("/{accountId}")
    async def get_account(account: AccountPath, scope: Scope = Depends(scope_of)) -> AccountView:
        """One account."""
        return AccountView.of(accounts.get(scope, account))

    @router.patch("/{accountId}", responses=documented(403, 409))
    async def change_account(
        account: AccountPath, changes: AccountChanges, scope: Scope = Depends(scope_of)
    ) -> AccountView:
        """Change the fields that are given; `mainNumber` null clears it."""
        return AccountView.of(await accounts.change(scope, account, changes))

    @router.delete("/{accountId}", status_code=204, responses=documented(403))
    async def delete_account(account: AccountPath, scope: Scope = Depends(scope_of)) -> None:
        """Delete an account with all that belongs to it; only with a key that is good for all."""
        await accounts.delete(scope, account)

    return router


def extension_routes(extensions: Extensions, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/accounts/{accountId}/extensions")

    @router.get("")
    async def list_extensions(
        account: AccountPath, part: Part, scope: Scope = Depends(scope_of)
    ) -> PageView[ExtensionView]:
        """Extensions of an account: users and call queues."""
        return page_view(ExtensionView, extensions.page(scope, account, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201, responses=documented(409))
    async def create_extension(
        account: AccountPath, new: NewExtension, scope: Scope = Depends(scope_of)
    ) -> ExtensionView:
        """Make an extension."""
        return ExtensionView.of(await extensions.create(scope, account, new))

    @router.get("/{extensionId}")
    async def get_extension(
        account: AccountPath, extension: ExtensionPath, scope: Scope = Depends(scope_of)
    ) -> ExtensionView:
        """One extension."""
        return ExtensionView.of(extensions.get(scope, account, extension))

    @router.patch("/{extensionId}", responses=documented(409))
    async def change_extension(
        account: AccountPath, extension: ExtensionPath, changes: ExtensionChanges, scope: Scope = Depends(scope_of)
    ) -> ExtensionView:
        """Change the fields that are given; `email` null clears it."""
        return ExtensionView.of(await extensions.change(scope, account, extension, changes))

    @router.delete("/{extensionId}", status_code=204)
    async def delete_extension(
        account: AccountPath, extension: ExtensionPath, scope: Scope = Depends(scope_of)
    ) -> None:
        """Delete an extension with its login, JWTs, sessions and subscriptions."""
        await extensions.delete(scope, account, extension)

    return router


def number_routes(numbers: Numbers, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/accounts/{accountId}/numbers")

    @router.get("")
    async def list_numbers(account: AccountPath, part: Part, scope: Scope = Depends(scope_of)) -> PageView[NumberView]:
        """Phone numbers of an account."""
        return page_view(NumberView, numbers.page(scope, account, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201, responses=documented(409))
    async def create_number(account: AccountPath, new: NewNumber, scope: Scope = Depends(scope_of)) -> NumberView:
        """Add a phone number; the feature `A2PSmsSender` lets it send High Volume SMS."""
        return NumberView.of(await numbers.create(scope, account, new))

    @router.get("/{numberId}")
    async def get_number(account: AccountPath, number_id: NumberPath, scope: Scope = Depends(scope_of)) -> NumberView:
        """One phone number."""
        return NumberView.of(numbers.get(scope, account, number_id))

    @router.patch("/{numberId}")
    async def change_number(
        account: AccountPath, number_id: NumberPath, changes: NumberChanges, scope: Scope = Depends(scope_of)
    ) -> NumberView:
        """Change the fields that are given; `extensionId` and `label` null clear them."""
        return NumberView.of(await numbers.change(scope, account, number_id, changes))

    @router.delete("/{numberId}", status_code=204)
    async def delete_number(account: AccountPath, number_id: NumberPath, scope: Scope = Depends(scope_of)) -> None:
        """Remove a phone number from its account."""
        await numbers.delete(scope, account, number_id)

    return router


def device_routes(devices: Devices, scope_of: ScopeOf) -> APIRouter:
    router = admin_router("/accounts/{accountId}/devices")

    @router.get("")
    async def list_devices(account: AccountPath, part: Part, scope: Scope = Depends(scope_of)) -> PageView[DeviceView]:
        """Devices of an account."""
        return page_view(DeviceView, devices.page(scope, account, cursor=part.cursor, limit=part.limit))

    @router.post("", status_code=201)
    async def create_device(account: AccountPath, new: NewDevice, scope: Scope = Depends(scope_of)) -> DeviceView:
        """Add a device, of an extension or of the account alone."""
        return DeviceView.of(await devices.create(scope, account, new))

    @router.get("/{deviceId}")
    async def get_device(account: AccountPath, device_id: DevicePath, scope: Scope = Depends(scope_of)) -> DeviceView:
        """One device."""
        return DeviceView.of(devices.get(scope, account, device_id))

    @router.patch("/{deviceId}")
    async def change_device(
        account: AccountPath, device_id: DevicePath, changes: DeviceChanges, scope: Scope = Depends(scope_of)
    ) -> DeviceView:
        """Change the fields that are given; `extensionId` null makes it the account's."""
        return DeviceView.of(await devices.change(scope, account, device_id, changes))

    @router.delete("/{deviceId}", status_code=204)
    async def delete_device(account: AccountPath, device_id: DevicePath, scope: Scope = Depends(scope_of)) -> None:
        """Remove a device."""
        await devices.delete(scope, account, device_id)

    return router
