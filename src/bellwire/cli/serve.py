"""`bellwire serve`: production."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.running import Server
    from bellwire.settings import Settings


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with settings, else BELLWIRE_CONFIG.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the configuration is accepted.")] = False,
) -> None:
    """Run the server, configured by the environment (BELLWIRE_…) and a TOML file; see `bellwire settings`.

    A bad or unsafe configuration is refused with all that is wrong with it, and exit code 2.
    """
    from bellwire.configuration import load_settings
    from bellwire.settings import Mode

    settings = load_settings(os.environ, config, Mode.SERVE)
    if check:
        from bellwire.cli.listening_socket import trouble_with_host
        from bellwire.errors import Misconfigured

        if (problem := trouble_with_host(settings.host)) is not None:
            raise Misconfigured((problem,))
        typer.echo("the configuration is accepted")
        return

    from contextlib import asynccontextmanager

    from bellwire.cli.collector import quick_imports

    with quick_imports():
        from bellwire.cli.process import run_server
        from bellwire.console.gate import EXTRA_MISSING, is_installed
    from bellwire.observe.logs import set_up_logs
    from bellwire.settings import LogFormat, local_url

    set_up_logs(level=settings.log_level, json_lines=settings.log_format is LogFormat.JSON)

    @asynccontextmanager
    async def announced(server: Server, running: Settings) -> AsyncIterator[None]:
        typer.echo(f"bellwire serves {running.base_url} on {local_url(running.host, running.port)}")
        if running.console:
            typer.echo(f"console {running.base_url}/console" if is_installed() else EXTRA_MISSING)
        for note in server.notes:
            typer.echo(note)
        yield

    run_server(settings, dev=False, beside=announced)
