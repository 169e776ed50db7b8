"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Take server and credentials from this data directory of `bellwire dev`.")
]
ServerOption = Annotated[str | None, typer.Option("--server", help="Base URL of the server, else RC_SERVER_URL.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="Admin key, else BELLWIRE_ADMIN_KEY.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
