"""Provisioning of accounts and their extensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bellwire.engine.provision_commands import (
    AccountChanges,
    ExtensionChanges,
    NewAccount,
    NewExtension,
)
from bellwire.engine.provision_scope import Desk, Page, Scope, duplicate, owner_of_number, page_of
from bellwire.model.directory import Account, Extension
from bellwire.model.ids import AccountId, ExtensionId


class Accounts:
    """Accounts. Only a key that is good for all makes, disables and deletes them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, scope: Scope, *, cursor: str | None = None, limit: int) -> Page[Account]:
        reached = (account for account in self._desk.directory.accounts() if scope.covers(account.id))
        return page_of(reached, lambda account: account.id, cursor=cursor, limit=limit)

    def get(self, scope: Scope, account: AccountId) -> Account:
        return self._desk.reach.account(scope, account)

    async def create(self, scope: Scope, new: NewAccount) -> Account:
        scope.require_all("Creating an account")
        async with self._desk.changing:
            self._require_free(new.main_number, None)
            account = Account(
                id=AccountId(self._desk.ids.new()),
                company_name=new.company_name,
                main_number=new.main_number,
                status=new.status,
            )
            await self._desk.writer.save_account(account)
            return account

    async def change(self, scope: Scope, account: AccountId, changes: AccountChanges) -> Account:
        async with self._desk.changing:
            present = self._desk.reach.account(scope, account)
            if changes.status is not None and changes.status is not present.status:
                scope.require_all("Enabling and disabling an account")
            self._require_free(changes.main_number, account)
            changed = replace(present, **changes.changes())
            await self._desk.writer.save_account(changed)
            return changed

    async def delete(self, scope: Scope, account: AccountId) -> None:
        """With all that belongs to it, its applications, keys and subscriptions too."""
        async with self._desk.changing:
            self._desk.reach.account(scope, account)
            scope.require_all("Deleting an account")
            await self._desk.writer.remove_account(account)

    def _require_free(self, number: str | None, account: AccountId | None) -> None:
        if number is not None and owner_of_number(self._desk.directory, number) not in (None, account):
            raise duplicate("mainNumber", number)


class Extensions:
    """Extensions, of one account each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, scope: Scope, account: AccountId, *, cursor: str | None = None, limit: int) -> Page[Extension]:
        extensions = self._desk.directory.extensions(self._desk.reach.account(scope, account).id)
        return page_of(extensions, lambda extension: extension.id, cursor=cursor, limit=limit)

    def get(self, scope: Scope, account: AccountId, extension: ExtensionId) -> Extension:
        self._desk.reach.account(scope, account)
        return self._desk.reach.extension(scope, extension, account)

    async def create(self, scope: Scope, account: AccountId, new: NewExtension) -> Extension:
        async with self._desk.changing:
            self._desk.reach.account(scope, account)
            self._require_free(account, new.extension_number, None)
            extension = Extension(
                id=ExtensionId(self._desk.ids.new()),
                account_id=account,
                extension_number=new.extension_number,
                first_name=new.first_name,
                last_name=new.last_name,
                email=new.email,
                type=new.type,
                status=new.status,
                is_admin=new.is_admin,
                permissions=new.permissions,
                monitored_lines=self._known(account, new.monitored_lines, "monitoredLines"),
                favorites=self._known(account, new.favorites, "favorites"),
            )
            await self._desk.writer.save_extension(extension)
            return extension

    async def change(
        self, scope: Scope, account: AccountId, extension: ExtensionId, changes: ExtensionChanges
    ) -> Extension:
        async with self._desk.changing:
            present = self.get(scope, account, extension)
            fields = changes.changes()
            if changes.extension_number is not None:
                self._require_free(account, changes.extension_number, extension)
            if changes.monitored_lines is not None:
                fields["monitored_lines"] = self._known(account, changes.monitored_lines, "monitoredLines")
            if changes.favorites is not None:
                fields["favorites"] = self._known(account, changes.favorites, "favorites")
            changed = replace(present, **fields)
            await self._desk.writer.save_extension(changed)
            return changed

    async def delete(self, scope: Scope, account: AccountId, extension: ExtensionId) -> None:
        """With its login, JWTs, sessions and subscriptions; its numbers and devices stay with the account."""
        async with self._desk.changing:
            await self._desk.writer.remove_extension(self.get(scope, account, extension).id)

    def _require_free(self, account: AccountId, extension_number: str, own: ExtensionId | None) -> None:
        for other in self._desk.directory.extensions(account):
            if other.extension_number == extension_number and other.id != own:
                raise duplicate("extensionNumber", extension_number)

    def _known(self, account: AccountId, extensions: Sequence[ExtensionId], parameter: str) -> tuple[ExtensionId, ...]:
        """Each once, all of the account."""
        return tuple(
            self._desk.reach.named_extension(account, extension, parameter).id
            for extension in dict.fromkeys(extensions)
        )
