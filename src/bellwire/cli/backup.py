"""`bellwire backup`: a copy of a data directory, also while a server runs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backup(
    to: Annotated[Path, typer.Argument(metavar="TO", help="A directory that does not exist yet: the backup.")],
    data: Annotated[Path, typer.Option("--data", help="The data directory; a server may be running on it.")],
) -> None:
    """Copy a data directory as it is at one moment, while its server goes on.

    A start on the copy goes on from that moment, as after a crash: nothing that was acknowledged before is lost, and
    what was under way is delivered again at most. TO appears when it is complete.
    """
    from bellwire.storage.backup import back_up

    made = back_up(data, to)
    typer.echo(f"{to}: {made.events} events up to position {made.head}, {made.size_bytes} bytes, {made.seconds:.1f} s")
