"""Webhook addresses: one canonical reading each, or a refusal that says why."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.errors import InvalidRequest
from bellwire.model.webhook import Endpoint
from bellwire.wire.webhook.address import host_header, parse_address


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("https://example.com", Endpoint("https", "example.com", 443, "/")),
        ("https://Example.COM./hook", Endpoint("https", "example.com", 443, "/hook")),
        ("HTTPS://example.com:8443/a/b?c=d&e=%2F", Endpoint("https", "example.com", 8443, "/a/b?c=d&e=%2F")),
        ("https://example.com?x=1", Endpoint("https", "example.com", 443, "/?x=1")),
        ("http://my_receiver:3000/", Endpoint("http", "my_receiver", 3000, "/")),
        ("https://bücher.example/ä b".replace(" ", ""), Endpoint("https", "xn--bcher-kva.example", 443, "/%C3%A4b")),
        ("https://[2606:4700::1111]:444/", Endpoint("https", "2606:4700::1111", 444, "/")),
        ("https://[2606:4700:0:0:0:0:0:1111]/", Endpoint("https", "2606:4700::1111", 443, "/")),
        ('https://example.com/a"b', Endpoint("https", "example.com", 443, "/a%22b")),
    ],
)
def test_an_address_is_taken_apart(address: str, endpoint: Endpoint) -> None:
    assert parse_address(address, allow_http=True) == endpoint


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("127.65535", "127.0.255.255"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("127。0。0。1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("ⓛocalhost", "localhost"),
        ("192.168.1.1", "192.168.1.1"),
    ],
)
def test_every_spelling_of_an_ipv4_host_becomes_the_same_one(host: str, canonical: str) -> None:
    assert parse_address(f"http://{host}/", allow_http=True).host == canonical


@pytest.mark.parametrize(("allow_http", "reason"), [(False, "must be https."), (True, "must be https or http.")])
def test_who_uses_another_scheme_is_told_which_ones_there_are(allow_http: bool, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(f"the scheme {reason}")):
        parse_address("ftp://example.com/", allow_http=allow_http)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "full URL"),
        ("example.com/hook", "full URL"),
        ("https:/example.com", "full URL"),
        ("//example.com", "full URL"),
        ("ftp://example.com", "scheme"),
        ("javascript://example.com", "scheme"),
        ("https://", "names no host"),
        ("https:///hook", "names no host"),
        ("https://.", "names no host"),
        ("https://good@127.0.0.1/", "user name"),
        ("https://user:pass@example.com/", "user name"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com/a b", "spaces"),
        ("https://example.com/\r\nX-Evil: 1", "control characters"),
        ("https://exa\tmple.com/", "control characters"),
        ("https://example.com/\u2028", "control characters"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:/", "port"),
        ("https://example.com:-1/", "port"),
        ("https://example.com:４４３/", "port"),
        ("https://example.com:443:443/", "port"),
        ("https://%31%32%37.0.0.1/", "percent escapes"),
        ("https://127.0.0.1%00.example.com/", "percent escapes"),
        ("https://１２７％2e0.0.1/", "not an IPv4 address"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://[::1/", "brackets"),
        ("https://[::1]x/", "brackets"),
        ("https://[127.0.0.1]/", "not an IPv6 address"),
        ("https://::1/", "port"),
        ("https://1.2.3.4.5/", "ends in a number"),
        ("https://256.0.0.1/", "ends in a number"),
        ("https://4294967296/", "ends in a number"),
        ("https://127.0.0.08/", "ends in a number"),
        ("https://example.1/", "ends in a number"),
        ("https://a..example.com/", "host name"),
        ("https://-a.example.com/", "host name"),
        ("https://" + "a" * 64 + ".example.com/", "host name"),
        ("https://" + "a." * 127 + "com/", "host name"),
        ("https://exa$mple.com/", "host name"),
        ("https://straße.example/", "xn--"),
        ("https://example.com/%zz", "percent sign"),
        ("https://example.com/\ud800", "not text"),
    ],
)
def test_what_has_no_clear_reading_is_refused_with_the_reason(address: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        parse_address(address, allow_http=True)
    assert (refused.value.code, refused.value.http_status) == ("CMN-101", 400)
    assert refused.value.entries[0].parameter == "deliveryMode.address"


def test_plain_http_is_refused_where_https_is_required() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_address("http://example.com/", allow_http=False)
    assert refused.value.code == "SUB-523"


def test_an_address_may_have_2048_characters_and_no_more() -> None:
    longest = "https://example.com/" + "a" * (2048 - 20)
    assert parse_address(longest, allow_http=False).target.endswith("a")
    with pytest.raises(InvalidRequest, match="2048") as refused:
        parse_address(longest + "a", allow_http=False)
    assert refused.value.entries[0].value is None


@pytest.mark.parametrize(
    ("endpoint", "header"),
    [
        (Endpoint("https", "example.com", 443, "/"), "example.com"),
        (Endpoint("http", "example.com", 80, "/"), "example.com"),
        (Endpoint("https", "example.com", 80, "/"), "example.com:80"),
        (Endpoint("https", "::1", 443, "/"), "[::1]"),
        (Endpoint("http", "::1", 8080, "/"), "[::1]:8080"),
    ],
)
def test_the_host_header_has_the_port_unless_it_is_the_default(endpoint: Endpoint, header: str) -> None:
    assert host_header(endpoint) == header


@given(st.text(max_size=60) | st.text(string.printable, max_size=60))
def test_any_text_after_the_scheme_is_read_or_refused(text: str) -> None:
    try:
        endpoint = parse_address("https://" + text, allow_http=False)
    except InvalidRequest:
        return
    line = f"{endpoint.host} {endpoint.target}"
    assert line.isascii()
    assert line.isprintable()
    assert " " not in endpoint.target
    assert endpoint.target.startswith("/")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{:d}", "0{:o}", "0x{:x}"]))
def test_a_whole_number_is_the_address_that_it_numbers(number: int, form: str) -> None:
    dotted = ".".join(str(byte) for byte in number.to_bytes(4, "big"))
    assert parse_address(f"https://{form.format(number)}/", allow_http=False).host == dotted
