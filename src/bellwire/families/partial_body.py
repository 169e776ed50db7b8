"""Bodies of which only a part is written, as one has them when asking what would match.

Where a body leaves out a field that its family requires, `UNSAID` is put in, so that rows can be read from it, and what
comes out as `UNSAID` is known to depend on what was left out. A field that need not be there is not put in: a whole
body without it is possible, and says the same as this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from bellwire.families.declaration import EventFamily

UNSAID = "\0unsaid\0"
"""No filter can want it: a filter's values are printable."""

_MAX_DEPTH = 32
"""Of what is put in; the models of families are not as deep."""


def completed(family: EventFamily, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with all that its family requires; what it says itself is as it was, wrong or not."""
    schema = _schema(family)
    filled = _completed(schema, dict(body), schema.get("$defs", {}), 0)
    assert isinstance(filled, dict)
    return filled


@lru_cache(maxsize=256)
def _schema(family: EventFamily) -> dict[str, Any]:
    return family.body.model_json_schema(by_alias=True)


def _completed(schema: Mapping[str, Any], value: Any, definitions: Mapping[str, Any], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        form = _form(schema, definitions, value.keys())
        properties = form.get("properties", {})
        whole = {
            name: _completed(properties[name], part, definitions, depth + 1) if name in properties else part
            for name, part in value.items()
        }
        for name in form.get("required", ()):
            if name not in whole:
                whole[name] = _unsaid(properties[name], definitions, depth + 1)
        return whole
    if isinstance(value, list):
        items = _form(schema, definitions, (), "array").get("items", {})
        return [_completed(items, item, definitions, depth + 1) for item in value]
    return value


def _unsaid(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    """What stands for a value of this schema that was left out."""
    form = _form(schema, definitions, ())
    if "properties" in form:
        return _completed(form, {}, definitions, depth)
    if form.get("type") == "array":
        return [_unsaid(form.get("items", {}), definitions, depth + 1)] if depth < _MAX_DEPTH else []
    return UNSAID


def _form(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], names: Any, of_type: str | None = None
) -> Mapping[str, Any]:
    """A schema without references and alternatives: of several the one that knows most of the names."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if not alternatives:
        return schema
    forms = [_form(alternative, definitions, names, of_type) for alternative in alternatives]
    if of_type is not None:
        forms = [form for form in forms if form.get("type") == of_type] or forms
    return max(forms, key=lambda form: sum(name in form.get("properties", {}) for name in names))
