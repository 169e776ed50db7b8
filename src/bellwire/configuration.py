"""Where a configuration comes from, and whether it may be used: sources in order, and every problem at once.

The command line wins over the environment, that over the file, that over the defaults. What a single value may be is
declared in `settings.py`; what is unusable or unsafe as a whole is decided here.
"""

from __future__ import annotations

import difflib
import os
import ssl
import stat
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bellwire.errors import Misconfigured, Problem
from bellwire.host_name import is_address, is_local_name
from bellwire.setting_values import Network, Unacceptable
from bellwire.settings import ENVIRONMENT_PREFIX, Mode, Settings, SmsCarrier, declarations

CONFIG_FILE_VARIABLE = "BELLWIRE_CONFIG"
MAX_CONFIG_BYTES = 1 << 20
MAX_CERTIFICATE_BYTES = 16 << 20

_MAPPED_IPV4 = IPv6Network("::ffff:0:0/96")
_SPACES = (
    ("IPv4", IPv4Network("0.0.0.0/0")),
    ("IPv6", IPv6Network("::/0")),
    # The hosts of the public internet are all in here so far: an eighth of the whole, and yet everybody.
    ("public IPv6", IPv6Network("2000::/4")),
)

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
        toml_path = Path(os.path.expanduser(environ[CONFIG_FILE_VARIABLE]))  # noqa: PTH111 - leaves an unknown user's
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
            problems += [Problem(spelled, text) for text in error.args]
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
    """The prefix that all names of the environment share says nothing about their likeness."""
    keys = {spelled.removeprefix(ENVIRONMENT_PREFIX).lower(): spelled for spelled in known}
    close = difflib.get_close_matches(name.removeprefix(ENVIRONMENT_PREFIX).lower(), keys, n=1, cutoff=0.7)
    return f"; did you mean {keys[close[0]]}?" if close else "; `bellwire settings` lists them"


def _unusable(settings: Settings) -> list[Problem]:
    """What no mode can work with."""
    problems = []
    if (trouble := _trouble_with_directory(settings.data_dir)) is not None:
        problems.append(Problem("data_dir", trouble))
    if settings.webhook_ca_file is not None and (trouble := _trouble_with_certificates(settings.webhook_ca_file)):
        problems.append(Problem("webhook_ca_file", trouble))
    problems += _trouble_with_smpp(settings)
    if settings.max_event_bytes > settings.max_publish_bytes:
        problems.append(Problem("max_event_bytes", "must not be larger than max_publish_bytes"))
    if settings.webhook_connections_per_host > settings.webhook_connections:
        problems.append(Problem("webhook_connections_per_host", "must not be more than webhook_connections"))
    return problems


def _trouble_with_smpp(settings: Settings) -> list[Problem]:
    problems = []
    if settings.sms_carrier is SmsCarrier.SMPP and settings.smpp_host is None:
        problems.append(Problem("smpp_host", "is needed where sms_carrier is smpp"))
    if settings.smpp_host is not None and settings.smpp_system_id is None:
        problems.append(Problem("smpp_system_id", "is needed where smpp_host is given"))
    if settings.smpp_ca_file is not None:
        if not settings.smpp_tls:
            problems.append(Problem("smpp_ca_file", "is of no use without smpp_tls"))
        if (trouble := _trouble_with_certificates(settings.smpp_ca_file)) is not None:
            problems.append(Problem("smpp_ca_file", trouble))
    return problems


def _trouble_with_directory(directory: Path) -> str | None:
    try:
        mode = directory.stat().st_mode
    except FileNotFoundError:
        wanted = directory.absolute()
        # A link that leads nowhere is there, and nothing can be made in it or in its place.
        nearest = next(path for path in (wanted, *wanted.parents) if os.path.lexists(path))
        if (trouble := _trouble_with_writing(nearest)) is None:
            return None
        return f"{directory} can't be made in {nearest}: {trouble}"
    except OSError as error:
        return f"{directory} can't be used: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return f"{directory} is not a directory"
    trouble = _trouble_with_writing(directory)
    return None if trouble is None else f"{directory} can't be written to: {trouble}"


def _trouble_with_writing(directory: Path) -> str | None:
    """Found out by making something: permissions alone say yes to root about /proc."""
    try:
        Path(tempfile.mkdtemp(prefix=".bellwire-", dir=directory)).rmdir()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _trouble_with_certificates(path: Path) -> str | None:
    try:
        if not path.is_file():  # a pipe would be waited for, a device read without end
            return f"{path} is not a file that can be read"
        if path.stat().st_size > MAX_CERTIFICATE_BYTES:
            return f"{path} is larger than {MAX_CERTIFICATE_BYTES} bytes"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
    except ssl.SSLError:
        return f"{path} is not a PEM file with certificates"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    # A list of revoked certificates alone is loaded without complaint.
    return None if context.cert_store_stats()["x509"] else f"{path} has no certificates"


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
        if (whose := _mostly_held(getattr(settings, key))) is not None:
            problems.append(
                Problem(key, f"holds more than half of all {whose} addresses; list the networks that are meant")
            )
    return problems


def _mostly_held(networks: Iterable[Network]) -> str | None:
    """Which kind of addresses a list holds more than half of, all its networks taken together."""
    held: list[IPv4Network | IPv6Network] = []
    for network in networks:
        held.append(network)
        if network.version == 6 and network.overlaps(_MAPPED_IPV4):
            held.append(_embedded(network))
    for whose, space in _SPACES:
        parts = collapse_addresses([n for n in held if n.version == space.version])  # type: ignore[type-var]
        within = sum(min(part.num_addresses, space.num_addresses) for part in parts if part.overlaps(space))
        if 2 * within > space.num_addresses:
            return whose
    return None


def _embedded(network: IPv6Network) -> IPv4Network:
    """The IPv4 addresses that are written as IPv6 ones (`::ffff:192.0.2.1`) in a network."""
    return IPv4Network((int(network.network_address) & 0xFFFFFFFF, max(network.prefixlen - 96, 0)))


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback if is_address(host) else is_local_name(host)
