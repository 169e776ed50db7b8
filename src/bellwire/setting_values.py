"""What the value of a setting may be: from a text of the environment or a value of TOML to the value itself.

Each reader raises `Unacceptable` with words for whoever set it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from bellwire.host_name import is_plausible_host, is_plausible_in_url

T = TypeVar("T")
Network = IPv4Network | IPv6Network

DNS_PORT = 53
MAX_LISTED = 1000

_URL_TEXT = re.compile(r"[!$&-;=@A-Z\[\]_a-z~%]+", re.ASCII)
"""Characters of a URL without query and fragment (RFC 3986)."""
_NAME_SERVER = re.compile(r"(?:(?P<v4>[0-9.]+)|\[(?P<v6>[^\[\]]+)\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


class Unacceptable(Exception):
    """A value that a setting does not take; each argument is a text that says what it takes."""


def text_up_to(longest: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise Unacceptable(f"must be a text of 1 to {longest} characters")
        return value

    return read


as_text = text_up_to(2048)


def ascii_text(longest: int) -> Callable[[object], str]:
    """A string of SMPP, which ends with a NUL."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isascii() or "\0" in value:
            raise Unacceptable(f"must be a text of 1 to {longest} ASCII characters")
        return value

    return read


def as_yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "1", "yes", "on"}:
        return True
    if isinstance(value, str) and value.lower() in {"false", "0", "no", "off"}:
        return False
    raise Unacceptable("must be true or false")


def count(minimum: int, maximum: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise Unacceptable(f"must be a whole number from {minimum} to {maximum}")
        return value

    return read


def as_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    text = as_text(value)
    if "\0" in text:
        raise Unacceptable("must be a path without NUL")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise Unacceptable(f"{text} names the home of a user that can't be found") from None


def optional(read: Callable[[object], T]) -> Callable[[object], T | None]:
    """For settings whose default is "not given"; a value that is given is read as usual."""
    return read


def as_price(value: object) -> Decimal:
    """An amount of money with at most six decimals: sums are counted in millionths."""
    try:
        price = Decimal("NaN" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or not 0 <= price <= 1000 or price != round(price, 6):
        raise Unacceptable("must be an amount from 0 to 1000 with at most six decimals, such as 0.007")
    return price


def one_of(choices: type[StrEnum]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        try:
            return choices(as_text(value).lower())
        except ValueError:
            raise Unacceptable("must be one of " + ", ".join(choices)) from None

    return read


def list_of(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """A TOML list, or a text with commas; an empty text is an empty list."""

    def read_list(value: object) -> tuple[T, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list | tuple) or len(value) > MAX_LISTED:
            raise Unacceptable(f"must be a list of at most {MAX_LISTED}, in the environment with commas between")
        accepted: list[T] = []
        refused: list[str] = []
        for number, item in enumerate(value, 1):
            try:
                accepted.append(read(item))
            except Unacceptable as error:
                refused += [f"item {number}: {text}" for text in error.args]
        if refused:
            raise Unacceptable(*refused)
        return tuple(accepted)

    return read_list


def as_network(value: object) -> Network:
    try:
        return ip_network(as_text(value))
    except ValueError as error:
        raise Unacceptable(f"{value!r} is not a network such as 10.1.0.0/16 ({error})") from None


def as_host(value: object) -> str:
    text = as_text(value)
    if not is_plausible_host(text):
        raise Unacceptable(f"{text!r} is neither an IP address nor a host's name")
    return text


def as_name_server(value: object) -> str:
    """`address:port`, by which c-ares knows one; an address alone is asked at DNS's own port."""
    text = as_text(value)
    unbracketed = _NAME_SERVER.fullmatch(text)
    host, port = (unbracketed["v4"] or unbracketed["v6"], unbracketed["port"]) if unbracketed else (text, None)
    number = DNS_PORT if port is None else int(port)
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or getattr(address, "scope_id", None) is not None or not 1 <= number <= 65535:
        raise Unacceptable(
            f"{text!r} is not an IP address with or without a port, such as 10.0.0.53, 10.0.0.53:5353 or [fd00::53]:53"
        )
    return f"[{address}]:{number}" if address.version == 6 else f"{address}:{number}"


def as_http_url(value: object) -> str:
    return _read_http_url(value)[0]


def _read_http_url(value: object) -> tuple[str, SplitResult]:
    text = as_text(value).rstrip("/")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # `urlsplit` drops some control characters, and what is after an empty `?` or `#`; the text would keep them.
    if not usable or not _URL_TEXT.fullmatch(text) or "@" in parts.netloc:
        raise Unacceptable("must be an http or https URL with a host, and without user, query and fragment")
    return text, parts


def as_public_url(value: object) -> str:
    """What clients are to reach this server by: it is written into answers, so it has to be right to the letter."""
    text, parts = _read_http_url(value)
    if not is_plausible_in_url(parts.netloc, parts.hostname or "") or parts.netloc.endswith(":"):
        raise Unacceptable(f"has a host that is neither an IP address nor a host's name: {parts.netloc!r}")
    if not {".", ".."}.isdisjoint(unquote(parts.path).split("/")):
        raise Unacceptable("must be a URL whose path has no segments `.` and `..`: clients would take them away")
    return text


def as_origin(value: object) -> str:
    if value == "*":
        return "*"
    text = as_public_url(value)
    if urlsplit(text).path:
        raise Unacceptable(f"{value!r} is not an origin such as https://app.example.com")
    return text
