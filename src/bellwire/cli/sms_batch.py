"""`bellwire sms batch`: send what is in a CSV file, and follow it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.failure import EXIT_FAILED, EXIT_USAGE, CommandFailed
from bellwire.cli.operator import print_json
from bellwire.cli.options import DataOption, JsonOption, ServerOption
from bellwire.cli.sms_follow import A2P, Followed, FromOption, print_rejected, sender_of

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

CHUNK_CHARACTERS = 64 << 10
STATUSES = {
    "queued": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "sendingFailed": "failed to be sent",
    "deliveryFailed": "failed to be delivered",
}


def batch(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            help="Recipients: columns `to` and, where they differ, `text`; or numbers alone, one a line.",
        ),
    ],
    *,
    text: Annotated[
        str | None, typer.Option("--text", help="What is sent to all who have no text of their own.")
    ] = None,
    from_: FromOption = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait until the batch is completed.")] = True,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a batch of texts, and show how far it is until it is completed. Exits with 1 when entries were rejected.

    The file is streamed, however long; the server takes 50 MB. Ctrl-C ends the showing, not the sending.
    """
    from bellwire.cli.remote import known_variables

    variables = known_variables(data)
    followed = Followed(variables, server)
    created = _upload(followed, file, sender_of(variables, from_), text)
    if not as_json:
        typer.echo(f"batch {created['id']}: {created['batchSize']} accepted, {len(created['rejected'])} rejected")
        print_rejected(created["rejected"])
    if follow:
        _follow(followed, created, quiet=as_json)
    elif as_json:
        print_json(created)
    if created["rejected"]:
        raise typer.Exit(EXIT_FAILED)


def _upload(followed: Followed, file: Path, sender: str, text: str | None) -> dict[str, Any]:
    """Send the file's recipients, row by row."""
    from rich.progress import TransferSpeedColumn

    try:
        with file.open("rb") as opened, _progress(TransferSpeedColumn()) as progress:
            table = TextIOWrapper(opened, encoding="utf-8-sig", newline="")
            bar = progress.add_task(file.name, total=file.stat().st_size)
            content = request(
                entries(table, file.name),
                sender=sender,
                text=text,
                on_chunk=lambda: progress.update(bar, completed=opened.tell()),
            )
            return followed.post(f"{A2P}/batches", content=content, headers={"Content-Type": "application/json"})
    except OSError as error:
        raise CommandFailed(f"{file} can't be read: {error.strerror}", EXIT_USAGE) from None
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} is not UTF-8 text: {error.reason}", EXIT_USAGE) from None
    except csv.Error as error:
        raise CommandFailed(f"{file} is not CSV: {error}", EXIT_USAGE) from None


def entries(table: IO[str], name: str) -> Iterator[dict[str, Any]]:
    """The entries of a batch, as the API takes them; rows without anything are passed over.

    Raises:
        CommandFailed: the file has no recipients, or columns but none that is called `to`.
    """
    rows: Iterator[list[str]] = (row for row in csv.reader(table) if any(cell.strip() for cell in row))
    first = next(rows, None)
    if first is None:
        raise CommandFailed(f"{name} has no recipients", EXIT_USAGE)
    columns = [cell.strip().lower() for cell in first]
    if _is_number(first[0]):
        columns = ["to", "text"]
        rows = chain([first], rows)
    elif "to" not in columns:
        raise CommandFailed(f"{name} has no column `to`; it has {', '.join(first)}", EXIT_USAGE)
    count = 0
    for row in rows:
        cells = dict(zip(columns, row, strict=False))
        entry: dict[str, Any] = {"to": [cells.get("to", "").strip()]}
        if cells.get("text"):
            entry["text"] = cells["text"]
        count += 1
        yield entry
    if not count:
        raise CommandFailed(f"{name} has no recipients", EXIT_USAGE)


def request(
    found: Iterator[dict[str, Any]], *, sender: str, text: str | None, on_chunk: Callable[[], None]
) -> Iterator[bytes]:
    """The request's body in pieces, so that a file of any length takes little memory."""
    head: dict[str, str] = {"from": sender} if text is None else {"from": sender, "text": text}
    piece = json.dumps(head)[:-1] + ', "messages": ['
    separator = ""
    for entry in found:
        piece += separator + json.dumps(entry)
        separator = ","
        if len(piece) >= CHUNK_CHARACTERS:
            yield piece.encode()
            on_chunk()
            piece = ""
    yield (piece + "]}").encode()
    on_chunk()


def _is_number(cell: str) -> bool:
    digits = cell.strip().removeprefix("+")
    return bool(digits) and not set(digits) - set("0123456789 ()-.")


def _follow(followed: Followed, created: dict[str, Any], *, quiet: bool) -> None:
    """Show how far the batch is, and in the end what became of its messages."""
    from rich.progress import MofNCompleteColumn

    last = created
    try:
        with _progress(MofNCompleteColumn()) as progress:
            bar = progress.add_task("processed", total=created["batchSize"])
            for last in followed.until_completed(created):
                progress.update(bar, completed=last["processedCount"])
    except KeyboardInterrupt:
        raise CommandFailed(
            f"batch {created['id']} goes on: {last['processedCount']} of {last['batchSize']} were processed",
            EXIT_FAILED,
        ) from None
    counts = followed.get(f"{A2P}/statuses", {"batchId": created["id"]})
    if quiet:
        print_json(last | {"rejected": created["rejected"], "statuses": counts})
        return
    typer.echo(f"completed: {last['processedCount']} of {last['batchSize']} processed, cost {_money(last['cost'])}")
    for name, words in STATUSES.items():
        if counts[name]["count"]:
            codes = counts[name].get("errorCodeCounts", {})
            reasons = ", ".join(f"{code} {count}" for code, count in codes.items())
            typer.echo(f"  {counts[name]['count']} {words}" + (f" ({reasons})" if reasons else ""))


def _money(cost: float) -> str:
    """All of its digits, down to the millionths that the server counts in."""
    return f"{cost:.6f}".rstrip("0").rstrip(".")


def _progress(*more: ProgressColumn) -> Progress:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), *more)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
