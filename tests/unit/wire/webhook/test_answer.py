"""Reading exact header bytes out of an answer."""

from __future__ import annotations

import pytest

from bellwire.wire.webhook.answer import header_block, header_value


@pytest.mark.parametrize(
    ("raw", "block"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody\r\n\r\n", b"A: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nA:  1 \r\nB:\r\n\r\n", b"A:  1 \r\nB:\r\n"),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nL: 1\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\n",
            b"A: 1\r\n",
        ),
    ],
)
def test_the_header_block_is_the_final_heads_header_lines(raw: bytes, block: bytes) -> None:
    assert header_block(raw) == block


def test_a_header_is_found_in_any_case_and_not_in_the_body() -> None:
    raw = b"HTTP/1.1 503 Busy\r\nRETRY-after: \t30 \r\n\r\nX-Body: 1\r\n"
    assert header_value(raw, b"retry-after") == "30"
    assert header_value(raw, b"x-body") is None
