"""Where Bellwire must not connect, whatever a subscriber writes (server-side request forgery).

Every address that a host resolves to is checked at each new connection, and the connection goes to a checked one:
there is no second look-up that could answer differently. IPv4 addresses that hide in IPv6 ones are refused as such,
since who asks for them has no good reason to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOOPBACK, _PRIVATE, _METADATA = "loopback", "private", "cloud metadata"

_KINDS: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), kind)
    for kind, networks in (
        # The first that contains the address names it. Metadata services: AWS and most others, AWS over IPv6,
        # Alibaba, Azure, Oracle.
        (
            _METADATA,
            "169.254.169.254/32 fd00:ec2::254/128 fd20:ce::254/128 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32",
        ),
        (_LOOPBACK, "127.0.0.0/8 ::1/128"),
        (_PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7"),
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("link-local", "169.254.0.0/16 fe80::/10"),
        ("site-local", "fec0::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("broadcast", "255.255.255.255/32"),
        ("benchmarking", "198.18.0.0/15 2001:2::/48"),
        ("documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        (
            "IPv4-embedding",  # mapped, compatible, translated, NAT64 and its local prefix, Teredo, 6to4 and its relays
            "::ffff:0:0/96 ::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2001::/32 2002::/16 192.88.99.0/24",
        ),
        ("reserved", "192.0.0.0/24 240.0.0.0/4 2001::/23"),
    )
    for network in networks.split()
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")


def kind_of(address: Address) -> str | None:
    """Why an address is not one of the public internet's hosts, in a word; None if it is one."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "scoped"
    for network, kind in _KINDS:
        # Asking a network of the other family is answered with False.
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """What an installation lets its webhooks reach."""

    allow_http: bool = False
    allow_private: bool = False
    """Loopback and private networks too; what serves clouds' metadata stays refused."""
    allowed_networks: tuple[Network, ...] = ()
    """Reachable whatever their kind."""

    def refusal(self, scheme: str, addresses: Iterable[Address]) -> str | None:
        """Why a host with these addresses must not be connected to, in a few words; None if it may.

        One refused address is enough: a host that is public and private at once is not to be trusted.
        """
        if scheme != "https" and not self.allow_http:
            return "plain http is not allowed"
        for address in addresses:
            kind = kind_of(address)
            if kind is None or any(address in network for network in self.allowed_networks):
                continue
            if self.allow_private and kind in {_LOOPBACK, _PRIVATE}:
                continue
            return f"its host has {'an' if kind[0] in 'IuA' else 'a'} {kind} address"
        return None
