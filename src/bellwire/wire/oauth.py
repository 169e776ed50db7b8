"""The pure rules of the OAuth endpoints: forms, client credentials, token lifetimes, PKCE (wire contract, 1.2 to 1.6).

Nothing here knows who exists; `engine/authorize*.py` asks that. Every field read from outside has its length limit
here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

from bellwire.errors import OAuthRefused

DEFAULT_ACCESS_TTL_SECONDS = 3600
MIN_ACCESS_TTL_SECONDS = 600
DEFAULT_REFRESH_TTL_SECONDS = 604_800

MAX_FIELDS = 64
_DEFAULT_MAX_LENGTH = 255
_MAX_LENGTH = {
    "assertion": 8192,
    "client_assertion": 8192,
    "code": 512,
    "login_state": 65_536,
    "password": 1024,
    "redirect_uri": 2048,
    "refresh_token": 512,
    "scope": 4096,
    "state": 4096,
    "token": 512,
}

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{1,128}")


def max_length(name: str) -> int:
    """Characters that a parameter may have."""
    return _MAX_LENGTH.get(name, _DEFAULT_MAX_LENGTH)


def parse_form(encoded: bytes) -> dict[str, str]:
    """Read an `application/x-www-form-urlencoded` body or query; empty values count as absent (contract, 1.6).

    Raises:
        OAuthRefused: a parameter comes twice (OAU-111), is too long, or there are more than 64.
    """
    try:
        pairs = parse_qsl(
            encoded.decode("ascii", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise OAuthRefused("invalid_request", "CMN-104", f"More than {MAX_FIELDS} parameters") from None
    seen: dict[str, str] = {}
    for name, value in pairs:
        if name in seen:
            raise OAuthRefused("invalid_request", "OAU-111", f"Parameter [{name[:64]}] is given more than once")
        limit = max_length(name)
        if len(value) > limit:
            raise OAuthRefused(
                "invalid_request", "CMN-101", f"Parameter [{name[:64]}] is longer than {limit} characters"
            )
        seen[name] = value
    return {name: value for name, value in seen.items() if value}


def access_ttl(asked: str | None) -> int:
    """The lifetime of an access token in seconds: clamped, never refused (JS sends -1 and means it)."""
    seconds = _number(asked)
    if seconds is None or seconds > DEFAULT_ACCESS_TTL_SECONDS:
        return DEFAULT_ACCESS_TTL_SECONDS
    return int(max(MIN_ACCESS_TTL_SECONDS, seconds))


def refresh_ttl(asked: str | None, *, otherwise: int = DEFAULT_REFRESH_TTL_SECONDS) -> int:
    """The lifetime of a refresh token in seconds; `otherwise` when none is asked for."""
    if asked is None:
        return otherwise
    seconds = _number(asked)
    if seconds is None or seconds < 1 or seconds > DEFAULT_REFRESH_TTL_SECONDS:
        return DEFAULT_REFRESH_TTL_SECONDS
    return int(seconds)


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a request shows of its client. `alternatives` are further readings of Basic (percent-decoded)."""

    client_id: str
    secret: str | None
    alternatives: tuple[tuple[str, str | None], ...] = ()


def client_credentials(authorization: str | None, form: Mapping[str, str]) -> ClientCredentials:
    """Find the client's credentials in any of the forms of contract 1.2.

    A scheme other than Basic is passed over, as if it were absent: a public client may still name itself in the body.

    Raises:
        OAuthRefused: no client is named, or two different ones, or by an assertion.
    """
    if "client_assertion" in form or "client_assertion_type" in form:
        raise _bad_client("Client assertions are not supported; use Basic authentication")
    named, secret = form.get("client_id"), form.get("client_secret")
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        if named is None:
            raise _bad_client("The client is not named: neither Basic authentication nor client_id")
        return ClientCredentials(named, secret)
    try:
        user, separator, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _bad_client("The Basic credentials are not base64 of client id, colon and secret") from None
    if not separator or not user:
        raise _bad_client("The Basic credentials are not base64 of client id, colon and secret")
    decoded = (unquote_plus(user), unquote_plus(password))
    if named is not None and named not in (user, decoded[0]):
        raise _bad_client("The client of Basic authentication and client_id differ")
    alternatives = () if decoded == (user, password) else ((decoded[0], decoded[1] or secret),)
    return ClientCredentials(user, password or secret, alternatives)


def _bad_client(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_client", "OAU-146", description)


def is_code_challenge(text: str) -> bool:
    """Whether this can be a PKCE challenge or verifier. Shorter than RFC 7636's 43 characters is let pass."""
    return _VERIFIER.fullmatch(text) is not None


def proves(verifier: str, challenge: str, method: str) -> bool:
    """Whether the verifier belongs to the PKCE challenge. Source: RFC 7636 section 4.6."""
    shown = verifier
    if method == "S256":
        digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), challenge.encode("utf-8", "surrogatepass"))


def with_query(uri: str, parameters: Mapping[str, str]) -> str:
    """`uri` with parameters added to its query, whatever it has there kept as written."""
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def phone_digits(text: str) -> str | None:
    """The digits of a phone number in E.164 without plus, or None when this is none.

    Ten digits are a North American number. A leading space is what a form decoder made of `+`.
    """
    if not re.fullmatch(r"\s*\+?[\d\s().\-]{3,30}", text):
        return None
    digits = re.sub(r"[^0-9]", "", text)
    if not 7 <= len(digits) <= 15:
        return None
    international = text.lstrip().startswith("+")
    return "1" + digits if len(digits) == 10 and not international else digits
