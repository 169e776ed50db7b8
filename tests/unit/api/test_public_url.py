"""Whose address a request came from, and by which URL it was made."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from bellwire.api.public_url import PublicUrl, TrustedProxies, rate_key_of


def connection(peer: str | None, **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    client = None if peer is None else (peer, 1)
    return HTTPConnection(
        {"type": "http", "headers": raw, "client": client, "scheme": "http", "server": ("127.0.0.1", 8710), "path": "/"}
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("5.5.5.5", "1.2.3.4", "5.5.5.5"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "not an address", "not an address"),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_alone(peer: str, forwarded: str, expected: str) -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    assert proxies.remote_address(connection(peer, x_forwarded_for=forwarded)) == expected


def test_an_unknown_peer_is_said_to_be_unknown() -> None:
    assert TrustedProxies(["0.0.0.0/0"]).remote_address(connection(None, x_forwarded_for="1.2.3.4")) == "unknown"


def test_a_bad_network_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        TrustedProxies(["nonsense"])


@pytest.mark.parametrize("host", ["bellwire.test", "bellwire.test:8710", "[::1]:8710", "localhost"])
def test_the_host_header_makes_the_base(host: str) -> None:
    assert PublicUrl().base(connection("1.1.1.1", host=host)) == f"http://{host}"


@pytest.mark.parametrize("host", ["", "evil/path", "a b", "x@y", "[::1", "a" * 300, "h:123456"])
def test_an_impossible_host_gives_way_to_the_listening_address(host: str) -> None:
    assert PublicUrl().base(connection("1.1.1.1", host=host)) == "http://127.0.0.1:8710"


def test_one_customer_of_ipv6_is_one_caller() -> None:
    assert rate_key_of("2001:db8:1:2::1") == rate_key_of("2001:db8:1:2:ffff::9") != rate_key_of("2001:db8:1:3::1")
    assert rate_key_of("::ffff:1.2.3.4") == rate_key_of("1.2.3.4") == "1.2.3.4"
    assert len(rate_key_of("x" * 1000)) == 64
