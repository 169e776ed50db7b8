"""The reference pages of the documentation, made from the declarations: `make docs` writes them to `docs/`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby

from bellwire.filters import ParameterReference, TemplateReference
from bellwire.settings import reference as settings_table

_FILTERS_HEAD = """\
# Event filters

Written by `make docs` from `src/bellwire/families`; `bellwire families` and `GET /bellwire/v1/event-families` say the
same, the latter with the JSON schema of each body.

An event filter is a path, and maybe a query:

    /restapi/v1.0/account/~/extension/~/message-store?type=SMS&direction=Inbound

- `~` is your own account or extension. It becomes the id when the subscription is made; what is echoed, and sent as
  `event`, has the id.
- Different parameters are AND. A repeated parameter (`type=SMS&type=Fax`) is OR, and so are several filters.
- A *predicate* narrows which events match. A *projection* adds parts to the body. A *schedule* times reminders.
- Phone numbers are E.164. A `+` is a plus sign; `%2B` is the same.
- A path, parameter or value that is not listed here is refused (`SUB-508`), with the nearest that is.
- Where several filters of one subscription match an event on one path, one notification is sent, with the most
  detailed projection.
- The application needs the permission named first. Where a user's permission is named, too, it is needed for what is
  not the user's own; account administrators have all of them.
"""

_SETTINGS_HEAD = """\
# Settings

Written by `make docs` from `src/bellwire/settings.py`; `bellwire settings` says the same. The environment wins over the
TOML file, which `--config` or `BELLWIRE_CONFIG` names. A list is a TOML list, or a text with commas between. How to run
a server with them: [operation.md](operation.md).

"""


def event_filter_page(templates: Iterable[TemplateReference]) -> Iterator[str]:
    """Lines of the event-filter reference."""
    families = [(name, list(group)) for name, group in groupby(templates, key=lambda template: template.family)]
    yield _FILTERS_HEAD
    yield "| family | event filters |"
    yield "| --- | --- |"
    for _, group in families:
        paths = "<br>".join(f"`{_with_fixed_query(template)}`" for template in group)
        yield f"| [{group[0].title}](#{group[0].family}) | {paths} |"
    for _, group in families:
        yield from _family(group)


def configuration_page() -> str:
    """The settings reference."""
    return _SETTINGS_HEAD + settings_table()


def _family(group: list[TemplateReference]) -> Iterator[str]:
    first = group[0]
    yield f'\n<a id="{first.family}"></a>\n\n## {first.title} (`{first.family}`)\n'
    yield first.description
    if first.endpoint == "webinar":
        yield "Subscribed to at `/webinar/notifications/v1/subscriptions`."
    if not first.publishable:
        yield "Made by Bellwire itself; can't be published."
    for template in group:
        yield from _template(template)
    yield f"\nBody, for example:\n\n```json\n{json.dumps(first.sample, indent=2, ensure_ascii=False)}\n```"


def _template(template: TemplateReference) -> Iterator[str]:
    yield f"\n### `{_with_fixed_query(template)}`\n"
    for alias in template.aliases:
        yield f"- also written `{alias}`"
    for name, allowed in template.path_parameters.items():
        if allowed:
            yield f"- `{name}`: {_or(allowed)}"
    yield f"- for example `{template.example}`"
    if template.permission is not None:
        yield f"- application's permission: `{template.permission}`"
    if template.others_permission is not None:
        yield f"- user's permission, beyond the user's own: `{template.others_permission}`"
    if template.query_parameters:
        yield "\n| parameter | role | values | |\n| --- | --- | --- | --- |"
        for parameter in template.query_parameters:
            needed = " Must be given." if parameter.required else ""
            yield f"| `{parameter.name}` | {parameter.role} | {_values(parameter)} | {parameter.description}{needed} |"


def _values(parameter: ParameterReference) -> str:
    if parameter.allowed:
        return _or(parameter.allowed)
    if parameter.is_phone_number:
        return "phone number"
    if parameter.type == "integer":
        return "whole number" if parameter.minimum is None else f"whole number from {parameter.minimum}"
    return "id"


def _or(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _with_fixed_query(template: TemplateReference) -> str:
    fixed = "&".join(f"{known.name}={known.fixed}" for known in template.query_parameters if known.fixed)
    return f"{template.template}?{fixed}" if fixed else template.template
