"""`bellwire families`: which events can be subscribed to, and how. Works without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from bellwire.cli.failure import EXIT_USAGE, CommandFailed

if TYPE_CHECKING:
    from bellwire.filters import ParameterReference, TemplateReference


def families(
    name: Annotated[str | None, typer.Argument(help="Only this family, in full.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with body schemas and samples.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As the page of the documentation.")] = False,
) -> None:
    """List the event families, or show one with its filters, parameters and a sample."""
    from bellwire.filters import reference

    templates = list(reference())
    if name is not None:
        names = {template.family for template in templates}
        if name not in names:
            close = get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; `bellwire families` lists them"
            raise CommandFailed(f"there is no event family {name}{hint}", EXIT_USAGE)
        templates = [template for template in templates if template.family == name]
    if as_json:
        typer.echo(json.dumps([template.as_json() for template in templates], indent=2))
        return
    if as_markdown:
        from bellwire.cli.reference_pages import event_filter_page

        typer.echo("\n".join(event_filter_page(templates)))
        return
    for line in _listed(templates) if name is None else _shown(templates):
        typer.echo(line)


def _listed(templates: Sequence[TemplateReference]) -> Iterator[str]:
    width = max(len(template.family) for template in templates)
    family = ""
    for template in templates:
        if template.family != family:
            family = template.family
            yield f"{family:<{width}}  {template.title}"
        yield f"{'':<{width}}    {template.template}{_fixed_query(template)}"


def _shown(templates: Sequence[TemplateReference]) -> Iterator[str]:
    first = templates[0]
    yield f"{first.family}: {first.title}"
    yield first.description
    yield f"subscriptions: {'webinar' if first.endpoint == 'webinar' else 'general'} API"
    for template in templates:
        yield ""
        yield f"{template.template}{_fixed_query(template)}"
        for alias in template.aliases:
            yield f"  also: {alias}"
        yield f"  for example: {template.example}"
        if template.permission is not None:
            yield f"  application's permission: {template.permission}"
        if template.others_permission is not None:
            yield f"  user's permission, beyond the user's own: {template.others_permission}"
        for parameter in template.query_parameters:
            yield f"  {parameter.name} ({_kind(parameter)}): {parameter.description}"
    yield ""
    yield "sample body:"
    yield json.dumps(first.sample, indent=2, ensure_ascii=False)


def _fixed_query(template: TemplateReference) -> str:
    fixed = [f"{parameter.name}={parameter.fixed}" for parameter in template.query_parameters if parameter.fixed]
    return "?" + "&".join(fixed) if fixed else ""


def _kind(parameter: ParameterReference) -> str:
    values = " or ".join(parameter.allowed) or ("phone number" if parameter.is_phone_number else parameter.type)
    return f"{parameter.role}, {values}{', required' if parameter.required else ''}"
