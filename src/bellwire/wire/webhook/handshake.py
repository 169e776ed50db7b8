"""The validation handshake of a webhook address (wire contract, 3.6): what is asked, and which answers are accepted.

    POST, Validation-Token: t ──▶ answer ──▶ judge ──▶ accepted
                                                └────▶ refused: SUB-520, 521, 524 or 525, with the reason

The answer's size is the bytes of its header lines, each with its CRLF, and of its body; neither the status line nor
the empty line after the headers counts (`Answer.size_bytes`). 1024 are accepted, 1025 are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.errors import InvalidRequest
from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Answer, Endpoint
from bellwire.wire.webhook.address import PARAMETER
from bellwire.wire.webhook.request import check_verification_token, head_lines

TIMEOUT_SECONDS = 3.0
MAX_ANSWER_BYTES = 1024
TOKEN_HEADER = "validation-token"  # noqa: S105 - a header's name

_BAD_ANSWERS = frozenset({FailureCode.MALFORMED_RESPONSE, FailureCode.RESPONSE_TOO_LARGE})


@dataclass(frozen=True, slots=True)
class HandshakeAccepted:
    """The address belongs to someone who wants notifications.

    `warning` is a sentence about something that strict mode would have refused, or empty.
    """

    warning: str = ""


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    code: str
    message: str

    def error(self, address: str) -> InvalidRequest:
        """The refusal as the error that answers the subscription request."""
        return InvalidRequest(self.code, self.message, parameter=PARAMETER, value=address)


HandshakeVerdict = HandshakeAccepted | HandshakeRefused


def request(endpoint: Endpoint, *, user_agent: str, validation_token: str, verification_token: str | None) -> bytes:
    """The handshake's request line and headers, as `WebhookSender.ask` takes them; the body is empty."""
    headers = [("Accept", "application/json"), ("Connection", "close"), ("Validation-Token", validation_token)]
    if verification_token is not None:
        headers.append(("Verification-Token", check_verification_token(verification_token)))
    return head_lines(endpoint, user_agent, headers)


def judge(answer: Answer, expected_token: str, *, strict_content_type: bool) -> HandshakeVerdict:
    """Whether the address passed.

    Args:
        strict_content_type: refuse an answer that is not `application/json`. Official sample handlers in PHP and Ruby
            don't set it, so that lenient mode only warns.
    """
    if answer.failure is not None:
        return _no_answer(answer.failure, answer.detail)
    if answer.duration_seconds > TIMEOUT_SECONDS:
        return _no_answer(FailureCode.RESPONSE_TIMEOUT, "The answer came too late.")
    if answer.status != 200:
        return _refused("SUB-525", f"the address answered with status {answer.status}; it must be exactly 200.")
    if answer.size_bytes > MAX_ANSWER_BYTES:
        size = f"headers and body have {answer.size_bytes} bytes together"
        return _refused("SUB-525", f"the answer is too large: {size}, at most {MAX_ANSWER_BYTES} may be.")
    echoed = [value for name, value in answer.headers if name == TOKEN_HEADER]
    if not echoed:
        return _refused("SUB-520", "the answer has no Validation-Token header.")
    if any(value != expected_token for value in echoed):
        return _refused("SUB-520", "the answer's Validation-Token header is not the token that was sent.")
    content_type = next((value for name, value in answer.headers if name == "content-type"), "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return HandshakeAccepted()
    if strict_content_type:
        return _refused("SUB-525", "the answer's Content-Type must be application/json.")
    return HandshakeAccepted("The handshake's answer should have Content-Type application/json, even without a body.")


def _no_answer(failure: FailureCode, detail: str) -> HandshakeRefused:
    if failure is FailureCode.TLS:
        return _refused("SUB-524", detail)
    return _refused("SUB-525" if failure in _BAD_ANSWERS else "SUB-521", detail)


def _refused(code: str, reason: str) -> HandshakeRefused:
    return HandshakeRefused(code, f"The webhook address was not accepted: {reason}")
