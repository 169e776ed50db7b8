"""`bellwire subscriptions`: the subscriptions of the JWT's user, through the application of the client id.

Beside them, the commands for operators (`subscriptions_operate`), which work on any user's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from bellwire.cli.options import DataOption, JsonOption, ServerOption
from bellwire.cli.subscriptions_operate import add_operator_commands

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote

subscriptions = typer.Typer(
    help="List, show, create, renew and delete subscriptions, as the user whose JWT is in RC_USER_JWT or --data; "
    "pause, resume, test, probe and judge any of them, with an admin key.",
    no_args_is_help=True,
)

WebinarOption = Annotated[bool, typer.Option("--webinar", help="Subscriptions to webinar events.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.")]


def _remote(server: str | None, data: Path | None) -> Remote:
    from bellwire.cli.remote import Remote, known_variables

    return Remote.logged_in(known_variables(data), server=server)


def _path(webinar: bool, subscription: str | None = None) -> str:
    base = "/webinar/notifications/v1/subscriptions" if webinar else "/restapi/v1.0/subscription"
    return base if subscription is None else f"{base}/{quote(subscription, safe='')}"


@subscriptions.command("list")
def list_(
    server: ServerOption = None, data: DataOption = None, webinar: WebinarOption = False, as_json: JsonOption = False
) -> None:
    """List the subscriptions, one line each."""
    found = _remote(server, data).ask("GET", _path(webinar)).json()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for subscription in found["records"]:
        address = subscription["deliveryMode"].get("address", subscription["deliveryMode"]["transportType"])
        typer.echo(
            f"{subscription['id']}  {subscription['status']:<11}  until {subscription['expirationTime']}  {address}"
        )


@subscriptions.command()
def show(
    subscription: IdArgument,
    server: ServerOption = None,
    data: DataOption = None,
    webinar: WebinarOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one subscription."""
    remote = _remote(server, data)
    _print(remote.ask("GET", _path(webinar, subscription)).json(), as_json)


@subscriptions.command()
def create(
    *,
    filters: Annotated[list[str], typer.Option("--filter", help="An event filter; may be repeated.")],
    address: Annotated[str, typer.Option(help="The webhook address.")],
    verification_token: Annotated[str | None, typer.Option(help="Sent with each notification.")] = None,
    signing_secret: Annotated[str | None, typer.Option(help="whsec_…: notifications are signed with it.")] = None,
    expires_in: Annotated[int | None, typer.Option(help="Lifetime in seconds.", min=1)] = None,
    server: ServerOption = None,
    data: DataOption = None,
    webinar: WebinarOption = False,
    as_json: JsonOption = False,
) -> None:
    """Subscribe a webhook address to events."""
    mode = {"transportType": "WebHook", "address": address}
    if verification_token is not None:
        mode["verificationToken"] = verification_token
    if signing_secret is not None:
        mode["signingSecret"] = signing_secret
    body: dict[str, Any] = {"eventFilters": filters, "deliveryMode": mode}
    if expires_in is not None:
        body["expiresIn"] = expires_in
    remote = _remote(server, data)
    _print(remote.ask("POST", _path(webinar), json=body).json(), as_json)


@subscriptions.command()
def renew(
    subscription: IdArgument,
    server: ServerOption = None,
    data: DataOption = None,
    webinar: WebinarOption = False,
    as_json: JsonOption = False,
) -> None:
    """Renew a subscription for the default lifetime."""
    remote = _remote(server, data)
    _print(remote.ask("POST", _path(webinar, subscription) + "/renew").json(), as_json)


@subscriptions.command()
def delete(
    subscription: IdArgument, server: ServerOption = None, data: DataOption = None, webinar: WebinarOption = False
) -> None:
    """Delete a subscription."""
    _remote(server, data).ask("DELETE", _path(webinar, subscription))
    typer.echo(f"deleted {subscription}")


add_operator_commands(subscriptions)


def _print(subscription: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(subscription, indent=2))
        return
    mode = subscription["deliveryMode"]
    typer.echo(f"id:         {subscription['id']}")
    typer.echo(f"status:     {subscription['status']}")
    if "blacklistedData" in subscription:
        blacklisted = subscription["blacklistedData"]
        typer.echo(f"            since {blacklisted['blacklistedAt']}: {blacklisted['reason']}")
    typer.echo(f"expires:    {subscription['expirationTime']} (in {subscription['expiresIn']} s)")
    typer.echo(f"delivers:   {mode['transportType']} {mode.get('address', '')}".rstrip())
    for event_filter in subscription["eventFilters"]:
        typer.echo(f"filter:     {event_filter}")
    for disabled in subscription.get("disabledFilters", []):
        typer.echo(f"not active: {disabled['filter']} ({disabled['reason']}: {disabled['message']})")
