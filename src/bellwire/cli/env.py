"""`bellwire env`: the demo credentials, for a `.env` file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bellwire.cli.data_directory import DEV_DIRECTORY, demo_environment


def env(
    data: Annotated[Path, typer.Option("--data", help="The data directory of `bellwire dev`.")] = DEV_DIRECTORY,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Print the demo credentials as KEY=value lines: `bellwire env > .env`.

    The same for a data directory every time, whatever the port; there as soon as the server answers.
    """
    variables = demo_environment(data)
    if as_json:
        typer.echo(json.dumps(variables, indent=2))
        return
    for name, value in variables.items():
        typer.echo(f"{name}={value}")
