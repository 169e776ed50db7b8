"""Standard Webhooks signatures."""

from __future__ import annotations

import base64
import time
from email.parser import BytesParser

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bellwire.errors import InvalidRequest
from bellwire.wire.webhook.signature import parse_signing_secret, signature_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _headers(lines: bytes) -> dict[str, str]:
    return dict(BytesParser().parsebytes(lines).items())


def test_a_receivers_library_accepts_the_signature() -> None:
    body = '{"uuid":"6470930168775210331","text":"Grüße"}'.encode()
    lines = signature_headers(parse_signing_secret(SECRET), "6470930168775210331", int(time.time()), body)
    assert Webhook(SECRET).verify(body, _headers(lines))["text"] == "Grüße"


def test_a_receivers_library_refuses_a_changed_body() -> None:
    lines = signature_headers(parse_signing_secret(SECRET), "1", int(time.time()), b'{"a":1}')
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b'{"a":2}', _headers(lines))


def test_the_published_vector_is_reproduced() -> None:
    # standard-webhooks/standard-webhooks, libraries' test data: the signature of this id, time and payload.
    lines = signature_headers(
        parse_signing_secret(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert lines == (
        b"webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
        b"webhook-timestamp: 1614265330\r\n"
        b"webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"
    )


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_is_read(size: int) -> None:
    key = bytes(range(size))
    assert parse_signing_secret("whsec_" + base64.b64encode(key).decode()) == key


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        base64.b64encode(bytes(32)).decode(),
        "WHSEC_" + base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 33).decode(),
        "whsec_" + "ä" * 40,
        "whsec_" + "A" * 100_000,
        "whsec_ " + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_anything_else_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_signing_secret(secret)
    assert refused.value.code == "CMN-101"
    assert refused.value.entries[0].parameter == "deliveryMode.signingSecret"
    assert refused.value.entries[0].value is None
