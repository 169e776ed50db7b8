"""The handshake's rules (wire contract, 3.6; conformance cases 47 to 51)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Answer, Endpoint
from bellwire.wire.webhook.handshake import (
    HandshakeAccepted,
    HandshakeRefused,
    judge,
    request,
)

TOKEN = "2ba1-token"
JSON = ("content-type", "application/json; charset=utf-8")
GOOD = Answer(None, "", 200, (JSON, ("validation-token", TOKEN)), 120, 0.1)


def refused_code(answer: Answer, *, strict: bool = False) -> str:
    verdict = judge(answer, TOKEN, strict_content_type=strict)
    assert isinstance(verdict, HandshakeRefused)
    return verdict.code


def test_the_request_carries_both_tokens_and_no_body_headers() -> None:
    head = request(
        Endpoint("https", "example.com", 443, "/hook"),
        user_agent="Bellwire-Webhook/0.1.0",
        validation_token=TOKEN,
        verification_token="mine",
    )
    assert head.startswith(b"POST /hook HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Bellwire-Webhook/0.1.0\r\n")
    assert b"\r\nValidation-Token: 2ba1-token\r\n" in head
    assert b"\r\nVerification-Token: mine\r\n" in head
    assert b"content-" not in head.lower()


def test_an_echoed_token_is_accepted() -> None:
    assert judge(GOOD, TOKEN, strict_content_type=True) == HandshakeAccepted()


@pytest.mark.parametrize(
    "headers", [(JSON,), (JSON, ("validation-token", "other")), (JSON, ("validation-token", TOKEN.upper()))]
)
def test_a_missing_or_different_token_is_sub_520(headers: tuple[tuple[str, str], ...]) -> None:
    assert refused_code(replace(GOOD, headers=headers)) == "SUB-520"


def test_two_different_tokens_are_sub_520() -> None:
    assert refused_code(replace(GOOD, headers=(*GOOD.headers, ("validation-token", "other")))) == "SUB-520"


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 404, 500])
def test_any_status_but_200_is_sub_525(status: int) -> None:
    assert refused_code(replace(GOOD, status=status)) == "SUB-525"


def test_1024_bytes_are_accepted_and_1025_are_sub_525() -> None:
    assert isinstance(judge(replace(GOOD, size_bytes=1024), TOKEN, strict_content_type=True), HandshakeAccepted)
    assert refused_code(replace(GOOD, size_bytes=1025)) == "SUB-525"


def test_an_answer_within_three_seconds_is_accepted_and_a_later_one_is_sub_521() -> None:
    assert isinstance(judge(replace(GOOD, duration_seconds=3.0), TOKEN, strict_content_type=True), HandshakeAccepted)
    assert refused_code(replace(GOOD, duration_seconds=3.001)) == "SUB-521"


@pytest.mark.parametrize("headers", [(), (("content-type", "text/html"),)])
def test_another_content_type_is_a_warning_and_in_strict_mode_sub_525(headers: tuple[tuple[str, str], ...]) -> None:
    answer = replace(GOOD, headers=(*headers, ("validation-token", TOKEN)))
    lenient = judge(answer, TOKEN, strict_content_type=False)
    assert isinstance(lenient, HandshakeAccepted)
    assert "application/json" in lenient.warning
    assert refused_code(answer, strict=True) == "SUB-525"


@pytest.mark.parametrize("failure", FailureCode)
def test_no_answer_is_521_a_bad_certificate_524_and_an_unreadable_answer_525(failure: FailureCode) -> None:
    expected = {
        FailureCode.TLS: "SUB-524",
        FailureCode.MALFORMED_RESPONSE: "SUB-525",
        FailureCode.RESPONSE_TOO_LARGE: "SUB-525",
    }.get(failure, "SUB-521")
    assert refused_code(Answer(failure, "Because.")) == expected


def test_a_refusal_becomes_an_error_that_names_the_address() -> None:
    verdict = judge(Answer(FailureCode.DNS, "The name does not exist."), TOKEN, strict_content_type=False)
    assert isinstance(verdict, HandshakeRefused)
    error = verdict.error("https://example.com")
    assert (error.http_status, error.code) == (400, "SUB-521")
    assert error.message.endswith("The name does not exist.")
    assert (error.entries[0].parameter, error.entries[0].value) == ("deliveryMode.address", "https://example.com")
