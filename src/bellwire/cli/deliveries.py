"""`bellwire deliveries`: delivery attempts, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from bellwire.cli.operator import (
    FromOption,
    LimitOption,
    ToOption,
    as_operator,
    latest,
    moment,
    of_attempt,
    print_json,
    print_table,
)
from bellwire.cli.options import DataOption, JsonOption, KeyOption, ServerOption


def deliveries(
    *,
    subscription: Annotated[str | None, typer.Option(help="Of this subscription.")] = None,
    event: Annotated[str | None, typer.Option(help="Of this event: its position or uuid.")] = None,
    outcome: Annotated[str | None, typer.Option(help="delivered, failed or given_up.")] = None,
    failure: Annotated[str | None, typer.Option(help="That failed with this code, as status_5xx.")] = None,
    replay: Annotated[str | None, typer.Option(help="Made by this replay.")] = None,
    from_: FromOption = None,
    to: ToOption = None,
    limit: LimitOption = 50,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show delivery attempts, newest first, with what went wrong in plain words. Needs an admin key."""
    query = {
        "subscription": subscription,
        "event": event,
        "outcome": outcome,
        "failure": failure,
        "replay": replay,
        "from": moment(from_, "--from"),
        "to": moment(to, "--to"),
    }
    records = latest(as_operator(server, key, data), "/deliveries", query, limit)
    if as_json:
        print_json(records)
        return
    print_table(
        ("started", "subscription", "event", "uuid", "try", "ms", "outcome", "what happened"),
        [
            (
                attempt["startedAt"],
                attempt["subscriptionId"],
                attempt["position"],
                attempt["uuid"],
                f"{attempt['number']}{' replay' if attempt['replayId'] else ''}",
                round(attempt["durationMs"], 1),
                of_attempt(attempt),
                attempt["detail"],
            )
            for attempt in records
        ],
        "no attempts",
    )
