"""What holds for all families, however many there are."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Role
from bellwire.families.registry import filled, placeholders

pytestmark = pytest.mark.parametrize("family", REGISTRY.families, ids=lambda family: family.name)


def predicates(family: EventFamily) -> set[str]:
    return {
        parameter.name
        for template in family.templates
        for parameter in template.parameters
        if parameter.role is Role.PREDICATE and parameter.is_compared
    }


def path_values(family: EventFamily) -> dict[str, str]:
    template = family.templates[0]
    return {name: template.path_values.get(name, ("1001",))[0] for name in placeholders(template.path)}


def test_sample_is_a_valid_body(family: EventFamily) -> None:
    family.body.model_validate_json(json.dumps(family.sample))


@pytest.mark.parametrize("body", ["{}", "[]", "null", '"text"', "1", "", "{"])
def test_body_that_says_nothing_is_refused(family: EventFamily, body: str) -> None:
    with pytest.raises(ValidationError):
        family.body.model_validate_json(body)


def test_fields_that_nobody_knows_pass(family: EventFamily) -> None:
    family.body.model_validate_json(json.dumps({**family.sample, "fieldOfTomorrow": {"a": [1, None]}}))


def test_null_is_not_taken_for_a_required_field(family: EventFamily) -> None:
    refused = 0
    for name in family.sample:
        try:
            family.body.model_validate_json(json.dumps({**family.sample, name: None}))
        except ValidationError:
            refused += 1
    assert refused > 0


def test_rows_of_the_sample_name_exactly_the_predicates_it_could_contradict(family: EventFamily) -> None:
    rows = family.rows(family.sample)

    assert len(rows) >= 1
    # The message store's published body has no direction, which is why it may be left out.
    assert all(set(row) | ({"direction"} & predicates(family)) == predicates(family) for row in rows)
    assert all(isinstance(value, str) for row in rows for values in row.values() for value in values)


def test_ordering_key_of_the_sample_is_not_empty(family: EventFamily) -> None:
    assert family.ordering_key(path_values(family), family.sample) != ""


def test_ordering_key_is_read_from_any_template_of_the_family(family: EventFamily) -> None:
    for template in family.templates:
        values = {name: template.path_values.get(name, ("1001",))[0] for name in placeholders(template.path)}
        assert isinstance(family.ordering_key(values, family.sample), str)


def test_reading_does_not_change_the_body(family: EventFamily) -> None:
    before = json.dumps(family.sample)
    body = json.loads(before)

    family.rows(body)
    family.ordering_key(path_values(family), body)
    if family.project is not None:
        family.project(body, frozenset())

    assert json.dumps(body) == before


def test_projections_are_declared_exactly_where_a_body_can_be_projected(family: EventFamily) -> None:
    has_projections = any(
        parameter.role is Role.PROJECTION for template in family.templates for parameter in template.parameters
    )

    assert has_projections == (family.project is not None)


def test_projecting_keeps_number_spellings_that_the_reader_kept(family: EventFamily) -> None:
    """The renderer decodes floats as raw text; a projection hands through what it does not leave out."""
    if family.project is None:
        return
    decoder = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode()))
    body = decoder.decode(json.dumps(family.sample)[:-1] + ', "extra": 1.50e0}')

    projected = family.project(body, frozenset())

    assert projected is not None
    assert b'"extra":1.50e0' in msgspec.json.encode(projected)


def test_published_on_its_first_topic_it_is_announced_there_first(family: EventFamily) -> None:
    class NoRelations:
        def watchers_of_line(self, extension: Any) -> list[Any]:
            return []

        def admirers_of(self, extension: Any) -> list[Any]:
            return []

    topic = filled(family.templates[0].path, path_values(family))
    match = REGISTRY.match(topic)
    assert match is not None

    topics = REGISTRY.topics_of(match, "1001", NoRelations())  # type: ignore[arg-type]  # any account will do

    assert topics[0] == topic
    assert len(topics) == len(set(topics))
    assert all(REGISTRY.match(other) is not None for other in topics)
    assert {found.family for found in map(REGISTRY.match, topics) if found is not None} == {family}


def test_json_schema_names_the_wire_fields_and_describes_the_body(family: EventFamily) -> None:
    schema = family.body.model_json_schema()

    assert schema.get("description")
    text = json.dumps(schema)
    assert '"title": "' not in text
    assert '"default": null' not in text
    first_field = next(iter(family.sample))
    assert f'"{first_field}"' in text


def test_templates_of_other_extensions_say_what_is_missing(family: EventFamily) -> None:
    for template in family.templates:
        if "{extensionId}" in template.path:
            assert template.others_permission is not None
            assert template.others_error.startswith(("SUB-", "CMN-"))
