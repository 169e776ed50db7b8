"""`bellwire admin`: provisioning, through the admin API of a running server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.admin_resources import RESOURCES, ROOT, Resource, field_lines, read_fields
from bellwire.cli.failure import EXIT_USAGE, CommandFailed
from bellwire.cli.options import DataOption, JsonOption, KeyOption, ServerOption

if TYPE_CHECKING:
    from bellwire.cli.remote import Remote

PAGE = 1000

AccountOption = Annotated[
    str | None, typer.Option("--account", help="Account's id; needed for extensions, numbers and devices.")
]
ExtensionOption = Annotated[str | None, typer.Option("--extension", help="Extension's id; needed for JWTs.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID")]
FieldsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="Fields; without any, they are listed.")
]

admin = typer.Typer(
    help="Accounts, extensions, numbers, devices, applications, passwords, JWTs and keys: list, create, change, "
    "disable, delete. Needs an admin key, in BELLWIRE_ADMIN_KEY or --key.",
    no_args_is_help=True,
)


def _remote(server: str | None, key: str | None, data: Path | None) -> Remote:
    from bellwire.cli.remote import Remote, known_variables

    return Remote.with_key(known_variables(data), "BELLWIRE_ADMIN_KEY", server=server, key=key)


def _print(content: Any, as_json: bool) -> None:
    if as_json or not isinstance(content, dict):
        typer.echo(json.dumps(content, indent=2))
        return
    width = max(map(len, content), default=0)
    for name, value in content.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"{name:<{width}}  {shown}")


def _add(resource: Resource) -> None:
    """The commands of one kind of record."""
    commands = typer.Typer(help=f"The {resource.name.replace('-', ' ')}.", no_args_is_help=True)

    @commands.command("list", help=f"List the {resource.name.replace('-', ' ')}.")
    def list_(
        *,
        account: AccountOption = None,
        extension: ExtensionOption = None,
        server: ServerOption = None,
        key: KeyOption = None,
        data: DataOption = None,
        as_json: JsonOption = False,
    ) -> None:
        url = resource.url({"account": account, "extension": extension})
        records = _all_records(_remote(server, key, data), url)
        if as_json:
            _print(records, as_json)
            return
        for record in records:
            fields = (record.get(name) for name in resource.shown)
            shown = "  ".join(str(value) for value in fields if value not in {None, ""})
            typer.echo(f"{record[resource.id_field]}  {shown}")

    if resource.can_be_shown:

        @commands.command(help=f"Show one {resource.one}.")
        def show(
            record: IdArgument,
            *,
            account: AccountOption = None,
            extension: ExtensionOption = None,
            server: ServerOption = None,
            key: KeyOption = None,
            data: DataOption = None,
            as_json: JsonOption = False,
        ) -> None:
            url = resource.url({"account": account, "extension": extension}, record)
            _print(_remote(server, key, data).ask("GET", url).json(), as_json)

    new = resource.new
    if new is not None:

        @commands.command(help=f"Create one {resource.one}; what is secret is shown this once.")
        def create(
            fields: FieldsArgument = None,
            *,
            account: AccountOption = None,
            extension: ExtensionOption = None,
            server: ServerOption = None,
            key: KeyOption = None,
            data: DataOption = None,
            as_json: JsonOption = False,
        ) -> None:
            body = _body(new, fields)
            url = resource.url({"account": account, "extension": extension})
            _print(_remote(server, key, data).ask("POST", url, json=body).json(), as_json)

    changes = resource.changes
    if changes is not None:

        @commands.command(help=f"Change fields of one {resource.one}.")
        def change(
            record: IdArgument,
            fields: FieldsArgument = None,
            *,
            account: AccountOption = None,
            extension: ExtensionOption = None,
            server: ServerOption = None,
            key: KeyOption = None,
            data: DataOption = None,
            as_json: JsonOption = False,
        ) -> None:
            body = _body(changes, fields)
            url = resource.url({"account": account, "extension": extension}, record)
            _print(_remote(server, key, data).ask("PATCH", url, json=body).json(), as_json)

    if resource.has_status:
        for verb, status in (("enable", "Enabled"), ("disable", "Disabled")):
            _add_status(commands, resource, verb, status)

    @commands.command(help=f"Delete one {resource.one}.")
    def delete(
        record: IdArgument,
        *,
        account: AccountOption = None,
        extension: ExtensionOption = None,
        server: ServerOption = None,
        key: KeyOption = None,
        data: DataOption = None,
    ) -> None:
        url = resource.url({"account": account, "extension": extension}, record)
        _remote(server, key, data).ask("DELETE", url)
        typer.echo(f"deleted {record}")

    if resource.name == "applications":

        @commands.command("new-secret", help="Replace the secret; the old one is worth nothing from now on.")
        def new_secret(
            record: IdArgument,
            *,
            server: ServerOption = None,
            key: KeyOption = None,
            data: DataOption = None,
            as_json: JsonOption = False,
        ) -> None:
            _print(_remote(server, key, data).ask("POST", resource.url({}, record) + "/secret").json(), as_json)

    admin.add_typer(commands, name=resource.name)


def _add_status(commands: typer.Typer, resource: Resource, verb: str, status: str) -> None:
    @commands.command(verb, help=f"{verb.capitalize()} one {resource.one}.")
    def set_status(
        record: IdArgument,
        *,
        account: AccountOption = None,
        extension: ExtensionOption = None,
        server: ServerOption = None,
        key: KeyOption = None,
        data: DataOption = None,
    ) -> None:
        url = resource.url({"account": account, "extension": extension}, record)
        _remote(server, key, data).ask("PATCH", url, json={"status": status})
        typer.echo(f"{verb}d {record}")


def _all_records(remote: Remote, url: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    records: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = remote.ask("GET", url, params={"limit": PAGE, **cursor}).json()
        records += page["records"]
        if not page.get("nextCursor"):
            return records
        cursor = {"cursor": page["nextCursor"]}


def _body(model: str, fields: list[str] | None) -> dict[str, Any]:
    if not fields:
        raise CommandFailed("\n".join(("give fields as KEY=VALUE; there are:", *field_lines(model))), EXIT_USAGE)
    return read_fields(model, fields)


for _resource in RESOURCES:
    _add(_resource)


passwords = typer.Typer(help="Users' names and passwords.", no_args_is_help=True)
admin.add_typer(passwords, name="passwords")


def _password_url(extension: str) -> str:
    from urllib.parse import quote

    return f"{ROOT}/extensions/{quote(extension, safe='')}/password"


@passwords.command("show")
def show_login(
    extension: IdArgument,
    *,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a user logs in; the password itself is nowhere."""
    _print(_remote(server, key, data).ask("GET", _password_url(extension)).json(), as_json)


@passwords.command("set")
def set_login(
    extension: IdArgument,
    *,
    user_name: Annotated[str | None, typer.Option(help="A new user name, unique over all accounts.")] = None,
    keep_password: Annotated[bool, typer.Option("--keep-password", help="Change the user name alone.")] = False,
    server: ServerOption = None,
    key: KeyOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a user's password, which is asked for, or read from standard input where that is no terminal."""
    remote = _remote(server, key, data)
    body = {} if user_name is None else {"userName": user_name}
    if not keep_password:
        body["password"] = _asked_password()
    _print(remote.ask("PUT", _password_url(extension), json=body).json(), as_json)


@passwords.command("delete")
def delete_password(
    extension: IdArgument, *, server: ServerOption = None, key: KeyOption = None, data: DataOption = None
) -> None:
    """Take a user's password away; the user name stays."""
    _remote(server, key, data).ask("DELETE", _password_url(extension))
    typer.echo(f"deleted the password of {extension}")


def _asked_password() -> str:
    """Never an argument: those can be read by every user of the machine."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(4096).rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password
