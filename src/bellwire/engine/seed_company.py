"""Who works at the demo company: its extensions, phone numbers and devices.

Ids are fixed and much shorter than those that provisioning makes. The numbers are those that North America keeps free
for fiction (555-0100 to 555-0199).
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.model.directory import Account, Device, Extension, ExtensionType, PhoneNumber
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.permission import ORDINARY_USER, UserPermission

MAIN_NUMBER = "+16505550100"
A2P_NUMBER = "+16505550180"
TOLL_FREE_NUMBER = "+18885550190"

ACCOUNT = Account(id=AccountId("400100"), company_name="Harbor & Finch Ltd", main_number=MAIN_NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the demo company, with whom it watches, as extension numbers."""

    extension_number: str
    first_name: str
    last_name: str
    monitors: tuple[str, ...] = ()
    favorites: tuple[str, ...] = ()
    is_admin: bool = False
    also_may: frozenset[UserPermission] = frozenset()

    @property
    def extension_id(self) -> ExtensionId:
        return _extension_id(self.extension_number)

    @property
    def user_name(self) -> str:
        return f"{self.first_name}.{self.last_name}@harbor-finch.example".lower()

    @property
    def direct_number(self) -> str:
        return f"+16505550{self.extension_number}"


def _extension_id(extension_number: str) -> ExtensionId:
    return ExtensionId(f"400{extension_number}")


_SUPERVISOR = frozenset({UserPermission.READ_COMPANY_TELEPHONY, UserPermission.READ_COMPANY_MESSAGES})

PEOPLE = (
    Person(
        extension_number="101",
        first_name="Ada",
        last_name="Harbor",
        is_admin=True,
        monitors=("102", "103"),
        favorites=("102", "105"),
    ),
    Person(extension_number="102", first_name="Ben", last_name="Finch", monitors=("101",), favorites=("103",)),
    Person(extension_number="103", first_name="Chloe", last_name="Marsh", monitors=("104", "105", "106")),
    Person(extension_number="104", first_name="Dario", last_name="Rossi", favorites=("101", "103")),
    Person(extension_number="105", first_name="Emi", last_name="Tanaka", favorites=("104", "106")),
    Person(extension_number="106", first_name="Farid", last_name="Haddad"),
    Person(
        extension_number="107",
        first_name="Greta",
        last_name="Lind",
        monitors=("108", "109", "110"),
        also_may=_SUPERVISOR,
    ),
    Person(extension_number="108", first_name="Hugo", last_name="Almeida", favorites=("107",)),
    Person(extension_number="109", first_name="Ines", last_name="Novak", favorites=("107", "110")),
    Person(extension_number="110", first_name="Jonas", last_name="Weber"),
    Person(extension_number="111", first_name="Kavya", last_name="Iyer", monitors=("112",)),
    Person(extension_number="112", first_name="Liam", last_name="Byrne", favorites=("111",)),
)
ADMINISTRATOR = PEOPLE[0].extension_id
OTHER_USER = PEOPLE[1].extension_id

_QUEUES = (("181", "Sales"), ("182", "Support"))


def extensions() -> tuple[Extension, ...]:
    """Users and call queues."""
    users = (
        Extension(
            id=person.extension_id,
            account_id=ACCOUNT.id,
            extension_number=person.extension_number,
            first_name=person.first_name,
            last_name=person.last_name,
            email=person.user_name,
            is_admin=person.is_admin,
            permissions=ORDINARY_USER | person.also_may,
            monitored_lines=tuple(map(_extension_id, person.monitors)),
            favorites=tuple(map(_extension_id, person.favorites)),
        )
        for person in PEOPLE
    )
    queues = (
        Extension(
            id=_extension_id(number),
            account_id=ACCOUNT.id,
            extension_number=number,
            first_name=name,
            type=ExtensionType.CALL_QUEUE,
        )
        for number, name in _QUEUES
    )
    return (*users, *queues)


NUMBERS = (
    PhoneNumber(
        id="400500",
        account_id=ACCOUNT.id,
        phone_number=MAIN_NUMBER,
        usage_type="MainCompanyNumber",
        features=("CallerId", "SmsSender"),
    ),
    *(
        PhoneNumber(
            id=f"400{int(person.extension_number) + 400}",
            account_id=ACCOUNT.id,
            phone_number=person.direct_number,
            extension_id=person.extension_id,
            features=("CallerId", "SmsSender", "MmsSender"),
        )
        for person in PEOPLE
    ),
    PhoneNumber(
        id="400580",
        account_id=ACCOUNT.id,
        phone_number=A2P_NUMBER,
        extension_id=ADMINISTRATOR,
        features=("CallerId", "A2PSmsSender"),
        label="High Volume SMS",
    ),
    PhoneNumber(
        id="400590",
        account_id=ACCOUNT.id,
        phone_number=TOLL_FREE_NUMBER,
        usage_type="CompanyNumber",
        payment_type="TollFree",
        features=("CallerId", "A2PSmsSender"),
        label="Toll-free",
    ),
)

DEVICES = (
    *(
        Device(
            id=f"400{int(person.extension_number) + 600}",
            account_id=ACCOUNT.id,
            extension_id=person.extension_id,
            name=f"{person.first_name}'s desk phone",
        )
        for person in PEOPLE
    ),
    Device(id="400790", account_id=ACCOUNT.id, extension_id=ADMINISTRATOR, name="Ada's softphone", type="SoftPhone"),
    Device(id="400791", account_id=ACCOUNT.id, extension_id=None, name="Lobby paging", type="Paging"),
)
