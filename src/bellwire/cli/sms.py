"""`bellwire sms`: send texts, play a recipient who texts back, see who has opted out."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any, Literal

import typer

from bellwire.cli.failure import EXIT_FAILED
from bellwire.cli.operator import print_json, print_table
from bellwire.cli.options import DataOption, JsonOption, ServerOption
from bellwire.cli.sms_batch import batch
from bellwire.cli.sms_follow import A2P, Followed, FromOption, final_messages, print_rejected, sender_of

INBOUND = "/bellwire/v1/sms/inbound"
COLUMNS = ("from", "to", "status", "source")

sms = typer.Typer(
    help="High Volume SMS: send texts, receive them, follow batches, list opt-outs.", no_args_is_help=True
)
sms.command()(batch)


@sms.command()
def receive(
    text: Annotated[str, typer.Argument(help="What the recipient texts: STOP, START, or anything else.")],
    *,
    from_: Annotated[str, typer.Option("--from", metavar="NUMBER", help="Who texts (E.164).")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="NUMBER", help="Your number, else BELLWIRE_A2P_NUMBER.")
    ] = None,
    server: ServerOption = None,
    key: Annotated[str | None, typer.Option("--key", help="Publisher key, else BELLWIRE_PUBLISHER_KEY.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a recipient who texts one of your numbers, as a carrier would bring it in. In development only.

    A keyword opts the recipient out, or in again; subscriptions are told as of any other text.
    """
    from bellwire.cli.remote import Remote, known_variables, needed

    variables = known_variables(data)
    number = to or needed(variables, "BELLWIRE_A2P_NUMBER", "--to")
    remote = Remote.with_key(variables, "BELLWIRE_PUBLISHER_KEY", server=server, key=key)
    stored = remote.ask("POST", INBOUND, json={"from": from_, "to": number, "text": text}).json()
    if as_json:
        print_json(stored)
    else:
        typer.echo(f"message {stored['id']} received: {from_} → {number}")


@sms.command()
def send(
    text: Annotated[str, typer.Argument(help="What is sent.")],
    *,
    to: Annotated[list[str], typer.Option("--to", metavar="NUMBER", help="Recipient (E.164); may be repeated.")],
    from_: FromOption = None,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to wait for the carrier's last word; 0: not at all."),
    ] = 30,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a text, and say what became of it. Exits with 1 when a message was rejected or failed."""
    from bellwire.cli.remote import known_variables

    variables = known_variables(data)
    followed = Followed(variables, server)
    wanted = {"from": sender_of(variables, from_), "text": text, "messages": [{"to": [number]} for number in to]}
    created = followed.post(f"{A2P}/batches", json=wanted)
    messages = final_messages(followed, created, wait)
    if as_json:
        print_json({"batch": followed.batch(created["id"]) | {"rejected": created["rejected"]}, "messages": messages})
    else:
        typer.echo(f"batch {created['id']}: {created['batchSize']} accepted, {len(created['rejected'])} rejected")
        print_rejected(created["rejected"])
        _print_messages(messages)
    if created["rejected"] or any("errorCode" in message for message in messages):
        raise typer.Exit(EXIT_FAILED)


@sms.command("opt-outs")
def opt_outs(
    *,
    from_: Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="From this number of yours.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="Of this recipient.")] = None,
    status: Annotated[Literal["optout", "optin", "all"], typer.Option(help="Who is listed.")] = "optout",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipients who have opted out of texts from your numbers, or in again."""
    from bellwire.cli.remote import known_variables

    followed = Followed(known_variables(data), server)
    query = {name: value for name, value in (("from", from_), ("to", to), ("status", status)) if value is not None}
    records = followed.records(f"{A2P}/opt-outs", query)
    rows = [[record[column] for column in COLUMNS] for record in records]
    if as_json:
        print_json(records)
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *rows])
    else:
        print_table(COLUMNS, rows, "nobody")


def _print_messages(messages: list[dict[str, Any]]) -> None:
    print_table(
        ("message", "to", "status", "segments", "cost", "error"),
        [
            (
                message["id"],
                message["to"][0],
                message["messageStatus"],
                message.get("segmentCount"),
                message.get("cost"),
                message.get("errorCode"),
            )
            for message in messages
        ],
        "no messages",
    )
