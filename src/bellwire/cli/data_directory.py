"""What the command line keeps in a data directory beside the server's files: the URL that it was last reached by."""

from __future__ import annotations

import os
from pathlib import Path

from bellwire.cli.failure import CommandFailed
from bellwire.settings import DEFAULT_PORT, local_url

DEV_DIRECTORY = Path(".bellwire")
_URL_FILE = "server-url"
_MAX_URL_BYTES = 4096


def record_server_url(directory: Path, url: str) -> None:
    """Remember the URL, whole or not at all: `bellwire env` may read at any moment."""
    fresh = directory / f"{_URL_FILE}.{os.getpid()}"
    fresh.write_text(url + "\n")
    fresh.replace(directory / _URL_FILE)


def recorded_server_url(directory: Path) -> str:
    """The URL of the server that runs, or ran last, on the directory; that of the default port where none did."""
    try:
        with (directory / _URL_FILE).open() as file:
            url = file.read(_MAX_URL_BYTES).strip()
    except (OSError, ValueError):
        url = ""
    return url or local_url("127.0.0.1", DEFAULT_PORT)


def demo_environment(directory: Path) -> dict[str, str]:
    """The variables that `bellwire env` prints, of a directory that `bellwire dev` has run on.

    Raises:
        CommandFailed: there are no demo credentials.
    """
    from bellwire.engine.seed import DEMO_MEMO, demo_credentials_from
    from bellwire.storage.records.installation import read_memo

    credentials = demo_credentials_from(read_memo(directory, DEMO_MEMO))
    if credentials is None:
        raise CommandFailed(
            f"there are no demo credentials in {directory}; start `bellwire dev --data {directory}` first"
        )
    return dict(credentials.env(recorded_server_url(directory)))
