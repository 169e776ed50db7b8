"""Delivery request heads (wire contract, 3.7)."""

from __future__ import annotations

import pytest

from bellwire.errors import InvalidRequest
from bellwire.model.webhook import Endpoint
from bellwire.wire.webhook.request import check_verification_token, request_head

ENDPOINT = Endpoint("https", "example.com", 8443, "/hook?a=b")


def test_a_delivery_head_has_the_documented_headers() -> None:
    assert request_head(ENDPOINT, user_agent="Bellwire-Webhook/0.1.0") == (
        b"POST /hook?a=b HTTP/1.1\r\n"
        b"Host: example.com:8443\r\n"
        b"User-Agent: Bellwire-Webhook/0.1.0\r\n"
        b"Accept: application/json\r\n"
        b"Content-Type: application/json; charset=UTF-8\r\n"
        b"Connection: keep-alive\r\n"
    )


def test_the_token_goes_out_as_verification_token_and_never_as_validation_token() -> None:
    head = request_head(ENDPOINT, user_agent="x", verification_token="s3cret", extra=(("X-More", "1"),))
    assert b"\r\nVerification-Token: s3cret\r\n" in head
    assert head.endswith(b"X-More: 1\r\n")
    assert b"validation-token" not in head.lower()


def test_a_verification_token_of_1024_visible_characters_is_accepted() -> None:
    token = "~" * 1024
    assert check_verification_token(token) == token


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ä", "\x7f", "x" * 1025, "a\n"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="verificationToken") as refused:
        check_verification_token(token)
    assert refused.value.code == "CMN-101"
