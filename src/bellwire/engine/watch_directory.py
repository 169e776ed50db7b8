"""Directory changes that concern subscriptions: after a right was revoked, filters are judged again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bellwire.model.directory import Account, Device, Extension, PhoneNumber
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.ports.identity import DirectoryWriter

Recheck = Callable[..., Awaitable[int]]
"""`SubscriptionUpkeep.recheck`."""


class WatchedDirectoryWriter:
    """A `DirectoryWriter` that has the subscriptions concerned judged again after each change."""

    def __init__(self, writer: DirectoryWriter, recheck: Recheck) -> None:
        self._writer = writer
        self._recheck = recheck

    async def save_account(self, account: Account) -> None:
        await self._writer.save_account(account)
        await self._recheck(account=account.id)

    async def save_extension(self, extension: Extension) -> None:
        await self._writer.save_extension(extension)
        await self._recheck(extension=extension.id)

    async def save_application(self, application: Application) -> None:
        await self._writer.save_application(application)
        await self._recheck(application=application.client_id)

    async def save_number(self, number: PhoneNumber) -> None:
        await self._writer.save_number(number)

    async def save_device(self, device: Device) -> None:
        await self._writer.save_device(device)

    async def remove_account(self, account: AccountId) -> None:
        await self._writer.remove_account(account)
        await self._recheck(account=account)

    async def remove_extension(self, extension: ExtensionId) -> None:
        await self._writer.remove_extension(extension)
        await self._recheck(extension=extension)

    async def remove_application(self, client: ClientId) -> None:
        await self._writer.remove_application(client)
        await self._recheck(application=client)

    async def remove_number(self, number_id: str) -> None:
        await self._writer.remove_number(number_id)

    async def remove_device(self, device_id: str) -> None:
        await self._writer.remove_device(device_id)
