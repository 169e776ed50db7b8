"""The head of a delivery request (wire contract, 3.7): what is the same for every notification to one address."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bellwire.errors import InvalidRequest
from bellwire.model.webhook import Endpoint
from bellwire.wire.webhook.address import host_header

MAX_VERIFICATION_TOKEN_LENGTH = 1024
VERIFICATION_PARAMETER = "deliveryMode.verificationToken"

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


def check_verification_token(token: str) -> str:
    """The token, if it can be sent as a header.

    Raises:
        InvalidRequest: CMN-101; it is empty, too long, or has other than visible ASCII characters.
    """
    if not _VISIBLE.fullmatch(token) or len(token) > MAX_VERIFICATION_TOKEN_LENGTH:
        raise InvalidRequest(
            "CMN-101",
            f"Parameter [{VERIFICATION_PARAMETER}] is invalid: it must be 1 to {MAX_VERIFICATION_TOKEN_LENGTH} "
            "visible ASCII characters.",
            parameter=VERIFICATION_PARAMETER,
        )
    return token


def request_head(
    endpoint: Endpoint,
    *,
    user_agent: str,
    verification_token: str | None = None,
    extra: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Request line and headers of a delivery, as `WebhookSender.post` takes them.

    The token goes out as `Verification-Token`; `Validation-Token` would make official sample receivers take a
    notification for a handshake (wire contract, 3.7). Lines that differ by notification (`signature_headers`) are
    appended by the caller.
    """
    headers = [
        ("Accept", "application/json"),
        ("Content-Type", "application/json; charset=UTF-8"),
        ("Connection", "keep-alive"),
    ]
    if verification_token is not None:
        headers.append(("Verification-Token", check_verification_token(verification_token)))
    return head_lines(endpoint, user_agent, [*headers, *extra])


def head_lines(endpoint: Endpoint, user_agent: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """A POST's request line, `Host`, `User-Agent` and the given headers, each line ended by CRLF."""
    lines = [f"POST {endpoint.target} HTTP/1.1\r\nHost: {host_header(endpoint)}\r\n"]
    for name, value in (("User-Agent", user_agent), *headers):
        # Callers pass checked values; a line break that slipped through would let a subscriber write our headers.
        assert _HEADER_NAME.fullmatch(name)
        assert _HEADER_VALUE.fullmatch(value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("ascii")
