"""What the commands for operators share: the admin key, whole lists out of pages, times, tables."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.failure import EXIT_USAGE, CommandFailed

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote

ROOT = "/bellwire/v1"
PAGE = 1000
WIDE = 240
"""Columns of a table that goes to a file or a pipe, where nothing is cut off."""

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Since then: ISO 8601, or how long ago, as 30m, 2h, 1d.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before then.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many to show, newest first.")]


def as_operator(server: str | None, key: str | None, data: Path | None) -> Remote:
    """The server, with an admin key."""
    from bellwire.cli.remote import Remote, known_variables

    return Remote.with_key(known_variables(data), "BELLWIRE_ADMIN_KEY", server=server, key=key)


def latest(remote: Remote, path: str, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """The first `limit` records of a list, over as many pages as it takes."""
    records: list[dict[str, Any]] = []
    given = {name: value for name, value in query.items() if value is not None}
    cursor: dict[str, str] = {}
    while True:
        part = {"limit": min(PAGE, limit - len(records)), **cursor}
        page = remote.ask("GET", ROOT + path, params={**given, **part}).json()
        records += page["records"]
        if len(records) >= limit or not page["nextCursor"]:
            return records
        cursor = {"cursor": page["nextCursor"]}


def moment(text: str | None, option: str) -> str | None:
    """A time as the API takes it."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            found = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        what = "give a time as 2026-03-01T12:00:00Z, or how long ago as 30m, 2h, 1d"
        raise CommandFailed(f"{option} {text}: {what}", EXIT_USAGE) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).isoformat()


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> None:
    """
    Args:
        nothing: what is said instead of an empty table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    is_terminal = sys.stdout.isatty()
    Console(file=sys.stdout, width=None if is_terminal else WIDE).print(table)


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    shown = [(name, value) for name, value in fields if value not in {None, ""}]
    width = max((len(name) for name, _ in shown), default=0) + 1
    for name, value in shown:
        typer.echo(f"{name + ':':<{width}} {value}")


def of_attempt(attempt: dict[str, Any]) -> str:
    """What came of an attempt, in a word or two."""
    if attempt["failureCode"] is None:
        return f"{attempt['outcome']} {attempt['status'] or ''}".rstrip()
    status = f" {attempt['status']}" if attempt["status"] else ""
    return f"{attempt['outcome']}: {attempt['failureCode']}{status}"
