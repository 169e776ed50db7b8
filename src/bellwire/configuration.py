"""Where a configuration comes from, and whether it may be used: sources in order, and every problem at once.

The command line wins over the environment, that over the file, that over the defaults. What a single value may be is
declared in `settings.py`; what is unusable or unsafe as a whole is decided here.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bellwire.errors import Misconfigured, Problem
from bellwire.settings import ENVIRONMENT_PREFIX, Mode, Settings, Unacceptable, declarations

CONFIG_FILE_VARIABLE = "BELLWIRE_CONFIG"
MAX_CONFIG_BYTES = 1 << 20

CLIENT_VARIABLES = frozenset(
    {
        "BELLWIRE_PUBLISHER_KEY",
        "BELLWIRE_ADMIN_KEY",
        "BELLWIRE_ACCOUNT_ID",
        "BELLWIRE_EXTENSION_ID",
        "BELLWIRE_OTHER_EXTENSION_ID",
        "BELLWIRE_A2P_NUMBER",
        "BELLWIRE_LIMITED_CLIENT_ID",
        "BELLWIRE_LIMITED_CLIENT_SECRET",
        "BELLWIRE_LIMITED_JWT",
    }
)
"""What `bellwire env` prints for clients: no settings, but likely to be in the same environment."""


def load_settings(
    environ: Mapping[str, str],
    toml_path: Path | None,
    mode: Mode,
    *,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the configuration: command line over environment over file over defaults.

    Args:
        environ: the environment; names without the `BELLWIRE_` prefix are not looked at.
        toml_path: the configuration file; None takes the one that `BELLWIRE_CONFIG` names, if any.
        overrides: values from the command line, by key.

    Raises:
        Misconfigured: with all problems, those of safety included where the values could be read.
    """
    problems: list[Problem] = []
    if toml_path is None and environ.get(CONFIG_FILE_VARIABLE):
        toml_path = Path(environ[CONFIG_FILE_VARIABLE]).expanduser()
    sources = [
        *(_read_file(toml_path, problems) if toml_path is not None else ()),
        *_read_environment(environ, problems),
        *((key, f"--{key.replace('_', '-')}", value) for key, value in (overrides or {}).items()),
    ]

    known = declarations()
    values: dict[str, Any] = {"mode": mode}
    if mode is Mode.DEV:
        values |= {key: d.dev_default for key, (d, _) in known.items() if d.dev_default is not None}
    for key, spelled, raw in sources:
        try:
            values[key] = known[key][0].read(raw)
        except Unacceptable as error:
            problems.append(Problem(spelled, str(error)))
    settings = Settings(**values)
    problems += _unusable(settings)
    if mode is Mode.SERVE:
        problems += _unsafe(settings)
    if problems:
        raise Misconfigured(tuple(problems))
    return settings


def _read_file(path: Path, problems: list[Problem]) -> Sequence[tuple[str, str, object]]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ValueError(f"is larger than {MAX_CONFIG_BYTES} bytes")
        table = tomllib.loads(content.decode())
    except OSError as error:
        problems.append(Problem(str(path), f"can't be read: {error.strerror}"))
        return []
    except ValueError as error:
        problems.append(Problem(str(path), f"is not a TOML file: {error}"))
        return []
    read = []
    for key, value in table.items():
        if key in declarations():
            read.append((key, f"{key} in {path}", value))
        else:
            problems.append(Problem(f"{key} in {path}", "no such setting" + _nearest(key, declarations())))
    return read


def _read_environment(environ: Mapping[str, str], problems: list[Problem]) -> Sequence[tuple[str, str, object]]:
    names = {ENVIRONMENT_PREFIX + key.upper(): key for key in declarations()}
    read = []
    for name, value in sorted(environ.items()):
        if name in names:
            read.append((names[name], name, value))
        elif name.startswith(ENVIRONMENT_PREFIX) and name not in CLIENT_VARIABLES and name != CONFIG_FILE_VARIABLE:
            known = (*names, CONFIG_FILE_VARIABLE)
            problems.append(Problem(name, "no such setting" + _nearest(name, known)))
    return read


def _nearest(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else "; `bellwire settings` lists them"


def _unusable(settings: Settings) -> list[Problem]:
    """What no mode can work with."""
    problems = []
    if (trouble := _trouble_with_directory(settings.data_dir)) is not None:
        problems.append(Problem("data_dir", trouble))
    if settings.webhook_ca_file is not None and not os.access(settings.webhook_ca_file, os.R_OK):
        problems.append(Problem("webhook_ca_file", f"{settings.webhook_ca_file} can't be read"))
    if settings.max_event_bytes > settings.max_publish_bytes:
        problems.append(Problem("max_event_bytes", "must not be larger than max_publish_bytes"))
    if settings.webhook_connections_per_host > settings.webhook_connections:
        problems.append(Problem("webhook_connections_per_host", "must not be more than webhook_connections"))
    return problems


def _trouble_with_directory(directory: Path) -> str | None:
    try:
        mode = directory.stat().st_mode
    except FileNotFoundError:
        parent = next(p for p in directory.absolute().parents if p.exists())
        return None if parent.is_dir() and os.access(parent, os.W_OK) else f"{directory} can't be made in {parent}"
    except OSError as error:
        return f"{directory} can't be used: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return f"{directory} is not a directory"
    return None if os.access(directory, os.W_OK | os.X_OK) else f"{directory} can't be written to"


def _unsafe(settings: Settings) -> list[Problem]:
    """What works, and must not be done in production."""
    problems = []
    directory = settings.data_dir
    if directory.is_dir() and directory.stat().st_mode & stat.S_IRWXO:
        problems.append(Problem("data_dir", f"{directory} is open to every user of the machine; chmod o-rwx it"))
    if settings.public_url is None and not _is_loopback(settings.host):
        problems.append(Problem("public_url", f"must be given when the server listens on {settings.host}"))
    elif settings.public_url is not None:
        url = urlsplit(settings.public_url)
        if url.scheme == "http" and not _is_loopback(url.hostname or ""):
            problems.append(
                Problem(
                    "public_url", "must be https: tokens and secrets would travel in the clear; put a TLS proxy before"
                )
            )
    if "*" in settings.cors_origins:
        problems.append(Problem("cors_origins", "must list origins: `*` would let any web page call with credentials"))
    if settings.webhook_allow_http:
        problems.append(Problem("webhook_allow_http", "is for `bellwire dev`: events would travel in the clear"))
    if settings.webhook_allow_private_networks:
        problems.append(
            Problem(
                "webhook_allow_private_networks",
                "is for `bellwire dev`: any client could reach your internal hosts; list the networks that may be "
                "reached in webhook_allowed_networks",
            )
        )
    for key in ("trusted_proxies", "webhook_allowed_networks"):
        problems += [
            Problem(key, f"{network} is every address; list the networks that are meant")
            for network in getattr(settings, key)
            if network.prefixlen == 0
        ]
    return problems


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
