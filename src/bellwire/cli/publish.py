"""`bellwire publish`: hand events over to a server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from bellwire.cli.failure import EXIT_FAILED, EXIT_USAGE, CommandFailed, complain
from bellwire.cli.options import DataOption, JsonOption, ServerOption

if TYPE_CHECKING:
    import httpx

    from bellwire.cli.remote import Remote

PATH = "/bellwire/v1/events"
CHUNK_BYTES = 256 << 10
PEEK_BYTES = 1 << 20
TRIES = 5
MAX_WAIT_SECONDS = 60


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Events: one JSON object, an array, or NDJSON.")],
    *,
    server: ServerOption = None,
    key: Annotated[str | None, typer.Option("--key", help="Publisher key, else BELLWIRE_PUBLISHER_KEY.")] = None,
    data: DataOption = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Makes repeating this command safe for events without a uuid.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Publish events, and say what became of them. Exits with 1 when any was rejected.

    NDJSON is streamed, however long. A server that can't keep up is asked again, without publishing anything twice.
    """
    from bellwire.cli.remote import Remote, known_variables, said

    remote = Remote.with_key(known_variables(data), "BELLWIRE_PUBLISHER_KEY", server=server, key=key)
    if file == "-":
        answer = _publish(remote, sys.stdin.buffer, None, "standard input", idempotency_key)
    else:
        try:
            with Path(file).open("rb") as opened:
                size = Path(file).stat().st_size
                answer = _publish(remote, opened, size, file, idempotency_key)
        except OSError as error:
            raise CommandFailed(f"{file} can't be read: {error.strerror}", EXIT_USAGE) from None

    summary = _summary_of(answer)
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        _print_summary(summary)
    if not answer.is_success:
        raise CommandFailed(said(answer))
    if summary.get("rejectedCount"):
        raise typer.Exit(EXIT_FAILED)


def _publish(remote: Remote, source: IO[bytes], size: int | None, name: str, chosen_key: str | None) -> httpx.Response:
    """Send everything; again, from the start, while the server says that it can't keep up.

    The idempotency key makes the repetitions safe: what was taken before is recognised by its line.
    """
    from rich.console import Console
    from rich.progress import Progress, TransferSpeedColumn

    from bellwire.cli.remote import said

    head = source.read(PEEK_BYTES)
    content_type = "application/x-ndjson" if _is_lines(head, name) else "application/json"
    headers = {"Content-Type": content_type, "Idempotency-Key": chosen_key or str(uuid4())}
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(name, total=size)

        def chunks() -> Iterator[bytes]:
            chunk = head
            while chunk:
                yield chunk
                progress.advance(bar, len(chunk))
                chunk = source.read(CHUNK_BYTES)

        for attempt in range(1, TRIES + 1):
            answer = remote.send("POST", PATH, content=chunks(), headers=headers, timeout=600.0)
            if answer.status_code not in {429, 503} or attempt == TRIES or size is None:
                break
            wait = _wait_seconds(answer)
            complain(f"{said(answer)}; trying again in {wait} s")
            time.sleep(wait)
            source.seek(len(head))
            progress.reset(bar)
    return answer


def _is_lines(head: bytes, name: str) -> bool:
    """Whether it is NDJSON: it is named so, or its first line is a whole object.

    One object on one line is both; as NDJSON it is as good.
    """
    if name.endswith((".ndjson", ".jsonl")):
        return True
    first, _, _ = head.lstrip().partition(b"\n")
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _wait_seconds(answer: httpx.Response) -> int:
    asked = answer.headers.get("Retry-After", "")
    return min(int(asked), MAX_WAIT_SECONDS) if asked.isascii() and asked.isdigit() else 5


def _summary_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _print_summary(summary: dict[str, Any]) -> None:
    if "accepted" not in summary:
        return
    counts = (summary["accepted"], summary.get("duplicates", 0), summary.get("rejectedCount", 0))
    typer.echo("accepted {}, duplicates {}, rejected {}".format(*counts))
    for rejection in summary.get("rejected", []):
        typer.echo(f"  event {rejection['index'] + 1}: {rejection['errorCode']} {rejection['message']}")
    unlisted = counts[2] - len(summary.get("rejected", []))
    if unlisted > 0:
        typer.echo(f"  … and {unlisted} more")
