"""Standard Webhooks signatures, Bellwire's extension of the protocol (`deliveryMode.signingSecret`).

Signed is `<id>.<timestamp>.<body>` with HMAC-SHA256. Source: github.com/standard-webhooks/standard-webhooks,
spec/standard-webhooks.md, "Signature scheme".
"""

from __future__ import annotations

from base64 import b64decode
from binascii import b2a_base64
from hmac import digest

from bellwire.errors import InvalidRequest

PARAMETER = "deliveryMode.signingSecret"
SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret, but what secrets begin with
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


def parse_signing_secret(secret: str) -> bytes:
    """The key's bytes of a secret as it is written: `whsec_` and standard base64 with padding.

    Raises:
        InvalidRequest: CMN-101; the error never repeats the secret.
    """
    if not secret.startswith(SECRET_PREFIX):
        raise _invalid(f"it must begin with {SECRET_PREFIX}")
    encoded = secret[len(SECRET_PREFIX) :]
    if len(encoded) > 2 * MAX_SECRET_BYTES:
        raise _invalid(f"it must hold {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error, and what is not ASCII
        raise _invalid(f"what follows {SECRET_PREFIX} must be base64") from None
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise _invalid(f"it must hold {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, not {len(key)}")
    return key


def signature_headers(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> bytes:
    """The three header lines of one notification, each ended by CRLF, to be appended to its request head.

    Args:
        message_id: visible ASCII; the notification's uuid, the same at every attempt.
        timestamp_s: when this attempt is made, in seconds since the epoch.
    """
    ident = message_id.encode("ascii")
    signed = digest(key, b"%b.%d.%b" % (ident, timestamp_s, body), "sha256")
    return b"webhook-id: %b\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,%b\r\n" % (
        ident,
        timestamp_s,
        b2a_base64(signed, newline=False),
    )


def _invalid(reason: str) -> InvalidRequest:
    return InvalidRequest("CMN-101", f"Parameter [{PARAMETER}] is invalid: {reason}.", parameter=PARAMETER)
