"""The pure rules of the OAuth endpoints."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.errors import OAuthRefused
from bellwire.wire.oauth import (
    access_ttl,
    client_credentials,
    is_code_challenge,
    parse_form,
    phone_digits,
    proves,
    refresh_ttl,
    with_query,
)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_form_leaves_out_what_is_empty() -> None:
    assert parse_form(b"a=1&state=&brand_id=&b=x+y%2Bz") == {"a": "1", "b": "x y+z"}


@pytest.mark.parametrize("encoded", [b"a=1&a=2", b"a=&a=1"])
def test_a_parameter_given_twice_is_refused(encoded: bytes) -> None:
    with pytest.raises(OAuthRefused) as refused:
        parse_form(encoded)
    assert (refused.value.error, refused.value.code) == ("invalid_request", "OAU-111")


def test_a_field_over_its_length_is_refused_by_name() -> None:
    assert parse_form(b"username=" + b"x" * 255)
    with pytest.raises(OAuthRefused, match=r"\[username\] is longer than 255"):
        parse_form(b"username=" + b"x" * 256)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(encoded: bytes) -> None:
    try:
        form = parse_form(encoded)
    except OAuthRefused:
        return
    assert all(form.values())


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, 3600),
        ("", 3600),
        ("-1", 600),
        ("600", 600),
        ("601.9", 601),
        ("3600", 3600),
        ("3601", 3600),
        ("1e999", 3600),
        ("-inf", 600),
    ],
)
def test_access_lifetimes_are_clamped(asked: str | None, granted: int) -> None:
    assert access_ttl(asked) == granted


@given(st.text(max_size=30) | st.floats().map(str) | st.integers().map(str))
def test_any_lifetime_asked_for_gives_one_in_range(asked: str) -> None:
    assert 600 <= access_ttl(asked) <= 3600
    assert 1 <= refresh_ttl(asked) <= 604_800


def test_no_refresh_lifetime_asked_for_keeps_the_last_one() -> None:
    assert (refresh_ttl(None, otherwise=77), refresh_ttl("0", otherwise=77)) == (77, 604_800)


def test_credentials_are_read_from_basic_or_body() -> None:
    shown = client_credentials(basic("id:p%40ss:word"), {})
    assert (shown.client_id, shown.secret, shown.alternatives) == ("id", "p%40ss:word", (("id", "p@ss:word"),))
    assert client_credentials(None, {"client_id": "id"}).secret is None
    assert client_credentials(basic("id:"), {"client_secret": "s"}).secret == "s"
    assert client_credentials("Bearer x", {"client_id": "id", "client_secret": "s"}).secret == "s"


@pytest.mark.parametrize("header", [None, "Basic", "Basic =", basic("nocolon"), basic(":secret"), "Basic /w=="])
def test_unreadable_credentials_are_refused(header: str | None) -> None:
    with pytest.raises(OAuthRefused) as refused:
        client_credentials(header, {})
    assert refused.value.error == "invalid_client"


def test_pkce_follows_the_published_example() -> None:
    # RFC 7636, appendix B
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert proves(verifier, challenge, "S256")
    assert not proves(verifier, challenge, "plain")
    assert not proves(challenge, challenge, "S256")
    assert proves(verifier, verifier, "plain")
    assert not proves("é\ud800", challenge, "S256")


@pytest.mark.parametrize(
    ("text", "valid"), [("a", True), ("a" * 128, True), ("a" * 129, False), ("", False), ("a b", False)]
)
def test_a_challenge_has_its_alphabet(text: str, valid: bool) -> None:
    assert is_code_challenge(text) is valid


def test_a_redirect_keeps_its_own_query() -> None:
    uri = with_query("https://client.example/cb?a=%20b", {"code": "x y", "state": "s&t"})
    assert uri.startswith("https://client.example/cb?a=%20b&")
    assert parse_qs(urlsplit(uri).query) == {"a": [" b"], "code": ["x y"], "state": ["s&t"]}
    assert with_query("myapp://done", {"code": "1"}) == "myapp://done?code=1"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+15551230000", "15551230000"),
        (" 15551230000", "15551230000"),
        ("15551230000", "15551230000"),
        ("(555) 123-0000", "15551230000"),
        ("+4930123456", "4930123456"),
        ("101", None),
        ("alice", None),
        ("+1555123000012345", None),
        ("٥٥٥١٢٣٠٠٠٠", None),
    ],
)
def test_phone_numbers_are_told_from_names(text: str, digits: str | None) -> None:
    assert phone_digits(text) == digits
