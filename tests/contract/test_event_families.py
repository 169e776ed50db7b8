"""The declared families against the published filters, examples and schemas."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from bellwire.families import REGISTRY, TemplateMatch
from bellwire.families.declaration import Role
from bellwire.filters import parse_topic, rows_with_stated
from bellwire.model.ids import AccountId
from bellwire.model.subscription import SubscriptionApi
from tests.contract import published_reference as reference

pytestmark = pytest.mark.skipif(not reference.IS_HERE, reason=reference.ABSENT)

SHAPES_OF_VALUES: tuple[Any, ...] = (None, 5, -5, "x", True, {}, [], "2020-02-30T00:00:00Z", "1600000000", [{}])

STRICTER_HERE = {
    # The reminder is ours alone, and its receivers are told how long there is left (wire contract, 3.8).
    ("subscription_reminder", ("expiresIn",)),
    ("subscription_reminder", ()),
}


def match_of(path: str) -> TemplateMatch:
    match = REGISTRY.match(path.partition("?")[0].replace("/~", "/1"))
    assert match is not None, f"no family for {path}"
    return match


def is_valid(match: TemplateMatch, body: Any) -> bool:
    try:
        match.family.body.model_validate_json(json.dumps(body))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("entry", reference.filters(), ids=lambda entry: entry["id"])
class TestEachPublishedFilter:
    def test_has_a_template_with_the_published_parameters(self, entry: dict[str, Any]) -> None:
        match = match_of(reference.with_ids(entry["template"]))

        declared = {parameter.name: parameter for parameter in match.template.parameters}
        for published in entry["query_parameters"]:
            parameter = declared[published["name"]]
            assert parameter.role == published["role"]
            assert parameter.type == published["type"]
            assert parameter.is_phone_number == (published.get("format") == "e164")
            if published["enum"] and "fixed" not in published:
                assert set(parameter.enum) == set(published["enum"])
            if "fixed" in published:
                assert published["fixed"] in parameter.closed_values
            if published["required"] and entry["variant_of"] is None:
                assert parameter.required

    def test_takes_no_parameter_that_is_not_published(self, entry: dict[str, Any]) -> None:
        match = match_of(reference.with_ids(entry["template"]))

        published = {
            parameter["name"]
            for other in reference.filters()
            if match_of(reference.with_ids(other["template"])).template is match.template
            for parameter in other["query_parameters"]
        }
        assert {parameter.name for parameter in match.template.parameters} == published

    def test_asks_for_the_published_permission_and_endpoint(self, entry: dict[str, Any]) -> None:
        match = match_of(reference.with_ids(entry["template"]))

        assert match.template.permission == entry["required_permission"]
        is_webinar = entry["endpoint"] == "webinar subscription"
        assert match.family.api is (SubscriptionApi.WEBINAR if is_webinar else SubscriptionApi.GENERAL)
        assert match.family.is_flat == (entry["envelope_schema"] == "FlatNotificationEnvelope")
        if entry["required_user_permission"] is not None:
            assert match.template.others_permission == entry["required_user_permission"]

    def test_family_sample_fits_the_published_schema(self, entry: dict[str, Any]) -> None:
        match = match_of(reference.with_ids(entry["template"]))

        body = match.family.sample
        if match.family.project is not None:
            wanted = {
                implied
                for parameter in match.template.parameters
                if parameter.role is Role.PROJECTION and f"{parameter.name}=true" in entry["template"]
                for implied in (parameter.name, *parameter.implies)
            }
            projected = match.family.project(body, frozenset(wanted))
            body = body if projected is None else projected
        assert reference.fits_schema(entry, body)


@pytest.mark.parametrize("example", reference.examples(), ids=lambda example: example.file)
class TestEachExample:
    def test_is_a_valid_body_of_its_family(self, example: reference.Example) -> None:
        match_of(example.event).family.body.model_validate_json(json.dumps(example.body))

    def test_goes_out_as_it_is_where_its_projections_are_asked_for(self, example: reference.Example) -> None:
        family = match_of(example.event).family
        if family.project is None:
            return
        switched_on = frozenset(
            name for name in ("detailedTelephonyState", "sipData") if f"{name}=true" in example.event
        )

        assert family.project(example.body, switched_on) is None

    def test_rows_have_the_values_that_its_own_filter_asks_for(self, example: reference.Example) -> None:
        match = match_of(example.event)
        rows = match.family.rows(example.body)

        asked = [pair.partition("=") for pair in example.event.partition("?")[2].split("&") if pair]
        predicates = {
            parameter.name: parameter
            for parameter in match.template.parameters
            if parameter.role is Role.PREDICATE and parameter.is_compared
        }
        wanted = {
            name: unquote(value).lower() if predicates[name].ignore_case else unquote(value)
            for name, _, value in asked
            if name in predicates
        }
        assert any(all(name not in row or value in row[name] for name, value in wanted.items()) for row in rows)

    def test_can_be_published_as_it_is(self, example: reference.Example) -> None:
        match = match_of(example.event)
        if not match.family.publishable:
            return

        topic = parse_topic(example.event, account=AccountId("1"))

        assert topic.family is match.family
        rows = rows_with_stated(match.family.rows(example.body), topic.stated)
        assert all(any(value in row[name] for row in rows) for name, value in topic.stated)

    def test_changed_in_any_one_place_is_valid_exactly_if_the_published_schema_says_so(
        self, example: reference.Example
    ) -> None:
        match = match_of(example.event)
        differing = []
        for place, changed in one_change_each(example.body):
            valid = is_valid(match, changed)
            if valid:
                rows = match.family.rows(changed)
                assert rows
                assert isinstance(match.family.ordering_key(match.values, changed), str)
            named = tuple(step for step in place if isinstance(step, str))
            if (
                valid != reference.fits_schema(example.filter, changed)
                and (
                    match.family.name,
                    named,
                )
                not in STRICTER_HERE
            ):
                differing.append((place, changed))
        assert differing == []


def one_change_each(body: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The body with one value replaced by one of another shape, or one field left out; each place of a list once."""
    for place in places(body):
        for value in SHAPES_OF_VALUES:
            yield place, with_value(body, place, value)
        if place and isinstance(place[-1], str):
            yield place, without(body, place)


def places(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield here
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*here, name))
    elif isinstance(value, list) and value:
        yield from places(value[-1], (*here, len(value) - 1))


def with_value(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(body)
    parent = changed
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    return changed


def without(body: Any, place: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(body)
    parent = changed
    for step in place[:-1]:
        parent = parent[step]
    del parent[place[-1]]
    return changed


def test_every_declared_template_and_alias_is_published() -> None:
    published = {match_of(reference.with_ids(entry["template"])).template for entry in reference.filters()}

    assert {template for family in REGISTRY.families for template in family.templates} == published
