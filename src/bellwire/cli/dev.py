"""`bellwire dev`: the server for one person's machine, with a demo account and traffic."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwire.cli.data_directory import DEV_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from bellwire.engine.seed import DemoCredentials
    from bellwire.model.attempt import Attempt
    from bellwire.model.event import Event
    from bellwire.running import Server
    from bellwire.settings import Settings


def dev(
    *,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535, show_default="8710")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory: empty, missing or of an earlier run.", show_default=".bellwire"),
    ] = None,
    traffic: Annotated[bool, typer.Option(help="Run demo traffic to a built-in receiver, and show it.")] = True,
    seed: Annotated[
        Path | None,
        typer.Option("--seed", help="YAML file with accounts, extensions, numbers, applications, subscriptions."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with settings, else BELLWIRE_CONFIG.")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Write what `bellwire env` prints to this file, once the server answers.")
    ] = None,
) -> None:
    """Run the server for development: a seeded demo account, plain http and loopback webhooks allowed.

    `bellwire env` prints the credentials. Ctrl-C stops.
    """
    from bellwire.configuration import load_settings
    from bellwire.settings import Mode

    given = {"port": port, "data_dir": data}
    overrides = {key: value for key, value in given.items() if value is not None}
    settings = load_settings(os.environ, config, Mode.DEV, overrides=overrides)
    seed_text = None if seed is None else _read_seed(seed)

    import asyncio
    from contextlib import asynccontextmanager
    from urllib.parse import urlsplit

    from bellwire.cli.collector import quick_imports

    with quick_imports():
        from bellwire.cli.notification_lines import BUILT_IN_RECEIVER_PATH, Sample, line_for
        from bellwire.cli.process import run_server
        from bellwire.development import DevServer
        from bellwire.observe.logs import set_up_logs
        from bellwire.observe.unfailing import unfailing
        from bellwire.settings import LogFormat, local_url

    set_up_logs(level=settings.log_level, json_lines=settings.log_format is LogFormat.JSON)

    say = unfailing(typer.echo)

    @asynccontextmanager
    async def with_traffic(server: Server, running: Settings) -> AsyncIterator[None]:
        url = local_url(running.host, running.port)
        if env_file is not None and server.demo is not None:
            _write_env(env_file, server.demo.env(url))
        say(_what_runs(url, running, server.notes, server.demo, traffic=traffic))
        sample, monotonic = Sample(say), server.clock.monotonic

        def show(attempt: Attempt, event: Event | None) -> None:
            if sample.takes(monotonic()):
                sample.write(line(attempt, event))

        def line(attempt: Attempt, event: Event | None) -> str:
            address = urlsplit(attempt.address)
            to = "" if address.path == BUILT_IN_RECEIVER_PATH else address.netloc
            return line_for(attempt, event, f"{server.clock.now().astimezone():%H:%M:%S}", to=to)

        server.on_attempt(show)
        if traffic and server.demo is not None:
            from bellwire.cli.demo_traffic import demo_traffic

            resets = asyncio.Event()
            if isinstance(server, DevServer):
                server.on_reset(resets.set)
            async with demo_traffic(url, server.demo, server.clock, say, resets):
                yield
        else:
            yield
        sample.flush()
        say("stopping")

    run_server(settings, dev=True, beside=with_traffic, seed=seed_text)


def _write_env(path: Path, variables: Mapping[str, str]) -> None:
    """Whole or not at all, and for this user alone."""
    from bellwire.cli.failure import EXIT_USAGE, CommandFailed

    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        fresh.replace(path)
    except OSError as error:
        raise CommandFailed(f"{path} can't be written: {error.strerror}", EXIT_USAGE) from error


def _read_seed(path: Path) -> bytes:
    from bellwire.cli.failure import EXIT_USAGE, CommandFailed
    from bellwire.engine.seed_document import MAX_SEED_BYTES

    try:
        with path.open("rb") as file:
            return file.read(MAX_SEED_BYTES + 1)
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror}", EXIT_USAGE) from error


def _what_runs(
    url: str, settings: Settings, notes: Sequence[str], demo: DemoCredentials | None, *, traffic: bool
) -> str:
    env = f"{_own_name()} env"
    if settings.data_dir != DEV_DIRECTORY:
        env += f" --data {shlex.quote(str(settings.data_dir))}"
    shown = {
        "server": url,
        "API": f"{url}/restapi/v1.0",
        "publish": f"{url}/bellwire/v1/events",
        "families": f"{url}/bellwire/v1/event-families",
        "OpenAPI": f"{url}/bellwire/v1/openapi.json",
        "health": f"{url}/bellwire/v1/health",
        **_console(url, settings),
        "controls": f"{url}/bellwire/v1/dev/ (clock, faults, reset, seed)",
        "data": str(settings.data_dir),
        "credentials": f"{env} > .env",
        **_sign_in(demo),
        "traffic": "demo events to a built-in receiver, a line for each" if traffic else "none (--no-traffic)",
    }
    lines = [f"  {name:<12} {value}" for name, value in shown.items()]
    return "\n".join(["Bellwire runs, for development. Ctrl-C stops.", *lines, *(f"  {note}" for note in notes), ""])


def _console(url: str, settings: Settings) -> dict[str, str]:
    from bellwire.console.gate import EXTRA_MISSING, is_installed

    if not settings.console:
        return {}
    return {"console": f"{url}/console" if is_installed() else EXTRA_MISSING}


def _sign_in(demo: DemoCredentials | None) -> dict[str, str]:
    """What the login page asks for, which is not in `bellwire env`."""
    if demo is None:
        return {}
    first, *others = demo.users
    return {
        "sign in": f"{first.user_name} (or {len(others)} others, extensions {others[0].extension_number} to "
        f"{others[-1].extension_number}), password {demo.password}",
        "PKCE client": f"{demo.public_client_id}, redirect URI {demo.redirect_uri}",
    }


def _own_name() -> str:
    """How this program is called from here: by its path where it is not found by its name, as after `make run`."""
    path = Path(sys.argv[0])
    if shutil.which("bellwire") is not None or path.name != "bellwire":
        return "bellwire"
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
