"""The directory in memory: dictionary look-ups for what routing and every request ask.

Who watches whom is kept turned round (`_Watching`), because each presence event asks for it. Nothing here is durable;
`directory.py` commits a change first and applies it here after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bellwire.model.directory import Account, Device, Extension, PhoneNumber
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId


class DirectoryInMemory:
    """`Directory` over dictionaries. Records come back in the order in which they were first put."""

    def __init__(self) -> None:
        self._accounts: dict[AccountId, _Belongings] = {}
        self._extensions: dict[ExtensionId, Extension] = {}
        self._numbers: dict[str, PhoneNumber] = {}
        self._by_phone_number: dict[str, PhoneNumber] = {}
        self._devices: dict[str, Device] = {}
        self._applications: dict[ClientId, Application] = {}
        self._lines = _Watching()
        self._favorites = _Watching()

    def accounts(self) -> Sequence[Account]:
        return [belongings.account for belongings in self._accounts.values()]

    def account(self, account: AccountId) -> Account | None:
        belongings = self._accounts.get(account)
        return belongings.account if belongings else None

    def extensions(self, account: AccountId) -> Sequence[Extension]:
        belongings = self._accounts.get(account)
        return list(belongings.extensions.values()) if belongings else []

    def extension(self, extension: ExtensionId) -> Extension | None:
        return self._extensions.get(extension)

    def numbers(self, account: AccountId) -> Sequence[PhoneNumber]:
        belongings = self._accounts.get(account)
        return list(belongings.numbers.values()) if belongings else []

    def number(self, phone_number: str) -> PhoneNumber | None:
        return self._by_phone_number.get(phone_number)

    def devices(self, account: AccountId) -> Sequence[Device]:
        belongings = self._accounts.get(account)
        return list(belongings.devices.values()) if belongings else []

    def applications(self) -> Sequence[Application]:
        return list(self._applications.values())

    def application(self, client: ClientId) -> Application | None:
        return self._applications.get(client)

    def watchers_of_line(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return self._lines.watchers_of(extension)

    def admirers_of(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return self._favorites.watchers_of(extension)

    def put_account(self, account: Account) -> None:
        if account.id in self._accounts:
            self._accounts[account.id].account = account
        else:
            self._accounts[account.id] = _Belongings(account)

    def put_extension(self, extension: Extension) -> None:
        """Its account must be there, and stays the same; so for numbers and devices."""
        self._extensions[extension.id] = extension
        self._accounts[extension.account_id].extensions[extension.id] = extension
        self._lines.put(extension.id, extension.monitored_lines)
        self._favorites.put(extension.id, extension.favorites)

    def put_number(self, number: PhoneNumber) -> None:
        self._forget_phone_number(number.id)
        self._by_phone_number[number.phone_number] = number
        self._numbers[number.id] = number
        self._accounts[number.account_id].numbers[number.id] = number

    def put_device(self, device: Device) -> None:
        self._devices[device.id] = device
        self._accounts[device.account_id].devices[device.id] = device

    def put_application(self, application: Application) -> None:
        self._applications[application.client_id] = application

    def drop_account(self, gone: AccountId) -> None:
        """With extensions, numbers and devices; applications of the account are dropped by themselves."""
        belongings = self._accounts.pop(gone, None)
        if belongings is None:
            return
        for extension in belongings.extensions:
            self._lines.put(extension, ())
            self._favorites.put(extension, ())
            del self._extensions[extension]
        for number in belongings.numbers:
            self._forget_phone_number(number)
            del self._numbers[number]
        for device in belongings.devices:
            del self._devices[device]

    def drop_extension(self, gone: ExtensionId) -> None:
        """Whoever watched it watches it no more; its numbers and devices stay, as nobody's."""
        extension = self._extensions.get(gone)
        if extension is None:
            return
        for watcher in {*self.watchers_of_line(gone), *self.admirers_of(gone)} - {gone}:
            self.put_extension(without(self._extensions[watcher], gone))
        self._lines.put(gone, ())
        self._favorites.put(gone, ())
        belongings = self._accounts[extension.account_id]
        del self._extensions[gone], belongings.extensions[gone]
        for number in list(belongings.numbers.values()):
            if number.extension_id == gone:
                self.put_number(replace(number, extension_id=None))
        for device in list(belongings.devices.values()):
            if device.extension_id == gone:
                self.put_device(replace(device, extension_id=None))

    def _forget_phone_number(self, number_id: str) -> None:
        number = self._numbers.get(number_id)
        if number is not None and self._by_phone_number.get(number.phone_number) is number:
            del self._by_phone_number[number.phone_number]

    def drop_number(self, gone: str) -> None:
        self._forget_phone_number(gone)
        number = self._numbers.pop(gone, None)
        if number is not None:
            del self._accounts[number.account_id].numbers[gone]

    def drop_device(self, gone: str) -> None:
        device = self._devices.pop(gone, None)
        if device is not None:
            del self._accounts[device.account_id].devices[gone]

    def drop_application(self, gone: ClientId) -> None:
        self._applications.pop(gone, None)


@dataclass(slots=True)
class _Belongings:
    """An account and what belongs to it, each by its id."""

    account: Account
    extensions: dict[ExtensionId, Extension] = field(default_factory=dict)
    numbers: dict[str, PhoneNumber] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)


class _Watching:
    """Who watches whom, in both directions."""

    def __init__(self) -> None:
        self._watched: dict[ExtensionId, tuple[ExtensionId, ...]] = {}
        self._watchers: dict[ExtensionId, tuple[ExtensionId, ...]] = {}

    def watchers_of(self, watched: ExtensionId) -> tuple[ExtensionId, ...]:
        return self._watchers.get(watched, ())

    def put(self, watcher: ExtensionId, watched: tuple[ExtensionId, ...]) -> None:
        """From now on `watcher` watches these and no others."""
        for one in self._watched.pop(watcher, ()):
            rest = tuple(other for other in self._watchers[one] if other != watcher)
            if rest:
                self._watchers[one] = rest
            else:
                del self._watchers[one]
        if watched:
            self._watched[watcher] = tuple(dict.fromkeys(watched))
        for one in self._watched.get(watcher, ()):
            self._watchers[one] = (*self._watchers.get(one, ()), watcher)


def without(extension: Extension, gone: ExtensionId) -> Extension:
    """The extension, watching `gone` no more."""
    return replace(
        extension,
        monitored_lines=tuple(line for line in extension.monitored_lines if line != gone),
        favorites=tuple(favorite for favorite in extension.favorites if favorite != gone),
    )
