"""The reference that API, CLI and docs show."""

from __future__ import annotations

import json

import pytest

from bellwire.families import REGISTRY
from bellwire.filters import TemplateReference, parse_filter, reference
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.subscription import SubscriptionApi

ENTRIES = tuple(reference())


def test_each_template_of_each_family_is_there_once() -> None:
    declared = [(family.name, template.path) for family in REGISTRY.families for template in family.templates]

    assert [(entry.family, entry.template) for entry in ENTRIES] == declared


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.template)
def test_example_is_a_filter_that_works_for_anyone(entry: TemplateReference) -> None:
    parsed = parse_filter(
        entry.example, account=AccountId("1"), extension=ExtensionId("7"), api=SubscriptionApi(entry.endpoint)
    )

    assert parsed.template.path == entry.template


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.template)
def test_entry_is_plain_json(entry: TemplateReference) -> None:
    answer = json.loads(json.dumps(entry.as_json()))

    assert answer["family"] == entry.family
    assert answer["bodySchema"]["description"]
    assert [parameter["name"] for parameter in answer["queryParameters"]] == [
        parameter.name for parameter in entry.query_parameters
    ]


def test_parameters_say_what_they_take() -> None:
    entry = next(entry for entry in ENTRIES if entry.template.endswith("/message-store/instant"))
    (parameter,) = entry.query_parameters

    assert entry.path_parameters == {"accountId": (), "extensionId": ()}
    assert (parameter.name, parameter.role, parameter.allowed) == ("type", "predicate", ("SMS",))
    assert (parameter.fixed, parameter.required) == ("SMS", True)
    assert (entry.permission, entry.others_permission) == ("ReadMessages", "ReadCompanyMessages")


def test_aliases_and_allowed_path_values_are_told() -> None:
    chats = next(entry for entry in ENTRIES if entry.family == "team_chat")
    insights = next(entry for entry in ENTRIES if entry.family == "insights")

    assert chats.aliases == ("/team-messaging/v1/chats", "/restapi/v1.0/glip/groups")
    assert insights.path_parameters["domain"] == ("pbx", "rcv", "rcx", "ms-teams", "nice-incontact")
