"""What subscribers write ends up in requests to their endpoints: none of it can add a header, a body or a request.

Addresses, verification tokens and signing secrets are all that they can write there. Whatever is accepted gives a head
of exactly the lines that it has to have; the sender alone writes `Content-Length`, from the body's own size
(`tests/unit/transports/test_connection_fuzz.py`), and never `Transfer-Encoding`.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.errors import InvalidRequest
from bellwire.wire.webhook import handshake
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.request import check_verification_token, request_head
from bellwire.wire.webhook.signature import parse_signing_secret, signature_headers

ENDPOINT = parse_address("https://endpoint.example/hook", allow_http=False)
NAMES = ["Host", "User-Agent", "Accept", "Content-Type", "Connection", "Verification-Token"]

BREAKS = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x0b",
    "\x0c",
    "\x85",
    "\u2028",
    "\u2029",
    "\xa0",
    " ",
    "\t",
    "\x7f",
    "\ud800",
    "é",
    "嘊",
    "嘍",
]
"""The last two are those whose low bytes are CR and LF."""
INJECTED = "Content-Length: 0\r\n\r\nPOST /smuggled HTTP/1.1\r\nHost: inside\r\n\r\n"

anything = st.one_of(
    st.text(max_size=60),
    st.builds(
        "".join, st.lists(st.sampled_from([*BREAKS, INJECTED, "a", "/", "?", "%0d%0a", ":", "@", "#"]), max_size=12)
    ),
)


def lines_of(head: bytes) -> list[str]:
    """The lines of a head, as any reader would find them."""
    text = head.decode("ascii")
    assert text.endswith("\r\n")
    lines = text.removesuffix("\r\n").split("\r\n")
    assert all(line.isprintable() and line for line in lines)
    return lines


@given(anything, anything)
@example("/hook", "\r\n" + INJECTED)
def test_an_address_is_one_request_line_and_one_host(path: str, host: str) -> None:
    for address in (f"https://endpoint.example/{path}", f"https://{host}", f"https://endpoint.example:443{path}", path):
        try:
            endpoint = parse_address(address, allow_http=True)
        except InvalidRequest:
            continue
        first, *headers = lines_of(request_head(endpoint, user_agent="B"))
        assert first.count(" ") == 2
        assert first.startswith("POST /")
        assert first.endswith(" HTTP/1.1")
        assert [line.partition(": ")[0] for line in headers] == NAMES[:-1]


@given(anything)
@example("token\r\n" + INJECTED)
@example("é")
@example("a\0b")
def test_a_verification_token_is_one_header_of_every_request(token: str) -> None:
    try:
        assert check_verification_token(token) == token
    except InvalidRequest as refused:
        assert refused.code == "CMN-101"
        assert "smuggled" not in refused.message, "it may be a secret"
        return
    heads = (
        request_head(ENDPOINT, user_agent="B", verification_token=token),
        handshake.request(ENDPOINT, user_agent="B", validation_token="V", verification_token=token),
    )
    for head in heads:
        sent = [line for line in lines_of(head) if line.startswith("Verification-Token: ")]
        assert sent == [f"Verification-Token: {token}"]


@pytest.mark.parametrize("broken", BREAKS)
def test_no_break_passes_in_a_token_or_an_address(broken: str) -> None:
    with pytest.raises(InvalidRequest):
        check_verification_token(f"a{broken}b")
    try:
        endpoint = parse_address(f"https://endpoint.example/a{broken}b", allow_http=False)
    except InvalidRequest:
        return
    assert broken not in endpoint.target, "it may go out percent-encoded"


@given(st.one_of(anything, anything.map("whsec_{}".format), st.binary(min_size=24, max_size=64).map(repr)))
def test_a_signing_secret_never_goes_out(secret: str) -> None:
    try:
        key = parse_signing_secret(secret)
    except InvalidRequest as refused:
        assert "smuggled" not in refused.message
        return
    assert secret.encode() not in signature_headers(key, "id", 1, b"{}")


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200))
def test_a_signature_is_three_headers(key: bytes, body: bytes) -> None:
    names = [line.partition(": ")[0] for line in lines_of(signature_headers(key, "some-id", 1_700_000_000, body))]
    assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]
