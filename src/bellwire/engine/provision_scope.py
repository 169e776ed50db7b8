"""What an administrator reaches: a key that is scoped to one account sees and changes only that account.

What a key doesn't reach is not found, just as what doesn't exist, so that it can't be told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bellwire.errors import Conflict, Forbidden, InvalidRequest, NotFound
from bellwire.model.directory import Account, Device, Extension, PhoneNumber
from bellwire.model.identity import ApiKey, Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Directory, DirectoryWriter

R = TypeVar("R")

_LARGEST_TIMED_ID = 10**15


@dataclass(frozen=True, slots=True)
class Scope:
    """The only account within reach; None is all of them."""

    account_id: AccountId | None

    @classmethod
    def of(cls, key: ApiKey) -> Scope:
        return cls(key.account_id)

    def covers(self, account: AccountId | None) -> bool:
        """Whether a record that belongs to `account` (None: to all) may be seen and changed."""
        return self.account_id is None or self.account_id == account

    def require_all(self, what: str) -> None:
        """Raises `Forbidden` for a key of one account."""
        if self.account_id is not None:
            raise Forbidden("CMN-402", f"{what} needs an admin key that is good for all accounts")


ALL_ACCOUNTS = Scope(None)


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some records of a list in the order of their ids, and where the next page starts."""

    records: tuple[R, ...]
    next_cursor: str | None


def page_of(records: Iterable[R], id_of: Callable[[R], str], *, cursor: str | None, limit: int) -> Page[R]:
    """The first `limit` records after the one with id `cursor`, which need not exist any more."""
    ordered = sorted(records, key=lambda record: _rank(id_of(record)))
    if cursor is not None:
        ordered = [record for record in ordered if _rank(id_of(record)) > _rank(cursor)]
    shown = tuple(ordered[:limit])
    return Page(shown, id_of(shown[-1]) if len(ordered) > limit else None)


def _rank(record_id: str) -> tuple[int, str]:
    """Orders decimal numbers by value, and anything else reliably."""
    return len(record_id), record_id


class Reach:
    """Finds records of the directory for an administrator."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def account(self, scope: Scope, account: AccountId) -> Account:
        found = self._directory.account(account)
        if found is None or not scope.covers(account):
            raise not_found("accountId", account)
        return found

    def extension(self, scope: Scope, extension: ExtensionId, account: AccountId | None = None) -> Extension:
        """An extension, of one account where that is given."""
        found = self._directory.extension(extension)
        if found is None or not scope.covers(found.account_id) or account not in (None, found.account_id):
            raise not_found("extensionId", extension)
        return found

    def number(self, scope: Scope, account: AccountId, number_id: str) -> PhoneNumber:
        numbers = self._directory.numbers(self.account(scope, account).id)
        return _with_id(numbers, lambda number: number.id, "numberId", number_id)

    def device(self, scope: Scope, account: AccountId, device_id: str) -> Device:
        devices = self._directory.devices(self.account(scope, account).id)
        return _with_id(devices, lambda device: device.id, "deviceId", device_id)

    def application(self, scope: Scope, client: ClientId) -> Application:
        found = self._directory.application(client)
        if found is None or not scope.covers(found.account_id):
            raise not_found("clientId", client)
        return found

    def named_account(self, scope: Scope, account: AccountId, parameter: str) -> Account:
        """An account that a body refers to.

        Raises:
            InvalidRequest: there is none, or it is out of reach.
        """
        found = self._directory.account(account)
        if found is None or not scope.covers(account):
            raise unknown_reference(parameter, account, "is not an account that this key reaches")
        return found

    def named_extension(self, account: AccountId, extension: ExtensionId, parameter: str) -> Extension:
        """An extension that a body refers to; it has to be of the same account.

        Raises:
            InvalidRequest: it is not.
        """
        found = self._directory.extension(extension)
        if found is None or found.account_id != account:
            raise unknown_reference(parameter, extension, f"is not an extension of account {account}")
        return found


class Ids:
    """Makes ids of decimal digits that rise with time and were never given out before, even if the clock goes back."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._last: int | None = None

    def new(self) -> str:
        if self._last is None:
            self._last = max(self._given_out(), default=0)
        self._last = max(self._last + 1, self._clock.now_ms())
        return str(self._last)

    def _given_out(self) -> Iterable[int]:
        """Ids of before this start. Much longer ones were not made here, and can't be met."""
        directory = self._directory
        for account in directory.accounts():
            for owned in (
                directory.extensions(account.id),
                directory.numbers(account.id),
                directory.devices(account.id),
            ):
                yield from (int(one.id) for one in owned if _is_ours(one.id))
            if _is_ours(account.id):
                yield int(account.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all parts of provisioning work with.

    `changing` is held from a check to the save that relies on it.
    """

    directory: Directory
    writer: DirectoryWriter
    credentials: CredentialStore
    clock: Clock
    reach: Reach
    ids: Ids
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


def _is_ours(record_id: str) -> bool:
    return record_id.isdecimal() and int(record_id) < _LARGEST_TIMED_ID


def owner_of_number(directory: Directory, phone_number: str) -> AccountId | None:
    """The account whose main number or listed number it is."""
    for account in directory.accounts():
        if account.main_number == phone_number:
            return account.id
        if any(number.phone_number == phone_number for number in directory.numbers(account.id)):
            return account.id
    return None


def not_found(parameter: str, value: str) -> NotFound:
    return NotFound("CMN-102", f"Resource for parameter [{parameter}] is not found", parameter=parameter, value=value)


def unknown_reference(parameter: str, value: str, why: str) -> InvalidRequest:
    message = f"Parameter [{parameter}] value is invalid: {value} {why}"
    return InvalidRequest("CMN-101", message, parameter=parameter, value=value)


def duplicate(parameter: str, value: str) -> Conflict:
    message = f"Parameter [{parameter}] value is taken: {value}"
    return Conflict("CMN-406", message, parameter=parameter, value=value)


def _with_id(records: Sequence[R], id_of: Callable[[R], str], parameter: str, wanted: str) -> R:
    for record in records:
        if id_of(record) == wanted:
            return record
    raise not_found(parameter, wanted)
