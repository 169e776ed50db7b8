from __future__ import annotations

import pytest

from bellwire.cli.admin_resources import RESOURCES, Resource, field_lines, read_fields
from bellwire.cli.failure import CommandFailed


def test_values_are_read_as_their_field_takes_them() -> None:
    read = read_fields(
        "NewExtension",
        ["extensionNumber=101", "firstName=null", "email=null", "isAdmin=true", "favorites=1, 2", "monitoredLines="],
    )

    assert read == {
        "extensionNumber": "101",
        "firstName": "null",
        "email": None,
        "isAdmin": True,
        "favorites": ["1", "2"],
        "monitoredLines": [],
    }


def test_numbers_are_numbers() -> None:
    assert read_fields("ApplicationChanges", ["rateLimitFactor=2.5"]) == {"rateLimitFactor": 2.5}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("firstName", "is not KEY=VALUE"),
        ("first_name=Ida", "there is no field first_name; there are extensionNumber"),
        ("isAdmin=maybe", "isAdmin takes boolean"),
    ],
)
def test_what_is_no_field_is_refused(given: str, why: str) -> None:
    with pytest.raises(CommandFailed, match=why) as refusal:
        read_fields("NewExtension", [given])

    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_kind_of_record_has_fields_that_can_be_listed(resource: Resource) -> None:
    for model in (resource.new, resource.changes):
        if model is not None:
            assert field_lines(model)


def test_ids_are_quoted_in_urls() -> None:
    devices = next(resource for resource in RESOURCES if resource.name == "devices")

    assert devices.url({"account": "1/2"}, "?") == "/bellwire/v1/admin/accounts/1%2F2/devices/%3F"
