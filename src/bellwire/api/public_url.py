"""Whose address a request came from, and by which URL it was made, also behind proxies.

Forwarding headers are believed only when the peer is in a configured network, and in `X-Forwarded-For` only as far back
as trusted proxies wrote them. The server in front (uvicorn) must not rewrite the scope itself (`proxy_headers=False`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from bellwire.host_name import is_address, is_local_name

_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_MAX_HOPS = 20
_OF_PROXIES = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "via"})


class TrustedProxies:
    """The networks whose forwarding headers are believed; none by default.

    Raises:
        ValueError: an entry is not an address or a network in CIDR form.
    """

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)

    def trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def remote_address(self, connection: HTTPConnection) -> str:
        """The nearest address that is not a trusted proxy's; `unknown` when the server doesn't know its peer."""
        peer = "unknown" if connection.client is None else connection.client.host
        hops = [hop.strip() for hop in connection.headers.get("x-forwarded-for", "").split(",")]
        for hop in reversed(hops[-_MAX_HOPS:]):
            if not hop or not self.trusts(peer):
                break
            peer = hop
        return peer

    def forwarded(self, connection: HTTPConnection, header: str) -> str | None:
        """The value of a forwarding header that the peer is trusted to write; the nearest proxy's when several did."""
        value = connection.headers.get(header)
        if value is None or connection.client is None or not self.trusts(connection.client.host):
            return None
        return value.rsplit(",", 1)[-1].strip()


def rate_key_of(address: str) -> str:
    """What stands for an unknown caller in rate limits: its address, of IPv6 the /64 that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


def is_asked_nearby(connection: HTTPConnection) -> bool:
    """Whether a request was made without a proxy, and by an address or a name that no stranger's DNS could point here.

    A page of `evil.example` whose name comes to mean 127.0.0.1 is of the same origin as we are, for its browser (DNS
    rebinding): only `Host` tells. Names without a dot are of this machine or its network, as in Docker Compose.
    """
    if not _OF_PROXIES.isdisjoint(connection.headers):
        return False
    return all(_is_near(host) for host in connection.headers.getlist("host"))


def _is_near(host: str) -> bool:
    if _HOST.fullmatch(host) is None:
        return False
    name = urlsplit(f"//{host}").hostname or ""
    return is_address(name) or is_local_name(name) or "." not in name


class PublicUrl:
    """The base of all absolute URIs in answers: the configured one, or else the one the request was made by."""

    def __init__(self, configured: str | None = None, *, proxies: TrustedProxies | None = None) -> None:
        self._configured = None if configured is None else configured.rstrip("/")
        self.proxies = proxies or TrustedProxies()

    def base(self, connection: HTTPConnection) -> str:
        """Scheme and authority (and path prefix, when configured), without a slash at the end."""
        if self._configured is not None:
            return self._configured
        scheme = self.proxies.forwarded(connection, "x-forwarded-proto") or connection.scope.get("scheme", "http")
        if scheme not in ("http", "https"):
            scheme = "http"
        host = self.proxies.forwarded(connection, "x-forwarded-host") or connection.headers.get("host", "")
        if _HOST.fullmatch(host) is None:
            name, port = connection.scope.get("server") or ("localhost", None)
            host = name if port is None else f"{name}:{port}"
        return f"{scheme}://{host}"
