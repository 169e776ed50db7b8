"""The event-filter reference, made from the declarations: what the API's list, the CLI and the docs show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, QueryParameter, Template
from bellwire.families.registry import placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterReference:
    name: str
    role: str
    type: str
    description: str
    allowed: tuple[str, ...]
    """Empty: any."""
    fixed: str | None
    required: bool
    is_phone_number: bool
    minimum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReference:
    """One template of one family, in words and plain values. `example`: a filter that works for any caller."""

    family: str
    title: str
    description: str
    template: str
    aliases: tuple[str, ...]
    path_parameters: Mapping[str, tuple[str, ...]]
    """Names in order, with the values allowed; empty is any id."""
    query_parameters: tuple[ParameterReference, ...]
    permission: str | None
    others_permission: str | None
    endpoint: str
    """`general` or `webinar`."""
    is_flat: bool
    publishable: bool
    body_schema: Mapping[str, Any]
    sample: Mapping[str, Any]
    example: str

    def as_json(self) -> dict[str, Any]:
        """With the names of the JSON answer."""
        return {
            "family": self.family,
            "title": self.title,
            "description": self.description,
            "template": self.template,
            "aliases": list(self.aliases),
            "pathParameters": [
                {"name": name, "allowed": list(allowed)} for name, allowed in self.path_parameters.items()
            ],
            "queryParameters": [
                {
                    "name": parameter.name,
                    "role": parameter.role,
                    "type": parameter.type,
                    "format": "e164" if parameter.is_phone_number else None,
                    "description": parameter.description,
                    "allowed": list(parameter.allowed),
                    "fixed": parameter.fixed,
                    "required": parameter.required,
                    "minimum": parameter.minimum,
                }
                for parameter in self.query_parameters
            ],
            "permission": self.permission,
            "othersPermission": self.others_permission,
            "endpoint": self.endpoint,
            "flat": self.is_flat,
            "publishable": self.publishable,
            "example": self.example,
            "sample": dict(self.sample),
            "bodySchema": dict(self.body_schema),
        }


def reference() -> Iterator[TemplateReference]:
    """All templates, family by family in the order of their names."""
    for family in REGISTRY.families:
        schema = family.body.model_json_schema(by_alias=True)
        for template in family.templates:
            yield _of_template(family, template, schema)


def _of_template(family: EventFamily, template: Template, schema: Mapping[str, Any]) -> TemplateReference:
    others = template.others_permission
    return TemplateReference(
        family=family.name,
        title=family.title,
        description=family.description,
        template=template.path,
        aliases=template.aliases,
        path_parameters={name: template.path_values.get(name, ()) for name in placeholders(template.path)},
        query_parameters=tuple(_of_parameter(parameter) for parameter in template.parameters),
        permission=None if template.permission is None else template.permission.value,
        others_permission=None if others is None else others.value,
        endpoint=family.api.value,
        is_flat=family.is_flat,
        publishable=family.publishable,
        body_schema=schema,
        sample=family.sample,
        example=_example(template),
    )


def _of_parameter(parameter: QueryParameter) -> ParameterReference:
    return ParameterReference(
        name=parameter.name,
        role=parameter.role.value,
        type=parameter.type,
        description=parameter.description,
        allowed=parameter.closed_values,
        fixed=parameter.fixed,
        required=parameter.required or parameter.fixed is not None,
        is_phone_number=parameter.is_phone_number,
        minimum=parameter.minimum,
    )


def _example(template: Template) -> str:
    """The template with `~` where that is the caller's own, any id elsewhere, and the parameters that must be there."""
    path = template.path
    for name in placeholders(path):
        own = "~" if name in ("accountId", "extensionId", "subscriptionId") else "1001"
        path = path.replace("{" + name + "}", template.path_values.get(name, (own,))[0])
    query = "&".join(
        f"{parameter.name}={parameter.valid_value}"
        for parameter in template.parameters
        if parameter.required or parameter.fixed is not None
    )
    return f"{path}?{query}" if query else path
