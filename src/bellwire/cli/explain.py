"""`bellwire explain`: would this event filter match this event, and if not, why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.failure import EXIT_FAILED, EXIT_USAGE, CommandFailed
from bellwire.cli.options import DataOption, JsonOption, ServerOption

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote

PATH = "/bellwire/v1/explain"
MAX_EVENT_BYTES = 16 << 20
"""What is read of EVENT at most; the server takes less."""


def explain(
    event_filter: Annotated[str, typer.Argument(metavar="FILTER", help="The event filter, as for subscribing.")],
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT",
            help="As for publishing, its body perhaps partial: JSON, or @FILE, or - for standard input.",
        ),
    ],
    *,
    extension: Annotated[
        str | None, typer.Option(help="With a publisher key: id of the extension whose filter it is.")
    ] = None,
    server: ServerOption = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Ask with this publisher key instead of as the user of RC_USER_JWT.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an event filter matches an event, and if not, why not. Nothing is published.

    Exits with 0 when it matches, with 1 when it does not, and with 2 when the filter, the event or the way to the
    server is wrong. `~` in the filter is the user of RC_USER_JWT; with only a publisher key, or --key, it is the key's
    account.
    """
    try:
        request = {"filter": event_filter, "event": _event(event)}
        if extension is not None:
            request["extensionId"] = extension
        answer = _remote(data, server, key).ask("POST", PATH, json=request)
    except CommandFailed as failure:  # 1 would say that it does not match
        raise CommandFailed(str(failure), EXIT_USAGE) from None
    explanation: dict[str, Any] = answer.json()
    if as_json:
        typer.echo(json.dumps(explanation, indent=2, ensure_ascii=False))
    else:
        typer.echo("matches" if explanation["matches"] else "does not match")
        for reason in explanation["reasons"]:
            typer.echo(f"  {reason['message']}")
        for note in explanation["notes"]:
            typer.echo(f"  note: {note}")
    if not explanation["matches"]:
        raise typer.Exit(EXIT_FAILED)


def _event(given: str) -> dict[str, Any]:
    if given == "-":
        name, text = "standard input", sys.stdin.buffer.read(MAX_EVENT_BYTES)
    elif given.startswith("@"):
        name = given[1:]
        try:
            with Path(name).open("rb") as opened:
                text = opened.read(MAX_EVENT_BYTES)
        except OSError as error:
            raise CommandFailed(f"{name} can't be read: {error.strerror}") from None
    else:
        name, text = "EVENT", given.encode(errors="surrogateescape")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as malformed:
        raise CommandFailed(f"{name} is not JSON: {malformed}") from None
    if not isinstance(event, dict):
        raise CommandFailed(f"{name} has to be one JSON object, with the event's topic as `event`")
    return event


def _remote(data: Path | None, server: str | None, key: str | None) -> Remote:
    """As the user where that is known, since a user's filters are explained; else with the publisher key."""
    from bellwire.cli.remote import Remote, known_variables

    variables = known_variables(data)
    if key is None and variables.get("RC_USER_JWT") and variables.get("RC_APP_CLIENT_ID"):
        return Remote.logged_in(variables, server=server)
    return Remote.with_key(variables, "BELLWIRE_PUBLISHER_KEY", server=server, key=key)
