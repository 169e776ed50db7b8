"""Each setting once: type, unit, default, help, secret or not.

A setting is a field of `Settings`, declared with `_setting`. All else comes from that declaration: the name in the
environment (`BELLWIRE_` and the key in capitals), the key in the TOML file, what is accepted, and the reference for
readers. `configuration.py` reads the sources and judges the whole; `compose.py` alone acts on it.
"""

# ruff: noqa: RUF009 - `_setting` is `dataclasses.field` with a declaration; its defaults are immutable

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from bellwire.setting_values import (
    Network,
    as_host,
    as_http_url,
    as_name_server,
    as_network,
    as_origin,
    as_path,
    as_price,
    as_public_url,
    as_text,
    as_yes_or_no,
    ascii_text,
    count,
    list_of,
    one_of,
    optional,
    text_up_to,
)

T = TypeVar("T")

ENVIRONMENT_PREFIX = "BELLWIRE_"
DEFAULT_PORT = 8710


class Mode(StrEnum):
    """`serve` is production and refuses what is unsafe there; `dev` is for one person's machine."""

    SERVE = "serve"
    DEV = "dev"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SmsCarrier(StrEnum):
    """What High Volume SMS goes out by."""

    SIMULATOR = "simulator"
    SMPP = "smpp"


class SmppLongTexts(StrEnum):
    """How a text of several segments goes out by SMPP."""

    UDH = "udh"
    MESSAGE_PAYLOAD = "message-payload"


class SmppReceiptIds(StrEnum):
    """How receipts spell the ids that an SMPP peer gave."""

    SAME = "same"
    DECIMAL_OF_HEX = "decimal-of-hex"
    HEX_OF_DECIMAL = "hex-of-decimal"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a setting is, apart from its type: for reading it and for the reference."""

    read: Callable[[object], object]
    takes: str
    """Its values in words."""
    help: str
    unit: str
    is_secret: bool
    dev_default: object
    """Default in `dev`, where it differs; None: the same."""


def _setting(
    read: Callable[[object], T],
    default: T,
    *,
    help: str,
    takes: str,
    unit: str = "",
    is_secret: bool = False,
    dev_default: T | None = None,
) -> T:
    declaration = Declaration(read, takes, help, unit, is_secret, dev_default)
    return field(default=default, metadata={"declaration": declaration})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration, well-formed, and safe for its mode."""

    mode: Mode = Mode.SERVE

    data_dir: Path = _setting(
        as_path,
        Path("bellwire-data"),
        dev_default=Path(".bellwire"),
        takes="a path",
        help="The directory that everything is kept in; belongs to one process. Made when it is missing.",
    )
    host: str = _setting(as_host, "127.0.0.1", takes="an IP address or name", help="The address to listen on.")
    port: int = _setting(
        count(0, 65535), DEFAULT_PORT, takes="0 to 65535", help="The TCP port to listen on; 0 takes a free one."
    )
    public_url: str | None = _setting(
        optional(as_public_url),
        None,
        takes="an http or https URL",
        help="What clients reach this server by; written into every `uri`. By default host and port.",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        list_of(as_network),
        (),
        takes="networks (CIDR)",
        help="Proxies whose `X-Forwarded-For` is believed.",
    )
    cors_origins: tuple[str, ...] = _setting(
        list_of(as_origin),
        (),
        dev_default=("*",),
        takes="origins",
        help="Web pages of these origins may call the API with credentials; `*` is any, in `dev` only.",
    )

    console: bool = _setting(
        as_yes_or_no,
        True,
        takes="true or false",
        help="Serve the web console at `/console`; needs the extra `console`.",
    )

    webhook_allow_http: bool = _setting(
        as_yes_or_no,
        False,
        dev_default=True,
        takes="true or false",
        help="Accept webhook addresses without TLS; in `dev` only.",
    )
    webhook_allow_private_networks: bool = _setting(
        as_yes_or_no,
        False,
        dev_default=True,
        takes="true or false",
        help="Deliver to loopback and private addresses, all of them; in `dev` only.",
    )
    webhook_allowed_networks: tuple[Network, ...] = _setting(
        list_of(as_network),
        (),
        takes="networks (CIDR)",
        help="Deliver to these networks although they are private.",
    )
    webhook_strict_content_type: bool = _setting(
        as_yes_or_no,
        False,
        takes="true or false",
        help="Refuse an address whose handshake answer is not `application/json`, instead of a warning.",
    )
    webhook_ca_file: Path | None = _setting(
        optional(as_path),
        None,
        takes="a path",
        help="Certificates (PEM) to trust beside the system's, for webhook addresses with a private authority.",
    )
    dns_servers: tuple[str, ...] = _setting(
        list_of(as_name_server),
        (),
        takes="IP addresses, with or without a port",
        help="Name servers that the hosts of webhook addresses are looked up at, in this order while they answer; "
        "`/etc/hosts` comes first. By default the system's.",
    )
    webhook_connections: int = _setting(
        count(1, 100_000),
        1024,
        unit="connections",
        takes="1 to 100000",
        help="Open connections to all webhook addresses together.",
    )
    webhook_connections_per_host: int = _setting(
        count(1, 10_000),
        64,
        unit="connections",
        takes="1 to 10000",
        help="Open connections to one webhook host.",
    )
    webhook_parallel_per_subscription: int = _setting(
        count(1, 1000),
        16,
        unit="notifications",
        takes="1 to 1000",
        help="Notifications of one subscription that are under way at the same time, with different ordering keys.",
    )

    blacklist_after_seconds: int = _setting(
        count(10, 30 * 86400),
        600,
        unit="seconds",
        takes="10 to 2592000",
        help="A subscription whose address has failed for this long, and never succeeded, is blacklisted.",
    )
    blacklist_reactivates: bool = _setting(
        as_yes_or_no,
        True,
        takes="true or false",
        help="Blacklisted addresses are tried again, and their subscriptions become active when they answer.",
    )
    blacklist_probe_seconds: int = _setting(
        count(5, 86400),
        900,
        unit="seconds",
        takes="5 to 86400",
        help="Time between two tries of a blacklisted address.",
    )

    websocket_max_connections: int = _setting(
        count(0, 1_000_000),
        10_000,
        unit="connections",
        takes="0 to 1000000",
        help="Sockets that may be open at the same time, beside `max_connections`; 0 lets none in.",
    )
    websocket_max_connections_per_user: int = _setting(
        count(1, 1_000_000),
        200,
        unit="connections",
        takes="1 to 1000000",
        help="Sockets of one user, through all applications. Of one OAuth session there may be 50.",
    )
    websocket_max_frame_bytes: int = _setting(
        count(1024, 64 << 20),
        1 << 20,
        unit="bytes",
        takes="1024 to 67108864",
        help="The largest frame that a client may send.",
    )
    websocket_send_buffer_bytes: int = _setting(
        count(65_536, 1 << 30),
        1 << 20,
        unit="bytes",
        takes="65536 to 1073741824",
        help="What may wait for a client that reads slowly; with more, its connection is cut.",
    )
    websocket_idle_seconds: int = _setting(
        count(10, 30 * 86400),
        1800,
        unit="seconds",
        takes="10 to 2592000",
        help="A socket over which nothing goes in either direction for this long is closed.",
    )
    websocket_longest_seconds: int = _setting(
        count(60, 30 * 86400),
        86_400,
        unit="seconds",
        takes="60 to 2592000",
        help="A socket that has been open for this long is closed; its client may recover its session on another.",
    )
    websocket_ping_seconds: int = _setting(
        count(1, 3600), 30, unit="seconds", takes="1 to 3600", help="Time between two pings of a client."
    )
    websocket_pong_seconds: int = _setting(
        count(1, 600),
        10,
        unit="seconds",
        takes="1 to 600",
        help="A client that has not answered a ping for this long is taken for gone.",
    )
    websocket_recovery_seconds: int = _setting(
        count(1, 86_400),
        180,
        unit="seconds",
        takes="1 to 86400",
        help="How long a session waits for its client to come back. With more than 180 sessions are kept on disk.",
    )
    websocket_recovery_messages: int = _setting(
        count(1, 100_000),
        100,
        unit="notifications",
        takes="1 to 100000",
        help="How many missed notifications a client gets that comes back. With more than 100 they are read from the "
        "event log, and sessions are kept on disk.",
    )
    websocket_compression: bool = _setting(
        as_yes_or_no,
        False,
        takes="true or false",
        help="Agree on compression (permessage-deflate) with clients that offer it; each then takes three times the "
        "memory.",
    )

    operator_webhook_url: str | None = _setting(
        optional(as_http_url),
        None,
        is_secret=True,
        takes="an http or https URL",
        help="Posted a JSON object when a subscription is about to be blacklisted, is, or is active again, and when "
        "most hosts can't be reached. An internal address has to be in `webhook_allowed_networks`.",
    )

    retention_hours: int = _setting(
        count(1, 24 * 90),
        72,
        unit="hours",
        takes="1 to 2160",
        help="How long events, undelivered notifications and the history of attempts are kept.",
    )
    log_max_mib: int = _setting(
        count(16, 1 << 30),
        64 << 10,
        unit="MiB",
        takes="16 to 1073741824",
        help="The event log's size above which its oldest events go before `retention_hours` are over.",
    )
    history_max_mib: int = _setting(
        count(16, 1 << 30),
        32 << 10,
        unit="MiB",
        takes="16 to 1073741824",
        help="The size of the history of attempts, about, above which its oldest hours go early.",
    )
    backlog_max_rows: int = _setting(
        count(1000, 1 << 30),
        1_000_000,
        unit="notifications",
        takes="1000 to 1073741824",
        help="Undelivered notifications of one subscription that are kept; with more, the oldest are given up.",
    )
    min_free_mib: int = _setting(
        count(0, 1 << 30),
        512,
        unit="MiB",
        takes="0 to 1073741824",
        help="With less space free on the data directory's file system, publishing answers 503.",
    )
    max_event_bytes: int = _setting(
        count(1024, 16 << 20),
        256 << 10,
        unit="bytes",
        takes="1024 to 16777216",
        help="The largest event that can be published.",
    )
    max_publish_bytes: int = _setting(
        count(1024, 1 << 40),
        1 << 30,
        unit="bytes",
        takes="1024 to 1099511627776",
        help="The largest body of one publish request (NDJSON is streamed).",
    )
    max_request_bytes: int = _setting(
        count(1024, 1 << 30),
        1 << 20,
        unit="bytes",
        takes="1024 to 1073741824",
        help="The largest body of any other request.",
    )
    max_connections: int = _setting(
        count(1, 1_000_000),
        10_000,
        unit="connections",
        takes="1 to 1000000",
        help="Connections from clients that are served at the same time; more are answered 503.",
    )
    shutdown_seconds: int = _setting(
        count(1, 600),
        10,
        unit="seconds",
        takes="1 to 600",
        help="How long requests that are under way may take when the server stops.",
    )

    sms_carrier: SmsCarrier = _setting(
        one_of(SmsCarrier),
        SmsCarrier.SIMULATOR,
        takes=", ".join(SmsCarrier),
        help="What High Volume SMS goes out by. The simulator sends nothing to anybody.",
    )
    sms_segment_price: Decimal = _setting(
        as_price,
        Decimal("0.007"),
        takes="0 to 1000",
        help="What a segment costs, sent or received; the `cost` of messages and batches comes of it.",
    )
    sms_local_per_second: int = _setting(
        count(0, 10_000),
        1,
        dev_default=0,
        unit="messages a second",
        takes="0 to 10000",
        help="How fast one local (10DLC) number may send; 0 is unlimited.",
    )
    sms_toll_free_per_second: int = _setting(
        count(0, 10_000),
        8,
        dev_default=0,
        unit="messages a second",
        takes="0 to 10000",
        help="How fast one toll-free number may send; 0 is unlimited.",
    )
    sms_max_batch_messages: int | None = _setting(
        optional(count(1, 10_000_000)),
        None,
        unit="messages",
        takes="1 to 10000000",
        help="Entries that one batch may have; with more it is refused with CMN-106. By default only the body's 50 MB "
        "limit it.",
    )
    sms_opt_out_reply: str | None = _setting(
        optional(text_up_to(1000)),
        None,
        takes="a text of 1 to 1000 characters",
        help="What a recipient is answered who opts out with a keyword. By default nothing: that is left to the "
        "application.",
    )
    sms_opt_in_reply: str | None = _setting(
        optional(text_up_to(1000)),
        None,
        takes="a text of 1 to 1000 characters",
        help="What a recipient is answered who opts in again with a keyword.",
    )
    sms_receipt_hours: int = _setting(
        count(1, 24 * 30),
        72,
        unit="hours",
        takes="1 to 720",
        help="A message that a carrier took and has not reported on for so long has failed with SMS-CAR-104.",
    )
    sms_retention_hours: int = _setting(
        count(0, 24 * 3660),
        24 * 90,
        unit="hours",
        takes="0 to 87840",
        help="How long batches, messages and the history of consents are kept once nothing more is to come of them; "
        "0 is for ever. Consents themselves are kept, with the last change of each.",
    )
    sms_simulator_seed: int = _setting(
        count(0, 1 << 31),
        1,
        takes="0 to 2147483648",
        help="With the same seed the simulator's delays are the same.",
    )
    sms_simulator_delay_ms: int = _setting(
        count(0, 3_600_000),
        300,
        unit="milliseconds",
        takes="0 to 3600000",
        help="The mean time from a message to the simulator's delivery receipt.",
    )

    smpp_host: str | None = _setting(
        optional(as_host),
        None,
        takes="an IP address or name",
        help="The SMPP 3.4 server that texts go out by and come in from, when `sms_carrier` is `smpp`. See smpp.md.",
    )
    smpp_port: int = _setting(count(1, 65535), 2775, takes="1 to 65535", help="Its TCP port.")
    smpp_system_id: str | None = _setting(
        optional(ascii_text(15)), None, takes="1 to 15 ASCII characters", help="The name to bind with."
    )
    smpp_password: str | None = _setting(
        optional(ascii_text(8)),
        None,
        is_secret=True,
        takes="1 to 8 ASCII characters",
        help="The password to bind with; the protocol has no room for a longer one.",
    )
    smpp_system_type: str | None = _setting(
        optional(ascii_text(12)), None, takes="1 to 12 ASCII characters", help="The `system_type` to bind with."
    )
    smpp_tls: bool = _setting(
        as_yes_or_no,
        False,
        takes="true or false",
        help="Connect with TLS 1.2 or later. Without it, password and texts are readable on the way.",
    )
    smpp_ca_file: Path | None = _setting(
        optional(as_path),
        None,
        takes="a path",
        help="Certificates (PEM) to trust beside the system's, for an SMPP server with a private authority.",
    )
    smpp_connect_seconds: int = _setting(
        count(1, 300),
        10,
        unit="seconds",
        takes="1 to 300",
        help="How long connecting may take, TLS included; and, once more, the answer to the bind.",
    )
    smpp_window: int = _setting(
        count(1, 1000),
        10,
        unit="PDUs",
        takes="1 to 1000",
        help="`submit_sm` that may be without an answer at the same time.",
    )
    smpp_submits_per_second: int = _setting(
        count(0, 100_000),
        0,
        unit="PDUs a second",
        takes="0 to 100000",
        help="`submit_sm` a second that were agreed; 0 is unlimited.",
    )
    smpp_enquire_link_seconds: int = _setting(
        count(1, 3600),
        30,
        unit="seconds",
        takes="1 to 3600",
        help="Of silence, after which the server is asked whether it is there.",
    )
    smpp_response_seconds: int = _setting(
        count(1, 600),
        30,
        unit="seconds",
        takes="1 to 600",
        help="How long the server may take for an answer. A text without one may have been sent or not.",
    )
    smpp_inactivity_seconds: int = _setting(
        count(0, 86400),
        0,
        unit="seconds",
        takes="0 to 86400",
        help="Without a text or a receipt either way, after which the bind is made anew; 0 is never.",
    )
    smpp_long_texts: SmppLongTexts = _setting(
        one_of(SmppLongTexts),
        SmppLongTexts.UDH,
        takes=", ".join(SmppLongTexts),
        help="How a text of several segments goes out: as one `submit_sm` for each, with a user data header, or as one "
        "with a `message_payload`, which the server splits.",
    )
    smpp_receipt_ids: SmppReceiptIds = _setting(
        one_of(SmppReceiptIds),
        SmppReceiptIds.SAME,
        takes=", ".join(SmppReceiptIds),
        help="How receipts spell the ids of `submit_sm_resp`.",
    )
    smpp_source_ton: int = _setting(
        count(0, 6), 1, takes="0 to 6", help="Type of number of our numbers; 2 (national) leaves the country code out."
    )
    smpp_source_npi: int = _setting(count(0, 18), 1, takes="0 to 18", help="Numbering plan of our numbers.")
    smpp_destination_ton: int = _setting(
        count(0, 6), 1, takes="0 to 6", help="Type of number of recipients; 2 (national) leaves the country code out."
    )
    smpp_destination_npi: int = _setting(count(0, 18), 1, takes="0 to 18", help="Numbering plan of recipients.")
    smpp_long_text_wait_seconds: int = _setting(
        count(1, 86400),
        300,
        unit="seconds",
        takes="1 to 86400",
        help="How long the parts of an inbound text wait for the rest; then what has come is handed on.",
    )

    log_level: LogLevel = _setting(
        one_of(LogLevel),
        LogLevel.INFO,
        dev_default=LogLevel.WARNING,
        takes=", ".join(LogLevel),
        help="What is logged.",
    )
    log_format: LogFormat = _setting(
        one_of(LogFormat),
        LogFormat.JSON,
        dev_default=LogFormat.CONSOLE,
        takes=", ".join(LogFormat),
        help="JSON lines for machines, or coloured text for people; on standard error.",
    )

    otel_endpoint: str | None = _setting(
        optional(as_http_url),
        None,
        takes="an http or https URL",
        help="An OpenTelemetry collector (OTLP over HTTP) that traces go to, from publish to attempt; needs the extra "
        "`otel`. By default nothing is traced.",
    )
    otel_service: str = _setting(
        as_text, "bellwire", takes="a name", help="What this server is called in traces (`service.name`)."
    )
    otel_sample_percent: int = _setting(
        count(0, 100),
        100,
        unit="percent",
        takes="0 to 100",
        help="Of publish requests that are traced, where the publisher's `traceparent` does not decide.",
    )

    @property
    def base_url(self) -> str:
        """What clients reach the server by, without a slash at the end."""
        if self.public_url is not None:
            return self.public_url
        return local_url(self.host, self.port)


def local_url(host: str, port: int) -> str:
    """The URL of a listening address, from the same machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not a bind
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def declarations() -> dict[str, tuple[Declaration, object]]:
    """Key → (declaration, default in production), in the order of the reference."""
    return {f.name: (f.metadata["declaration"], f.default) for f in fields(Settings) if "declaration" in f.metadata}


def reference() -> str:
    """The settings as a Markdown table, for the documentation."""
    lines = [
        "| key in the file | in the environment | values | default | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for key, (declaration, default) in declarations().items():
        default_text = f"`{shown(default)}`"
        if declaration.dev_default is not None:
            default_text += f" (`dev`: `{shown(declaration.dev_default)}`)"
        unit = f", {declaration.unit}" if declaration.unit else ""
        secret = " Secret." if declaration.is_secret else ""
        lines.append(
            f"| `{key}` | `{ENVIRONMENT_PREFIX}{key.upper()}` | {declaration.takes}{unit} "
            f"| {default_text} | {declaration.help}{secret} |"
        )
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """A default, as a reader would write it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
