"""`bellwire settings`: what can be configured."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As the page of the documentation.")] = False,
) -> None:
    """List the settings: key in the TOML file, name in the environment, values, default.

    The environment wins over the file, which `--config` or BELLWIRE_CONFIG names.
    """
    from bellwire.settings import ENVIRONMENT_PREFIX, declarations, shown

    if as_markdown:
        from bellwire.cli.reference_pages import configuration_page

        typer.echo(configuration_page(), nl=False)
        return
    listed = [
        {
            "key": key,
            "environment": ENVIRONMENT_PREFIX + key.upper(),
            "values": f"{declaration.takes} {declaration.unit}".strip(),
            "default": shown(default),
            "defaultInDev": shown(default if declaration.dev_default is None else declaration.dev_default),
            "help": declaration.help,
        }
        for key, (declaration, default) in declarations().items()
    ]
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
        return
    for entry in listed:
        typer.echo(f"{entry['key']}  ({entry['environment']})")
        typer.echo(f"    {entry['help']}")
        in_dev = "" if entry["defaultInDev"] == entry["default"] else f"; in dev: {entry['defaultInDev']}"
        typer.echo(f"    takes: {entry['values']}; default: {entry['default']}{in_dev}")
