"""The form of an event filter, for every template of the registry."""

from __future__ import annotations

import pytest

from bellwire.console.filter_builder import fields_of, filter_of, template_named, template_options
from bellwire.console.forms import filter_refusal
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.registry import placeholders
from bellwire.filters import FilterRefused, parse_filter
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.subscription import SubscriptionApi

TEMPLATES = [(family, template) for family in REGISTRY.families for template in family.templates]


def parsed(text: str, api: SubscriptionApi = SubscriptionApi.GENERAL) -> str:
    return parse_filter(text, account=AccountId("1"), extension=ExtensionId("2"), api=api).text


def test_every_template_can_be_chosen() -> None:
    chosen = [template_named(name) for name, _ in template_options()]
    assert {found[1].path for found in chosen if found is not None} == {template.path for _, template in TEMPLATES}
    assert template_named("nothing.0") is template_named("a2p_message.9") is template_named("") is None


@pytest.mark.parametrize(("family", "template"), TEMPLATES, ids=lambda one: getattr(one, "path", ""))
def test_what_the_form_says_is_a_filter_that_can_be_read(family: EventFamily, template: Template) -> None:
    ids = {
        f"id-{name}": template.path_values.get(name, ("1001",))[0]
        for name in placeholders(template.path)
        if name not in {"accountId", "extensionId", "subscriptionId"}
    }
    required = {f"q-{one.name}": one.valid_value for one in template.parameters if one.required}
    every = {f"q-{one.name}": one.valid_value for one in template.parameters}
    parsed(filter_of(template, {**ids, **required}), family.api)
    text = filter_of(template, {**ids, **every})
    assert parsed(text, family.api)
    assert all(f"{one.name}=" in text for one in template.parameters)


@pytest.mark.parametrize(("family", "template"), TEMPLATES, ids=lambda one: getattr(one, "path", ""))
def test_the_form_has_a_field_for_each_parameter(family: EventFamily, template: Template) -> None:
    form = fields_of(family, template)
    for parameter in template.parameters:
        assert parameter.name in form
        if parameter.fixed is None:
            assert f'name="q-{parameter.name}"' in form


def test_several_values_are_repeated_parameters() -> None:
    found = template_named("a2p_message.0")
    assert found is not None
    text = filter_of(found[1], {"q-direction": ["Inbound", "Outbound"], "q-to": "+16505550100, +16505550101"})
    assert text.endswith("?direction=Inbound&direction=Outbound&to=+16505550100&to=+16505550101")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbond&to=+16505550100",
            "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound&amp;to=+16505550100",
        ),
        (
            "/restapi/v1.0/account/~/a2p-sms/mesages?direction=Inbound",
            "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound",
        ),
        (
            "/restapi/v1.0/account/~/extension/~/message-store/instant?direction=Inbound",
            "/restapi/v1.0/account/~/extension/~/message-store/instant?direction=Inbound&amp;type=SMS",
        ),
        (
            "/restapi/v1.0/account/~/a2p-sms/messages?directon=Inbound",
            "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound",
        ),
    ],
)
def test_a_refused_filter_is_shown_with_the_whole_of_what_was_probably_meant(written: str, meant: str) -> None:
    with pytest.raises(FilterRefused) as refused:
        parsed(written)
    said = filter_refusal(written, refused.value)
    if refused.value.suggestion is not None:
        assert f'data-value="{meant}"' in said
    assert "<mark>" in said
