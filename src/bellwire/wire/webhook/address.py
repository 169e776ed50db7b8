"""Read a webhook address: what may be written, and the one canonical `Endpoint` that it stands for.

An address has many spellings of the same host (`127.1`, `2130706433`, `0x7f.1`, full-width digits), and a guard that
knows only one of them guards nothing. So a host is brought to one spelling here, as a resolver would read it, and
what has no clear reading is refused. Whether the host may be *reached* is not decided here: that depends on the
addresses that it resolves to, each time a connection is made (`transports/guard.py`).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from bellwire.errors import InvalidRequest
from bellwire.model.webhook import Endpoint

MAX_ADDRESS_LENGTH = 2048
PARAMETER = "deliveryMode.address"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_IPV4_PART = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MAX_HOST_LENGTH = 253
_TARGET_CHARACTERS = "/?:@!$&'()*+,;=~-._%[]"
_READ_DIFFERENTLY = frozenset("ßςẞ\u200c\u200d")
"""Letters that the two IDNA standards turn into different names."""


def parse_address(address: str, *, allow_http: bool) -> Endpoint:
    """Take a webhook address apart, as a subscriber wrote it.

    Raises:
        InvalidRequest: SUB-523 for plain http where https is required; else CMN-101, naming the reason.
    """
    if len(address) > MAX_ADDRESS_LENGTH:
        # Not repeated in the error: it may be a megabyte.
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [{PARAMETER}] is invalid: it has more than {MAX_ADDRESS_LENGTH} characters.",
            parameter=PARAMETER,
        )
    if _FORBIDDEN.search(address):
        raise _invalid(address, "spaces, control characters and backslashes are not allowed")
    shape = _SHAPE.fullmatch(address)
    if shape is None:
        raise _invalid(address, "it must be a full URL, as https://example.com/hook")
    scheme = shape["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise _invalid(address, f"the scheme must be https{' or http' if allow_http else ''}")
    if scheme == "http" and not allow_http:
        raise InvalidRequest(
            "SUB-523",
            f"Parameter [{PARAMETER}] is invalid: the address must use https.",
            parameter=PARAMETER,
            value=address,
        )
    if "#" in shape["rest"]:
        raise _invalid(address, "a fragment (#) is not allowed")
    if "@" in shape["authority"]:
        raise _invalid(address, "a user name or password is not allowed")
    host, port = _host_and_port(address, shape["authority"])
    return Endpoint(
        scheme, _canonical_host(address, host), port or _DEFAULT_PORTS[scheme], _target(address, shape["rest"])
    )


def host_header(endpoint: Endpoint) -> str:
    """The endpoint's host as the `Host` header has it: brackets around IPv6, the port unless it is the default."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return host if endpoint.port == _DEFAULT_PORTS[endpoint.scheme] else f"{host}:{endpoint.port}"


def _host_and_port(address: str, authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, after = authority.partition("]")
        host += bracket
        if not bracket or (after and not after.startswith(":")):
            raise _invalid(address, "the host's brackets don't match")
        colon, port = after[:1], after[1:]
    else:
        host, colon, port = authority.partition(":")
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise _invalid(address, "the port must be a number from 1 to 65535")
    return host, int(port)


def _canonical_host(address: str, host: str) -> str:
    if host.startswith("["):
        try:
            literal = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise _invalid(address, "the host in brackets is not an IPv6 address") from None
        if literal.scope_id is not None:
            raise _invalid(address, "an IPv6 zone is not allowed")
        return literal.compressed
    if "%" in host:
        raise _invalid(address, "the host must be written without percent escapes")
    name = _ascii_name(address, host).lower().removesuffix(".")
    if not name:
        raise _invalid(address, "it names no host")
    labels = name.split(".")
    if _IPV4_PART.fullmatch(labels[-1]):
        literal4 = _ipv4(labels)
        if literal4 is None:
            raise _invalid(address, "the host ends in a number but is not an IPv4 address")
        return str(literal4)
    if len(name) > _MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid(address, "the host is not a valid host name")
    return name


def _ascii_name(address: str, host: str) -> str:
    if host.isascii():
        return host
    if _READ_DIFFERENTLY & set(host):
        raise _invalid(address, "the host has letters that are read in two ways: write it in its xn-- spelling")
    try:
        # Also brings full-width letters, digits and ideographic full stops to their ASCII forms.
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _invalid(address, "the host is not a valid host name") from None


def _ipv4(parts: list[str]) -> ipaddress.IPv4Address | None:
    """Read one to four parts, each decimal, octal (`0…`) or hexadecimal (`0x…`), as inet_aton(3) does."""
    if len(parts) > 4:
        return None
    numbers = []
    for part in parts:
        if not _IPV4_PART.fullmatch(part) or len(part) > 16:
            return None
        try:
            if part.startswith("0x"):
                numbers.append(int(part[2:] or "0", 16))
            else:
                numbers.append(int(part, 8 if len(part) > 1 and part[0] == "0" else 10))
        except ValueError:
            return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (5 - len(numbers)):
        return None
    value = last
    for index, number in enumerate(leading):
        value += number << (24 - 8 * index)
    return ipaddress.IPv4Address(value)


def _target(address: str, rest: str) -> str:
    if _BAD_ESCAPE.search(rest):
        raise _invalid(address, "a percent sign must be followed by two hexadecimal digits")
    target = rest if rest.startswith("/") else "/" + rest
    try:
        return quote(target, safe=_TARGET_CHARACTERS)
    except UnicodeEncodeError:
        raise _invalid(address, "it has characters that are not text") from None


def _invalid(address: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        "CMN-101", f"Parameter [{PARAMETER}] is invalid: {reason}.", parameter=PARAMETER, value=address
    )
