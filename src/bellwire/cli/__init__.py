"""The command line: one file per command. Commands import late, so that `--help` is quick.

Exit codes: 0 done, 1 failed, 2 used or configured wrongly. What goes wrong is said in plain lines on standard error;
a traceback is a bug of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from bellwire import __version__
from bellwire.cli.admin import admin
from bellwire.cli.backup import backup
from bellwire.cli.check import check
from bellwire.cli.deliveries import deliveries
from bellwire.cli.dev import dev
from bellwire.cli.env import env
from bellwire.cli.events import events
from bellwire.cli.explain import explain
from bellwire.cli.failure import EXIT_FAILED, EXIT_USAGE, CommandFailed, complain
from bellwire.cli.families import families
from bellwire.cli.listen import listen
from bellwire.cli.publish import publish
from bellwire.cli.replay import replay
from bellwire.cli.serve import serve
from bellwire.cli.settings import settings
from bellwire.cli.sms import sms
from bellwire.cli.subscriptions import subscriptions
from bellwire.cli.tail import tail
from bellwire.errors import BellwireError, Misconfigured

app = typer.Typer(
    name="bellwire",
    help="Self-hosted event notifications that speak the RingCentral subscription protocol.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(dev)
app.command()(env)
app.command()(listen)
app.command()(tail)
app.command()(publish)
app.command()(families)
app.command()(explain)
app.command()(events)
app.command()(deliveries)
app.command()(replay)
app.add_typer(subscriptions, name="subscriptions")
app.add_typer(sms, name="sms")
app.add_typer(admin, name="admin")
app.command()(check)
app.command()(backup)
app.command()(settings)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bellwire {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit; `arguments` are those of the process by default."""
    try:
        app(args=None if arguments is None else list(arguments))
    except CommandFailed as failure:
        complain(str(failure))
        sys.exit(failure.exit_code)
    except Misconfigured as refusal:
        complain("the configuration is refused:")
        for problem in refusal.problems:
            complain(f"  {problem.key}: {problem.message}")
        sys.exit(EXIT_USAGE)
    except BellwireError as error:
        complain(str(error))
        sys.exit(EXIT_FAILED)
    sys.exit(0)
