"""What `bellwire admin` works on: where each kind of record is in the admin API, and which fields it takes.

The fields are those of the API's own models, so the help and the checks here can't differ from the server's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bellwire.cli.failure import EXIT_USAGE, CommandFailed

if TYPE_CHECKING:
    from bellwire.engine.provision_commands import Command

ROOT = "/bellwire/v1/admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of record. `path` has a placeholder for each option in `within`."""

    name: str
    one: str
    path: str
    id_field: str
    shown: tuple[str, ...]
    """Fields in a list's line, after the id."""
    within: tuple[str, ...] = ()
    new: str | None = None
    changes: str | None = None
    """Names of the models in `engine.provision_commands`; None: this can't be done."""
    has_status: bool = True
    can_be_shown: bool = True

    def url(self, within: Mapping[str, str | None], record: str | None = None) -> str:
        """Raises CommandFailed where an option is missing."""
        from urllib.parse import quote

        for option in self.within:
            if not within.get(option):
                raise CommandFailed(
                    f"give --{option} ID: {self.name} belong to an {option}, and are found within it alone", EXIT_USAGE
                )
        base = ROOT + self.path.format(**{name: quote(value or "", safe="") for name, value in within.items()})
        return base if record is None else f"{base}/{quote(record, safe='')}"


RESOURCES = (
    Resource(
        name="accounts",
        one="account",
        path="/accounts",
        id_field="id",
        shown=("status", "companyName", "mainNumber"),
        new="NewAccount",
        changes="AccountChanges",
    ),
    Resource(
        name="extensions",
        one="extension",
        path="/accounts/{account}/extensions",
        id_field="id",
        shown=("status", "extensionNumber", "type", "firstName", "lastName"),
        within=("account",),
        new="NewExtension",
        changes="ExtensionChanges",
    ),
    Resource(
        name="numbers",
        one="phone number",
        path="/accounts/{account}/numbers",
        id_field="id",
        shown=("status", "phoneNumber", "usageType", "extensionId"),
        within=("account",),
        new="NewNumber",
        changes="NumberChanges",
    ),
    Resource(
        name="devices",
        one="device",
        path="/accounts/{account}/devices",
        id_field="id",
        shown=("status", "name", "type", "extensionId"),
        within=("account",),
        new="NewDevice",
        changes="DeviceChanges",
    ),
    Resource(
        name="applications",
        one="application",
        path="/applications",
        id_field="clientId",
        shown=("status", "name"),
        new="NewApplication",
        changes="ApplicationChanges",
    ),
    Resource(
        name="jwts",
        one="JWT",
        path="/extensions/{extension}/jwts",
        id_field="jti",
        shown=("label", "expiresAt", "revoked"),
        within=("extension",),
        new="NewJwt",
        has_status=False,
        can_be_shown=False,
    ),
    Resource(
        name="publisher-keys",
        one="publisher key",
        path="/publisher-keys",
        id_field="id",
        shown=("status", "label", "accountId"),
        new="NewPublisherKey",
        changes="KeyChanges",
    ),
    Resource(
        name="admin-keys",
        one="admin key",
        path="/admin-keys",
        id_field="id",
        shown=("status", "label", "accountId"),
        new="NewAdminKey",
        changes="KeyChanges",
    ),
)


def fields_of(model: str) -> dict[str, Mapping[str, Any]]:
    """JSON schema by field name, with `required` added."""
    schema = _model(model).model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    needed = set(schema.get("required", ()))
    return {
        name: {**_resolved(field, definitions), "required": name in needed}
        for name, field in schema["properties"].items()
    }


def field_lines(model: str) -> list[str]:
    """The fields, for people."""
    lines = []
    for name, field in fields_of(model).items():
        kinds = " or ".join(dict.fromkeys(_kind(choice) for choice in _choices(field)))
        lines.append(f"  {name}: {kinds}{' (required)' if field['required'] else ''}")
    return lines


def read_fields(model: str, given: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE` arguments as JSON: lists with commas between, `null` for nothing.

    Raises:
        CommandFailed: an argument is not of this form, or no such field exists.
    """
    known = fields_of(model)
    read: dict[str, Any] = {}
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals:
            raise CommandFailed(f"{argument} is not KEY=VALUE", EXIT_USAGE)
        if name not in known:
            raise CommandFailed(f"there is no field {name}; there are {', '.join(known)}", EXIT_USAGE)
        read[name] = _value(value, {choice.get("type") for choice in _choices(known[name])}, name)
    return read


def _value(text: str, types: set[str | None], name: str) -> Any:
    if text == "null" and "null" in types:
        return None
    if "array" in types:
        return [part.strip() for part in text.split(",") if part.strip()]
    if types & {"boolean", "number", "integer"}:
        try:
            return json.loads(text)
        except ValueError:
            raise CommandFailed(f"{name} takes {' or '.join(sorted(t for t in types if t))}", EXIT_USAGE) from None
    return text


def _model(name: str) -> type[Command]:
    from bellwire.engine import provision_commands

    found: type[Command] = getattr(provision_commands, name)
    return found


def _choices(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices: list[Mapping[str, Any]] = field.get("anyOf", [field])
    return choices


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A field's schema with references to definitions replaced, so that its type can be read."""
    if "$ref" in field:
        return {**definitions[field["$ref"].rsplit("/", 1)[-1]], **field}
    resolved = dict(field)
    if "anyOf" in resolved:
        resolved["anyOf"] = [_resolved(choice, definitions) for choice in resolved["anyOf"]]
    if "items" in resolved:
        resolved["items"] = _resolved(resolved["items"], definitions)
    return resolved


def _kind(choice: Mapping[str, Any]) -> str:
    if "enum" in choice:
        return "|".join(map(str, choice["enum"]))
    if choice.get("type") == "array":
        return f"list of {_kind(choice.get('items', {}))}"
    return str(choice.get("type", "string"))
