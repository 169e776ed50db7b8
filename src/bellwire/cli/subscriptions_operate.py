"""`bellwire subscriptions pause|resume|test|probe|health`: for operators, on any user's subscription."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from bellwire.cli.failure import EXIT_FAILED
from bellwire.cli.operator import ROOT, as_operator, of_attempt, print_fields, print_json
from bellwire.cli.options import DataOption, JsonOption, KeyOption, ServerOption

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.")]


def add_operator_commands(subscriptions: typer.Typer) -> None:
    subscriptions.command()(pause)
    subscriptions.command()(resume)
    subscriptions.command()(test)
    subscriptions.command()(probe)
    subscriptions.command()(health)


def pause(
    subscription: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop deliveries; notifications gather in the backlog. Needs an admin key."""
    _say(_ask("POST", subscription, "pause", server, key, data), "paused", as_json)


def resume(
    subscription: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with what gathered, in order. Needs an admin key."""
    _say(_ask("POST", subscription, "resume", server, key, data), "resumed", as_json)


def test(
    subscription: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a sample event, now and once, and say what came of it; exits with 1 if it failed. Needs an admin key."""
    attempt = _ask("POST", subscription, "test", server, key, data)
    if as_json:
        print_json(attempt)
    else:
        typer.echo(f"{of_attempt(attempt)} in {attempt['durationMs']:.1f} ms  {attempt['detail']}".rstrip())
    if attempt["failureCode"] is not None:
        raise typer.Exit(EXIT_FAILED)


def probe(
    subscription: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a blacklisted address now; exits with 1 if it stays blacklisted. Needs an admin key."""
    found = _ask("POST", subscription, "probe", server, key, data)
    if as_json:
        print_json(found)
    else:
        typer.echo("active again" if found["isActive"] else f"still blacklisted: {found['code']} {found['reason']}")
    if not found["isActive"]:
        raise typer.Exit(EXIT_FAILED)


def health(
    subscription: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a subscription's deliveries fare. Needs an admin key."""
    found = _ask("GET", subscription, "health", server, key, data)
    if as_json:
        print_json(found)
        return
    lane, failure = found["deliveries"], found["lastFailure"]
    print_fields(
        [
            ("status", found["status"] + (", paused" if found["isPaused"] else "")),
            ("delivered", found["delivered"]),
            ("failed", found["failed"]),
            ("success rate", _percent(found["successRate"])),
            ("latency", _latencies(found)),
            ("last failure", None if failure is None else f"{failure['at']} {failure['detail']}"),
            ("failing for", _seconds(found["failingSeconds"])),
            ("blacklisted in", _seconds(found["blacklistedInSeconds"])),
            ("next probe in", _seconds(found["nextProbeInSeconds"])),
            ("outage", "most hosts can't be reached: the fault is taken for ours" if found["ownOutage"] else None),
            ("backlog", lane["backlogRows"]),
            ("in memory", lane["waiting"]),
            ("under way", lane["inFlight"]),
        ]
    )


def _ask(  # noqa: PLR0917 - the options of every command here
    method: str, subscription: str, what: str, server: str | None, key: str | None, data: Path | None
) -> dict[str, Any]:
    path = f"{ROOT}/subscriptions/{quote(subscription, safe='')}/{what}"
    found: dict[str, Any] = as_operator(server, key, data).ask(method, path).json()
    return found


def _say(subscription: dict[str, Any], done: str, as_json: bool) -> None:
    if as_json:
        print_json(subscription)
        return
    waiting = subscription["deliveries"]["backlogRows"]
    typer.echo(f"{done} {subscription['id']}; {waiting} notifications in the backlog")


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.2%}"


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.0f} s"


def _latencies(found: dict[str, Any]) -> str | None:
    if found["p50Ms"] is None:
        return None
    return ", ".join(f"{name} {found[f'{name}Ms']:.1f} ms" for name in ("p50", "p95", "p99"))
