"""No spelling of an address, and no name, leads the sender to where it must not go.

Each row is a webhook address as a subscriber could write it. A receiver listens on loopback at the address's port, so
that a guard that lets one through would be seen to connect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from bellwire.errors import InvalidRequest
from bellwire.model.attempt import FailureCode
from bellwire.transports.guard import AddressGuard
from bellwire.transports.resolver import DnsResolver
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.request import request_head
from tests.doubles.stepped_clock import SteppedClock
from tests.integration.transports.name_server import NameServer, serving_names
from tests.integration.transports.peers import OK, FixedResolver, Peer, a_client, answering, receiving, send

STRICT = AddressGuard(allow_http=True)

NAMES = {
    "to-loopback.test": ["127.0.0.1"],
    "to-loopback6.test": ["::1"],
    "to-private.test": ["10.0.0.5"],
    "to-unique-local.test": ["fd00::5"],
    "to-link-local.test": ["fe80::5"],
    "to-metadata.test": ["169.254.169.254"],
    "to-metadata6.test": ["fd00:ec2::254"],
    "to-mapped.test": ["::ffff:127.0.0.1"],
    "to-nat64.test": ["64:ff9b::7f00:1"],
    "to-6to4.test": ["2002:7f00:1::1"],
    "to-teredo.test": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "to-both.test": ["8.8.8.8", "127.0.0.1"],
    "to-unspecified.test": ["0.0.0.0"],
}

HOSTS = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.0X0.0X0.0X1",
    "127。0。0。1",
    "１２７．０．０．１",
    "①②⑦.⓪.⓪.①",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "sub.localhost",
    "10.0.0.1",
    "0xa.1",
    "172.16.0.1",
    "2886729729",
    "192.168.1.1",
    "192.168.257",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "0251.0376.0251.0376",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    *NAMES,
]

MALFORMED = [
    "http://good@127.0.0.1:{port}/",
    "http://good:pass@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\.example.com/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.1%2f:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\r\n:{port}/",
    "http:///127.0.0.1:{port}/",
    "file://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "http://127.0.0.1.0.1:{port}/",
    "http://127.0.0.09:{port}/",
]


@pytest.fixture
async def inside() -> AsyncIterator[Peer]:
    """A service that nobody outside should reach."""
    async with receiving(answering(OK)) as peer:
        yield peer


@pytest.fixture
async def resolver() -> AsyncIterator[DnsResolver]:
    async with serving_names() as server:
        server.zone = {name: [addresses] for name, addresses in NAMES.items()}
        resolver = DnsResolver(SteppedClock(), name_servers=[server.address])
        yield resolver
        await resolver.close()


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_that_leads_inside_is_blocked(inside: Peer, resolver: DnsResolver, host: str) -> None:
    endpoint = parse_address(f"http://{host}:{inside.port}/", allow_http=True)
    async with a_client(resolver=resolver, guard=STRICT) as client:
        result = await send(client, endpoint)
        assert result.failure is FailureCode.SSRF_BLOCKED
        answer = await client.ask(endpoint, request_head(endpoint, user_agent="x"), b"", timeout_seconds=3)
        assert answer.failure is FailureCode.SSRF_BLOCKED
    assert inside.connections == 0


@pytest.mark.parametrize("address", MALFORMED)
def test_a_spelling_without_a_clear_host_is_refused_when_subscribing(address: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_address(address.format(port=8080), allow_http=True)


async def test_a_name_that_turns_inward_on_the_second_look_up_is_blocked(inside: Peer) -> None:
    # 127.0.0.2 stands for an address outside: a named network is the only thing here that makes it one.
    guard = AddressGuard(allow_http=True, allowed_networks=(ip_network("127.0.0.2/32"),))
    resolver = FixedResolver({"rebind.test": [["127.0.0.2"], ["127.0.0.1"]]})
    async with a_client(resolver=resolver, guard=guard) as client:
        endpoint = inside.endpoint(host="rebind.test")
        assert (await send(client, endpoint)).failure is FailureCode.CONNECT_REFUSED  # outside; nobody listens there
        assert (await send(client, endpoint)).failure is FailureCode.SSRF_BLOCKED
    assert resolver.asked == ["rebind.test", "rebind.test"]
    assert inside.connections == 0


async def test_a_real_name_server_that_turns_a_name_inward_gains_nothing(inside: Peer) -> None:
    guard = AddressGuard(allow_http=True, allowed_networks=(ip_network("127.0.0.2/32"),))
    clock = SteppedClock()
    async with serving_names() as server:
        server.zone = {"rebind.test": [["127.0.0.2"], ["127.0.0.1"]]}
        resolver = DnsResolver(clock, name_servers=[server.address])
        async with a_client(resolver=resolver, guard=guard) as client:
            endpoint = inside.endpoint(host="rebind.test")
            assert (await send(client, endpoint)).failure is FailureCode.CONNECT_REFUSED
            clock.advance(6)
            assert (await send(client, endpoint)).failure is FailureCode.SSRF_BLOCKED
        await resolver.close()
    assert inside.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_inward_is_not_followed(inside: Peer, status: int) -> None:
    location = f"http://127.0.0.1:{inside.port}/secret".encode()
    answer = b"HTTP/1.1 %d Go\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, location)
    async with receiving(answering(answer)) as outside, a_client() as client:
        assert (await send(client, outside.endpoint())).failure is FailureCode.REDIRECT
        head = request_head(outside.endpoint(), user_agent="x")
        asked = await client.ask(outside.endpoint(), head, b"", timeout_seconds=3)
        assert (asked.failure, asked.status) == (None, status)
    assert inside.connections == 0


async def test_plain_http_is_blocked_where_it_is_not_allowed(inside: Peer) -> None:
    async with a_client(guard=AddressGuard(allow_private=True)) as client:
        assert (await send(client, inside.endpoint())).failure is FailureCode.SSRF_BLOCKED
    assert inside.connections == 0


async def test_in_development_loopback_names_are_reached(inside: Peer) -> None:
    async with serving_names() as server:
        resolver = DnsResolver(SteppedClock(), name_servers=[server.address])
        async with a_client(resolver=resolver) as client:
            assert (await send(client, inside.endpoint(host="localhost"))).failure is None
        await resolver.close()
    await asyncio.sleep(0)


def test_every_table_name_is_resolved_by_the_name_server() -> None:
    assert set(NAMES) <= set(HOSTS)
    assert NameServer().zone == {}
