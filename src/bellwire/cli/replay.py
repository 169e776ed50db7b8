"""`bellwire replay`: send one event, or a time range, to a subscription again, and watch it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from bellwire.cli.failure import EXIT_FAILED, EXIT_USAGE, CommandFailed
from bellwire.cli.operator import (
    ROOT,
    FromOption,
    ToOption,
    as_operator,
    moment,
    print_fields,
    print_json,
    print_table,
)
from bellwire.cli.options import DataOption, JsonOption, KeyOption, ServerOption

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote

LOOK_SECONDS = 0.3


def replay(
    subscription: Annotated[str | None, typer.Argument(metavar="[SUBSCRIPTION]", help="Whom to send to.")] = None,
    *,
    event: Annotated[str | None, typer.Option(help="Send this event: its position or uuid.")] = None,
    from_: FromOption = None,
    to: ToOption = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start it, and do not watch it.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List replays, of the subscription if one is given.")] = False,
    show: Annotated[str | None, typer.Option(metavar="REPLAY", help="Show how far a replay came.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="REPLAY", help="Cancel a replay.")] = None,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send what matches a subscription's present filters again, whatever came of it before. Needs an admin key.

    Notifications keep their uuid, and have the header `Bellwire-Replay`. The replay goes on when this command is
    interrupted.
    """
    if cancel is not None or show is not None:
        remote = as_operator(server, key, data)
        verb, named = ("GET", show) if cancel is None else ("DELETE", cancel)
        _print(remote.ask(verb, _path(named or "")).json(), as_json)
    elif list_:
        _list(as_operator(server, key, data), subscription, as_json)
    elif subscription is None or (event is None) == (from_ is None):
        raise CommandFailed("give a SUBSCRIPTION, and either --event or --from (and maybe --to)", EXIT_USAGE)
    else:
        body = {"event": event} if event is not None else {"from": moment(from_, "--from"), "to": moment(to, "--to")}
        remote = as_operator(server, key, data)
        path = f"{ROOT}/subscriptions/{quote(subscription, safe='')}/replay"
        started = remote.ask("POST", path, json=body).json()
        ended = started if no_wait else _watched(remote, started)
        _print(ended, as_json)
        if ended["state"] == "cancelled" or ended["givenUp"]:
            raise typer.Exit(EXIT_FAILED)


def _path(replay: str) -> str:
    return f"{ROOT}/replays/{quote(replay, safe='')}"


def _watched(remote: Remote, found: dict[str, Any]) -> dict[str, Any]:
    """The replay once it has ended; meanwhile a bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("replay", total=1.0)
        while found["state"] == "running":
            time.sleep(LOOK_SECONDS)
            found = remote.ask("GET", _path(found["id"])).json()
            label = f"{found['delivered']} delivered" + (f", {found['reason']}" if found["reason"] else "")
            progress.update(bar, completed=found["progress"], description=label)
    return found


def _list(remote: Remote, subscription: str | None, as_json: bool) -> None:
    query = {} if subscription is None else {"subscription": subscription}
    records = remote.ask("GET", f"{ROOT}/replays", params=query).json()["records"]
    if as_json:
        print_json(records)
        return
    print_table(
        ("replay", "subscription", "created", "state", "done", "delivered", "given up", "failed tries", "reason"),
        [
            (
                record["id"],
                record["subscriptionId"],
                record["createdAt"],
                record["state"],
                f"{record['progress']:.0%}",
                record["delivered"],
                record["givenUp"],
                record["failedAttempts"],
                record["reason"],
            )
            for record in records
        ],
        "no replays",
    )


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_fields(
        [
            ("replay", found["id"]),
            ("subscription", found["subscriptionId"]),
            ("state", f"{found['state']}, {found['progress']:.0%}"),
            ("delivered", found["delivered"]),
            ("given up", found["givenUp"] or None),
            ("failed tries", found["failedAttempts"] or None),
            ("reason", found["reason"]),
        ]
    )
