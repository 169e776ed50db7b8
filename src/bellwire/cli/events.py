"""`bellwire events`: the event history, and one event with who got it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from bellwire.cli.operator import (
    ROOT,
    FromOption,
    LimitOption,
    ToOption,
    as_operator,
    latest,
    moment,
    of_attempt,
    print_fields,
    print_json,
    print_table,
)
from bellwire.cli.options import DataOption, JsonOption, KeyOption, ServerOption

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote


def events(
    event: Annotated[
        str | None, typer.Argument(metavar="[EVENT]", help="Position or uuid: show this one, and who got it.")
    ] = None,
    *,
    family: Annotated[str | None, typer.Option(help="Of this event family; see `bellwire families`.")] = None,
    topic: Annotated[str | None, typer.Option(help="Published on this topic.")] = None,
    account: Annotated[str | None, typer.Option(help="Of this account.")] = None,
    uuid: Annotated[str | None, typer.Option(help="With this uuid.")] = None,
    from_: FromOption = None,
    to: ToOption = None,
    limit: LimitOption = 50,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show events, newest first, or one event with its notifications. Needs an admin key."""
    remote = as_operator(server, key, data)
    if event is not None:
        _show(remote, event, limit, as_json)
        return
    query = {
        "family": family,
        "topic": topic,
        "account": account,
        "uuid": uuid,
        "from": moment(from_, "--from"),
        "to": moment(to, "--to"),
    }
    records = latest(remote, "/events", query, limit)
    if as_json:
        print_json(records)
        return
    columns = ("position", "time", "account", "family", "uuid", "bytes", "topic")
    names = ("position", "timestamp", "accountId", "family", "uuid", "sizeBytes", "topic")
    print_table(columns, [[record[name] for name in names] for record in records], "no events")


def _show(remote: Remote, event: str, limit: int, as_json: bool) -> None:
    path = f"/events/{quote(event, safe='')}"
    found: dict[str, Any] = remote.ask("GET", ROOT + path).json()
    notifications = latest(remote, f"/events/{found['position']}/notifications", {}, limit)
    if as_json:
        print_json({**found, "notifications": notifications})
        return
    print_fields([(name, found[name]) for name in ("position", "uuid", "accountId", "family", "topic", "timestamp")])
    typer.echo("body:")
    print_json(found["body"])
    typer.echo("")
    print_table(
        ("subscription", "state", "tries", "last attempt", "what happened", "topic"),
        [
            (
                record["subscriptionId"] + ("" if record["subscriptionExists"] else " (ended)"),
                record["state"],
                record["attempts"],
                None if record["lastAttempt"] is None else of_attempt(record["lastAttempt"]),
                None if record["lastAttempt"] is None else record["lastAttempt"]["detail"],
                record["topic"],
            )
            for record in notifications
        ],
        "no subscription was to get it",
    )
