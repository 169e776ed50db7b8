"""What never becomes a request, over real sockets: no HTTP, heads without end, too many connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bellwire.api.app import build_app
from bellwire.api.http_protocol import MAX_HEAD_BYTES, HttpProtocol

Open = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class HastyProtocol(HttpProtocol):
    head_seconds = 0.2


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@asynccontextmanager
async def serving(protocol: type[HttpProtocol] = HttpProtocol, ws: Any = "none", **more: Any) -> AsyncIterator[Open]:
    app = build_app(routers=(), plain_routes=[Route("/", echo, methods=["GET", "POST"])], version="0")
    config = uvicorn.Config(app, http=protocol, ws=ws, port=0, lifespan="off", log_config=None, **more)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with AsyncExitStack() as connections:

        async def opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            connections.callback(writer.close)
            return reader, writer

        yield opened
    await server.shutdown()


async def exchange(opened: Open, *parts: bytes) -> bytes:
    """Send, and read until the server closes the connection."""
    reader, writer = await opened()
    for part in parts:
        writer.write(part)
        await writer.drain()
    return await asyncio.wait_for(reader.read(), 10)


def error_of(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer with the envelope and the headers that every answer has."""
    head, _, body = answer.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert document["errors"][0]["errorCode"] == document["errorCode"]
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/json; charset=utf-8" in lines or b"content-type: application/json" in lines
    assert any(line.startswith(b"rcrequestid: ") for line in lines)
    assert b"connection: close" in lines
    return int(answer.split()[1]), document["errorCode"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"FOO / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\na\x00b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_our_form(sent: bytes) -> None:
    async with serving() as opened:
        assert error_of(await exchange(opened, sent)) == (400, "CMN-104")


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n"],
        [b"GET / HTTP/1.1\r\n", *[b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(MAX_HEAD_BYTES // 1000 + 1)]],
    ],
    ids=["the target", "one header", "many headers"],
)
async def test_a_head_that_is_too_large_is_refused(parts: list[bytes]) -> None:
    async with serving() as opened:
        assert error_of(await exchange(opened, *parts)) == (431, "CMN-407")


async def test_a_header_without_end_is_refused_before_it_fills_the_memory() -> None:
    async with serving() as opened:
        reader, writer = await opened()
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        answer = asyncio.create_task(reader.read())
        while not answer.done() and sent < 64 * MAX_HEAD_BYTES:
            writer.write(b"a" * 4096)
            sent += 4096
            await asyncio.wait({answer}, timeout=0.001)

        assert error_of(await answer) == (431, "CMN-407")


async def test_a_head_of_the_largest_size_is_read() -> None:
    async with serving() as opened:
        filler = b"a" * (MAX_HEAD_BYTES - 200)
        answer = await exchange(opened, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + filler + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=["nothing", "half a head"])
async def test_a_connection_that_sends_no_whole_head_is_closed(sent: bytes) -> None:
    async with serving(HastyProtocol) as opened:
        assert await exchange(opened, sent) == b""


async def test_a_second_head_has_to_come_to_its_end_too() -> None:
    async with serving(HastyProtocol) as opened:
        answer = await exchange(opened, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"0 bytes")


async def test_a_body_may_take_longer_than_a_head() -> None:
    async with serving(HastyProtocol) as opened:
        reader, writer = await opened()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
        for _ in range(3):
            await asyncio.sleep(HastyProtocol.head_seconds / 2)
            writer.write(b"x")

        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"3 bytes")


async def test_a_large_body_is_no_large_head() -> None:
    size = 4 * MAX_HEAD_BYTES
    async with serving() as opened:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
        last = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        answer = await exchange(opened, request, last)

    assert b"%d bytes" % size in answer
    assert answer.endswith(b"0 bytes")


async def test_a_request_beyond_the_connections_that_may_be_open_is_told_to_come_again() -> None:
    async with serving(limit_concurrency=2) as opened:
        await opened()
        answer = await exchange(opened, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    assert error_of(answer) == (503, "CMN-201")
    assert b"retry-after: " in answer.lower()
