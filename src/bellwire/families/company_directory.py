"""Entries of the company directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from bellwire.families.body import ABSENT, Body, EitherBody, Email, Id, PhoneNumber
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_account
from bellwire.model.permission import Permission


class ContactAccount(Body):
    id: Id


class ContactNumber(Body):
    phone_number: PhoneNumber = ABSENT
    type: Literal["VoiceFax", "FaxOnly", "VoiceOnly"] = ABSENT
    hidden: bool = ABSENT
    usage_type: Literal["MobileNumber", "ContactNumber", "DirectNumber", "ForwardedNumber"] = ABSENT


class Site(Body):
    id: str = ABSENT
    name: str = ABSENT


class ProfileImage(Body):
    uri: str = ABSENT
    etag: str = ABSENT


class Contact(Body):
    """A directory entry, and what happened to it."""

    id: Id
    event_type: Literal["Create", "Update", "Delete"]
    type: str = ABSENT
    status: Literal["Enabled", "Disabled", "Frozen", "NotActivated", "Unassigned", "Unknown"] = ABSENT
    first_name: str = ABSENT
    last_name: str = ABSENT
    name: str = ABSENT
    department: str = ABSENT
    email: Email = ABSENT
    extension_number: str = ABSENT
    account: ContactAccount = ABSENT
    phone_numbers: list[ContactNumber] = ABSENT
    site: Site = ABSENT
    profile_image: ProfileImage = ABSENT
    etag: str = ABSENT


class Contacts(Body):
    contacts: Annotated[list[Contact], Field(min_length=1)]


def _shape(body: Any) -> str:
    return "one" if isinstance(body, Mapping) and "id" in body and "contacts" not in body else "several"


class CompanyDirectoryBody(EitherBody):
    """Entries in `contacts`, or one by itself as an older description has it."""

    root: Annotated[
        Annotated[Contacts, Tag("several")] | Annotated[Contact, Tag("one")],
        Discriminator(_shape),
    ]


FAMILY = EventFamily(
    name="company_directory",
    title="Company directory",
    description="A company directory entry is added, changed or removed.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/directory/entries",
            permission=Permission.READ_ACCOUNTS,
        ),
    ),
    body=CompanyDirectoryBody,
    ordering_key=by_account,
    sample={
        "contacts": [
            {
                "id": "200001",
                "eventType": "Update",
                "type": "User",
                "status": "Enabled",
                "firstName": "Ada",
                "lastName": "Brook",
                "email": "ada.brook@example.com",
                "extensionNumber": "101",
                "account": {"id": "100001"},
                "phoneNumbers": [{"phoneNumber": "+12025550143", "type": "VoiceFax", "usageType": "DirectNumber"}],
            }
        ]
    },
)
