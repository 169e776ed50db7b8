"""Which addresses are refused, and what configuration can allow."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from bellwire.transports.guard import AddressGuard, kind_of

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "2606:4700::1111"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert kind_of(ip_address(address)) is None
    assert AddressGuard().refusal("https", [ip_address(address)]) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("100.127.255.255", "private"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("169.254.169.254", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "scoped"),
        ("fec0::1", "site-local"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("240.0.0.1", "reserved"),
        ("192.0.0.1", "reserved"),
        ("100::1", "reserved"),
        ("4000::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("2001:db8::1", "documentation"),
        ("::ffff:127.0.0.1", "IPv4-embedding"),
        ("::ffff:8.8.8.8", "IPv4-embedding"),
        ("::127.0.0.1", "IPv4-embedding"),
        ("::ffff:0:127.0.0.1", "IPv4-embedding"),
        ("64:ff9b::7f00:1", "IPv4-embedding"),
        ("64:ff9b:1::a00:1", "IPv4-embedding"),
        ("2002:7f00:1::", "IPv4-embedding"),
        ("2001:0:7f00:1::", "IPv4-embedding"),
        ("192.88.99.1", "IPv4-embedding"),
    ],
)
def test_an_address_of_a_special_kind_is_refused_and_named(address: str, kind: str) -> None:
    assert kind_of(ip_address(address)) == kind
    refusal = AddressGuard().refusal("https", [ip_address(address)])
    assert refusal is not None
    assert kind in refusal
    assert address not in refusal


def test_one_refused_address_among_public_ones_refuses_the_host() -> None:
    addresses = [ip_address("8.8.8.8"), ip_address("10.0.0.1")]
    assert AddressGuard().refusal("https", addresses) is not None
    assert AddressGuard().refusal("https", reversed(addresses)) is not None


def test_private_and_loopback_can_be_allowed_and_metadata_stays_refused() -> None:
    guard = AddressGuard(allow_private=True)
    assert guard.refusal("https", [ip_address("127.0.0.1"), ip_address("::1"), ip_address("10.0.0.1")]) is None
    for address in ("169.254.169.254", "fd00:ec2::254", "0.0.0.0", "169.254.0.1", "::ffff:127.0.0.1", "224.0.0.1"):
        assert guard.refusal("https", [ip_address(address)]) is not None


def test_a_named_network_is_allowed_and_its_neighbours_are_not() -> None:
    guard = AddressGuard(allowed_networks=(ip_network("10.1.0.0/16"), ip_network("fd12::/16")))
    assert guard.refusal("https", [ip_address("10.1.2.3"), ip_address("fd12::1")]) is None
    assert guard.refusal("https", [ip_address("10.2.0.1")]) is not None
    assert guard.refusal("https", [ip_address("::ffff:10.1.2.3")]) is not None


def test_plain_http_is_refused_unless_allowed() -> None:
    assert AddressGuard().refusal("http", [ip_address("8.8.8.8")]) is not None
    assert AddressGuard(allow_http=True).refusal("http", [ip_address("8.8.8.8")]) is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("::ffff:127.0.0.1", "its host has an IPv4-embedding address"),
        ("0.0.0.0", "its host has an unspecified address"),
        ("10.0.0.1", "its host has a private address"),
    ],
)
def test_a_refusal_reads_as_a_sentence(address: str, words: str) -> None:
    assert AddressGuard().refusal("https", [ip_address(address)]) == words
