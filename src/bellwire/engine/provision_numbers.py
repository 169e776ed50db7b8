"""Provisioning of phone numbers and devices."""

from __future__ import annotations

from dataclasses import replace

from bellwire.engine.provision_commands import DeviceChanges, NewDevice, NewNumber, NumberChanges
from bellwire.engine.provision_scope import Desk, Page, Scope, duplicate, owner_of_number, page_of
from bellwire.model.directory import Device, PhoneNumber
from bellwire.model.ids import AccountId


class Numbers:
    """Phone numbers, each of which one account owns."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, scope: Scope, account: AccountId, *, cursor: str | None = None, limit: int) -> Page[PhoneNumber]:
        numbers = self._desk.directory.numbers(self._desk.reach.account(scope, account).id)
        return page_of(numbers, lambda number: number.id, cursor=cursor, limit=limit)

    def get(self, scope: Scope, account: AccountId, number_id: str) -> PhoneNumber:
        return self._desk.reach.number(scope, account, number_id)

    async def create(self, scope: Scope, account: AccountId, new: NewNumber) -> PhoneNumber:
        async with self._desk.changing:
            self._desk.reach.account(scope, account)
            self._require_free(account, new.phone_number)
            if new.extension_id is not None:
                self._desk.reach.named_extension(account, new.extension_id, "extensionId")
            number = PhoneNumber(
                id=self._desk.ids.new(),
                account_id=account,
                phone_number=new.phone_number,
                extension_id=new.extension_id,
                usage_type=new.usage_type,
                type=new.type,
                payment_type=new.payment_type,
                features=tuple(dict.fromkeys(new.features)),
                label=new.label,
                status=new.status,
            )
            await self._desk.writer.save_number(number)
            return number

    async def change(self, scope: Scope, account: AccountId, number_id: str, changes: NumberChanges) -> PhoneNumber:
        async with self._desk.changing:
            present = self._desk.reach.number(scope, account, number_id)
            if changes.extension_id is not None:
                self._desk.reach.named_extension(account, changes.extension_id, "extensionId")
            fields = changes.changes()
            if changes.features is not None:
                fields["features"] = tuple(dict.fromkeys(changes.features))
            changed = replace(present, **fields)
            await self._desk.writer.save_number(changed)
            return changed

    async def delete(self, scope: Scope, account: AccountId, number_id: str) -> None:
        async with self._desk.changing:
            await self._desk.writer.remove_number(self._desk.reach.number(scope, account, number_id).id)

    def _require_free(self, account: AccountId, phone_number: str) -> None:
        owner = owner_of_number(self._desk.directory, phone_number)
        listed = (number.phone_number for number in self._desk.directory.numbers(account))
        if owner not in (None, account) or phone_number in listed:
            raise duplicate("phoneNumber", phone_number)


class Devices:
    """Devices, of an extension or of the account alone."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, scope: Scope, account: AccountId, *, cursor: str | None = None, limit: int) -> Page[Device]:
        devices = self._desk.directory.devices(self._desk.reach.account(scope, account).id)
        return page_of(devices, lambda device: device.id, cursor=cursor, limit=limit)

    def get(self, scope: Scope, account: AccountId, device_id: str) -> Device:
        return self._desk.reach.device(scope, account, device_id)

    async def create(self, scope: Scope, account: AccountId, new: NewDevice) -> Device:
        async with self._desk.changing:
            self._desk.reach.account(scope, account)
            if new.extension_id is not None:
                self._desk.reach.named_extension(account, new.extension_id, "extensionId")
            device = Device(
                id=self._desk.ids.new(),
                account_id=account,
                extension_id=new.extension_id,
                name=new.name,
                type=new.type,
                status=new.status,
            )
            await self._desk.writer.save_device(device)
            return device

    async def change(self, scope: Scope, account: AccountId, device_id: str, changes: DeviceChanges) -> Device:
        async with self._desk.changing:
            present = self._desk.reach.device(scope, account, device_id)
            if changes.extension_id is not None:
                self._desk.reach.named_extension(account, changes.extension_id, "extensionId")
            changed = replace(present, **changes.changes())
            await self._desk.writer.save_device(changed)
            return changed

    async def delete(self, scope: Scope, account: AccountId, device_id: str) -> None:
        async with self._desk.changing:
            await self._desk.writer.remove_device(self._desk.reach.device(scope, account, device_id).id)
