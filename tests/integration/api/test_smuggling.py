"""Request smuggling towards us: where a proxy before us might see another end of a request than we do.

Whatever is wrong with a request's framing, it is answered with 400 in our own form and the connection ends: what
follows on it is never taken for a request. (Towards endpoints: `tests/unit/wire/webhook/test_header_injection.py`.)
"""

from __future__ import annotations

import pytest

from tests.integration.api.test_http_protocol import error_of, exchange, serving

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"

WRONG = {
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": b"Content-Length: +5\r\n\r\nhello",
    "a negative length": b"Content-Length: -5\r\n\r\nhello",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\nhello",
    "a length over 64 bits": b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "a blank before the colon": b"Content-Length : 5\r\n\r\nhello",
    "a folded header": b"X: a\r\n Content-Length: 5\r\n\r\nhello",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a blank before a header": b" X: a\r\n\r\n",
    "a coding after the chunks": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a coding behind a tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"Content-Length: 5\n\nhello",
    "a bare carriage return": b"X: a\rContent-Length: 5\r\n\r\nhello",
    "a NUL in a header": b"X: a\x00b\r\n\r\n",
    "a chunk's extension with a line feed": b"Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n",
    "a blank after a chunk's size": b"Transfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n",
    "a chunk's size over 64 bits": b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nab\r\n0\r\n\r\n",
    "a chunk's size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n",
    "chunks ended by line feeds": b"Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
    "a length as a trailer": b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
}


async def test_a_request_without_a_clear_end_is_refused_with_all_that_follows() -> None:
    async with serving() as opened:
        for name, rest in WRONG.items():
            answer = await exchange(opened, HEAD + rest + SMUGGLED)
            assert answer.count(b"HTTP/1.1 ") == 1, name
            assert error_of(answer) == (400, "CMN-104"), name


async def test_chunks_of_an_old_client_end_the_connection() -> None:
    async with serving() as opened:
        answer = await exchange(opened, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED)

    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_clear_request_is_followed_by_the_next() -> None:
    """What the refusals above are to be told from."""
    last = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving() as opened:
        for rest in (b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
            answer = await exchange(opened, HEAD + rest + last)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"5 bytes" in answer
            assert b"HTTP/1.1 404 " in answer


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        (b"Content-Encoding: gzip", 415, "CMN-104"),
        (b"Content-Encoding: br, gzip", 415, "CMN-104"),
        (b"Content-Encoding: identity, deflate", 415, "CMN-104"),
        (b"Content-Encoding: identity\r\nContent-Encoding: zstd", 415, "CMN-104"),
        (b"Content-Encoding: \xff", 415, "CMN-104"),
        (b"Host: b", 400, "CMN-407"),
    ],
)
async def test_compressed_bodies_and_second_hosts_are_refused(headers: bytes, status: int, code: str) -> None:
    async with serving() as opened:
        request = HEAD + headers + b"\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        assert error_of(await exchange(opened, request)) == (status, code)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"xchunked", b"chunked-ish"])
async def test_a_transfer_coding_is_no_way_around(coding: bytes) -> None:
    async with serving() as opened:
        body = b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        answer = await exchange(opened, HEAD + b"Transfer-Encoding: " + coding + body + SMUGGLED)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert error_of(answer) == (415, "CMN-104")


async def test_a_body_that_says_it_is_as_it_is_is_taken() -> None:
    async with serving() as opened:
        request = HEAD + b"Content-Encoding: identity\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        assert (await exchange(opened, request)).endswith(b"5 bytes")


UPGRADE = b"Upgrade: websocket\r\nConnection: upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + KEY + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"Content-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + KEY + b"Content-Length: 5\r\n\r\nhello",
    ],
    ids=["another method", "another method with a body", "no key", "a body"],
)
async def test_what_is_no_whole_upgrade_is_answered_as_http_and_ends_the_connection(request_: bytes) -> None:
    async with serving(ws="websockets-sansio") as opened:
        answer = await exchange(opened, request_ + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
