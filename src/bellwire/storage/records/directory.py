"""The directory over its tables: a change is committed first and applied to memory right after, in that order.

What goes along with a removed account, extension or application is decided here: rows by foreign keys, subscriptions
and the lists of those who watched an extension by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, cast, delete, func, or_, select

from bellwire.model.directory import Account, Device, Extension, PhoneNumber
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SessionId, SubscriptionId
from bellwire.storage.records import tables
from bellwire.storage.records.database import Records
from bellwire.storage.records.directory_in_memory import DirectoryInMemory, without
from bellwire.storage.records.rows import columns, fetch, put


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What went with a removed account, extension or application, the removed itself included."""

    accounts: tuple[AccountId, ...] = ()
    extensions: tuple[ExtensionId, ...] = ()
    applications: tuple[ClientId, ...] = ()
    sessions: tuple[SessionId, ...] = ()
    subscriptions: tuple[SubscriptionId, ...] = ()


class SqlDirectory(DirectoryInMemory):
    """`Directory` and `DirectoryWriter` over the records database."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self._records = records
        self._removal_listeners: list[Callable[[Removal], None]] = []

    async def load(self) -> None:
        """Read all of it; once, before anything is asked."""
        accounts, extensions, numbers, devices, applications = await self._records.read(_read_everything)
        for account in accounts:
            self.put_account(account)
        for extension in extensions:
            self.put_extension(extension)
        for number in numbers:
            self.put_number(number)
        for device in devices:
            self.put_device(device)
        for application in applications:
            self.put_application(application)

    def on_removal(self, listener: Callable[[Removal], None]) -> None:
        """Be told, from the event loop and after the commit, what a `remove_…` of this directory took along."""
        self._removal_listeners.append(listener)

    async def save_account(self, account: Account) -> None:
        await self._save(tables.account, account, self.put_account)

    async def save_extension(self, extension: Extension) -> None:
        await self._save(tables.extension, extension, self.put_extension)

    async def save_number(self, number: PhoneNumber) -> None:
        await self._save(tables.phone_number, number, self.put_number)

    async def save_device(self, device: Device) -> None:
        await self._save(tables.device, device, self.put_device)

    async def save_application(self, application: Application) -> None:
        await self._save(tables.application, application, self.put_application)

    async def remove_account(self, account: AccountId) -> None:
        await self._records.write(lambda connection: _remove_account(connection, account), then=self._forget)

    async def remove_extension(self, extension: ExtensionId) -> None:
        await self._records.write(lambda connection: _remove_extension(connection, extension), then=self._forget)

    async def remove_application(self, client: ClientId) -> None:
        await self._records.write(lambda connection: _remove_application(connection, client), then=self._forget)

    async def remove_number(self, number_id: str) -> None:
        await self._records.write(
            lambda connection: _delete(connection, tables.phone_number, number_id),
            then=lambda _: self.drop_number(number_id),
        )

    async def remove_device(self, device_id: str) -> None:
        await self._records.write(
            lambda connection: _delete(connection, tables.device, device_id),
            then=lambda _: self.drop_device(device_id),
        )

    async def _save(self, table: Table, record: Any, apply: Callable[[Any], None]) -> None:
        await self._records.write(
            lambda connection: put(connection, table, columns(record)), then=lambda _: apply(record)
        )

    def _forget(self, removal: Removal) -> None:
        for account in removal.accounts:
            self.drop_account(account)
        for extension in removal.extensions:
            self.drop_extension(extension)
        for client in removal.applications:
            self.drop_application(client)
        for listener in self._removal_listeners:
            listener(removal)


def _read_everything(
    connection: Connection,
) -> tuple[list[Account], list[Extension], list[PhoneNumber], list[Device], list[Application]]:
    def by_id(table: Table) -> Any:
        return select(table).order_by(func.length(table.c.id), table.c.id)  # ids are digits: oldest first

    return (
        fetch(connection, Account, by_id(tables.account)),
        fetch(connection, Extension, by_id(tables.extension)),
        fetch(connection, PhoneNumber, by_id(tables.phone_number)),
        fetch(connection, Device, by_id(tables.device)),
        fetch(connection, Application, select(tables.application).order_by(tables.application.c.client_id)),
    )


def _delete(connection: Connection, table: Table, record_id: str) -> None:
    connection.execute(delete(table).where(table.c.id == record_id))


def _remove_account(connection: Connection, account: AccountId) -> Removal:
    extensions = tuple(_ids(connection, tables.extension.c.id, tables.extension.c.account_id == account))
    applications = tuple(_ids(connection, tables.application.c.client_id, tables.application.c.account_id == account))
    session, subscription = tables.session.c, tables.subscription.c
    removal = Removal(
        accounts=tuple(_ids(connection, tables.account.c.id, tables.account.c.id == account)),
        extensions=extensions,
        applications=applications,
        sessions=_ids(connection, session.id, or_(session.account_id == account, session.client_id.in_(applications))),
        subscriptions=_remove_subscriptions(
            connection, or_(subscription.account_id == account, subscription.client_id.in_(applications))
        ),
    )
    _delete(connection, tables.account, account)
    return removal


def _remove_extension(connection: Connection, extension: ExtensionId) -> Removal:
    removal = Removal(
        extensions=_ids(connection, tables.extension.c.id, tables.extension.c.id == extension),
        sessions=_ids(connection, tables.session.c.id, tables.session.c.extension_id == extension),
        subscriptions=_remove_subscriptions(connection, tables.subscription.c.owner_id == extension),
    )
    _unlink(connection, extension)
    _delete(connection, tables.extension, extension)
    return removal


def _remove_application(connection: Connection, client: ClientId) -> Removal:
    application = tables.application
    removal = Removal(
        applications=_ids(connection, application.c.client_id, application.c.client_id == client),
        sessions=_ids(connection, tables.session.c.id, tables.session.c.client_id == client),
        subscriptions=_remove_subscriptions(connection, tables.subscription.c.client_id == client),
    )
    connection.execute(delete(application).where(application.c.client_id == client))
    return removal


def _ids(connection: Connection, column: ColumnElement[Any], condition: ColumnElement[bool]) -> tuple[Any, ...]:
    return tuple(connection.execute(select(column).where(condition)).scalars())


def _remove_subscriptions(connection: Connection, condition: ColumnElement[bool]) -> tuple[SubscriptionId, ...]:
    gone = _ids(connection, tables.subscription.c.id, condition)
    connection.execute(delete(tables.subscription).where(condition))
    return gone


def _unlink(connection: Connection, gone: ExtensionId) -> None:
    """Take a removed extension out of the lists of those who watched it."""
    extension = tables.extension
    quoted = f'%"{gone}"%'
    statement = select(extension).where(
        extension.c.account_id.in_(select(extension.c.account_id).where(extension.c.id == gone)),
        or_(cast(extension.c.monitored_lines, Text).like(quoted), cast(extension.c.favorites, Text).like(quoted)),
    )
    for watcher in fetch(connection, Extension, statement):
        put(connection, extension, columns(without(watcher, gone)))
