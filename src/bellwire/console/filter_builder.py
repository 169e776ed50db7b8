"""A form for one event filter, made from the declaration of its family. Pure: values in, filter or form out."""

from __future__ import annotations

from collections.abc import Mapping

from bellwire.console.forms import choice, text_field
from bellwire.console.markup import Html, h
from bellwire.console.region import Values, text_of, texts_of
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.registry import placeholders
from bellwire.filters import MAX_FILTER_LENGTH

MOST_BOXES = 8
"""Values of a parameter up to which each has a box to tick."""


def template_options() -> list[tuple[str, str]]:
    """Every template of every family, by title."""
    return [
        (
            _name(family, number),
            family.title if len(family.templates) == 1 else f"{family.title}: {_short(template.path)}",
        )
        for family in sorted(REGISTRY.families, key=lambda one: one.title)
        for number, template in enumerate(family.templates)
    ]


def template_named(name: str) -> tuple[EventFamily, Template] | None:
    """As an option of the form names it."""
    family_name, _, number = name.partition(".")
    family = REGISTRY.by_name(family_name)
    if family is None or not number.isdecimal() or int(number) >= len(family.templates):
        return None
    return family, family.templates[int(number)]


def fields_of(family: EventFamily, template: Template) -> Html:
    """A field for each id of the path that is not the account's, and for each parameter."""
    ids = [
        _id_field(template, name) for name in placeholders(template.path) if name not in {"accountId", "subscriptionId"}
    ]
    return h(
        "div",
        {"class": "fields"},
        h("p", {"class": "hint wide"}, family.description),
        ids,
        [_parameter_field(parameter) for parameter in template.parameters],
    )


def filter_of(template: Template, values: Values) -> str:
    """The filter that the form's values say, as a subscriber would write it."""
    path = template.path
    for name in placeholders(path):
        given = text_of(values, f"id-{name}", limit=128) or "~"
        path = path.replace("{" + name + "}", "~" if name in {"accountId", "subscriptionId"} else given)
    parts = [part for parameter in template.parameters for part in _written(parameter, values)]
    return (f"{path}?{'&'.join(parts)}" if parts else path)[:MAX_FILTER_LENGTH]


def _written(parameter: QueryParameter, values: Values) -> list[str]:
    if parameter.fixed is not None:
        return [f"{parameter.name}={parameter.fixed}"]
    given = texts_of(values, f"q-{parameter.name}", limit=256)
    if not parameter.closed_values:
        given = [piece for text in given for piece in text.replace(",", " ").split()]
    return [f"{parameter.name}={value}" for value in given]


def _id_field(template: Template, name: str) -> Html:
    label = _in_words(name)
    allowed = template.path_values.get(name)
    if allowed is not None:
        return choice(f"id-{name}", label, [(value, value) for value in allowed])
    if name == "extensionId":
        return text_field(f"id-{name}", label, "~", hint="~ is the owner’s own; or the id of another.", limit=128)
    return text_field(f"id-{name}", label, hint="Its id.", limit=128)


def _parameter_field(parameter: QueryParameter) -> Html:
    name = f"q-{parameter.name}"
    if parameter.fixed is not None:
        return h(
            "div",
            {"class": "field"},
            h("span", {"class": "label"}, parameter.name),
            h("span", {"class": "chip"}, parameter.fixed),
            h("p", {"class": "hint"}, "Belongs to this kind of filter."),
        )
    values = parameter.closed_values
    if parameter.role is Role.PROJECTION and parameter.type == "boolean":
        return _boxes(name, parameter, {"true": parameter.name})
    if values and parameter.type != "boolean" and len(values) <= MOST_BOXES and parameter.role is Role.PREDICATE:
        return _boxes(name, parameter, {value: value for value in values})
    if values:
        first = [] if parameter.required else [("", "Any")]
        return choice(name, parameter.name, [*first, *((value, value) for value in values)], hint=parameter.description)
    several = "" if parameter.role is not Role.PREDICATE else " Several: with blanks between."
    kind = "number" if parameter.type == "integer" else "text"
    return text_field(
        name,
        parameter.name,
        kind=kind,
        hint=parameter.description + several,
        placeholder="+16505550100" if parameter.is_phone_number else "",
        limit=512,
    )


def _boxes(name: str, parameter: QueryParameter, values: Mapping[str, str]) -> Html:
    boxes = [
        h("label", {"class": "check"}, h("input", {"type": "checkbox", "name": name, "value": value}), read)
        for value, read in values.items()
    ]
    return h(
        "fieldset",
        {"class": "field"},
        h("legend", None, parameter.name),
        h("div", {"class": "row"}, boxes),
        h("p", {"class": "hint"}, parameter.description),
    )


def _name(family: EventFamily, number: int) -> str:
    return f"{family.name}.{number}"


def _short(path: str) -> str:
    return (
        path.removeprefix("/restapi/v1.0/account/{accountId}/")
        .replace("{extensionId}", "…")
        .replace("{", "")
        .replace("}", "")
    )


def _in_words(name: str) -> str:
    return name.removesuffix("Id").capitalize()
