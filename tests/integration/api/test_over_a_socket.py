"""The application behind uvicorn: what only bytes on a wire can show, the official SDK among it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from ringcentral import SDK

from bellwire.api.conventions import Conventions
from tests.integration.api.stage import ALICE, APP, SECRET, Stage, basic, set_stage


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Stage, int]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    stage = await set_stage(conventions=Conventions(body_limit_bytes=10_000))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(stage.app, log_config=None, lifespan="off", proxy_headers=False, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield stage, port  # the listener takes connections already; uvicorn answers them once it has started
    server.should_exit = True
    await serving
    await stage.client.aclose()


async def exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def ask(port: int, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    head = b"\r\n".join([line, b"Host: bellwire.test", b"Connection: close", *headers])
    return await exchange(port, head + b"\r\n\r\n" + body)


async def test_case_25_a_doubled_slash_reaches_the_token_endpoint(served: tuple[Stage, int]) -> None:
    stage, port = served
    body = f"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={await stage.jwt()}".encode()
    answer = await ask(
        port,
        b"POST //restapi/oauth/token HTTP/1.1",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Authorization: " + basic(APP, SECRET).encode(),
        b"Content-Length: %d" % len(body),
        body=body,
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"access_token" in answer
    assert b"transfer-encoding" not in answer.lower()


@pytest.mark.parametrize(
    "target",
    [
        b"/restapi/v1.0/account/%00/extension/%ff",
        b"/restapi/v1.0/account/\xff\xfe",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"//////",
        b"/?\xff=\xfe",
        b"*",
        b"http://other.example/restapi/v1.0/nothing",
        b"/" + b"a" * 20_000,
    ],
)
async def test_no_request_target_makes_a_server_error(served: tuple[Stage, int], target: bytes) -> None:
    answer = await ask(served[1], b"GET " + target + b" HTTP/1.1")
    status = answer.split(b" ", 2)[1]
    assert status.startswith(b"4"), answer[:200]


async def test_a_chunked_body_over_the_limit_is_cut_short(served: tuple[Stage, int]) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    answer = await ask(
        served[1],
        b"POST /restapi/oauth/token HTTP/1.1",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Transfer-Encoding: chunked",
        body=chunk * 3 + b"0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
    assert b"CMN-104" in answer


async def test_the_python_sdk_logs_in_refreshes_reads_and_logs_out(served: tuple[Stage, int]) -> None:
    stage, port = served
    token = await stage.jwt()

    def use() -> tuple[str, str]:
        platform = SDK(APP, SECRET, f"http://127.0.0.1:{port}/").platform()  # a slash at the end: see case 25
        platform.login(jwt=token)
        first = platform.auth().access_token()
        platform.refresh()
        assert platform.auth().access_token() != first
        read = platform.get("/restapi/v1.0/account/~/extension/~").json()
        listed = platform.get("/restapi/v1.0/account/~/extension", {"email": "bob@northwind.example"}).json()
        platform.logout()
        return str(read.id), str(listed.records[0].name)

    assert await asyncio.to_thread(use) == (ALICE, "Bob")
    assert await stage.identity.sessions_of(APP, ALICE) == []


@pytest.mark.filterwarnings("ignore:username-password login:UserWarning")
async def test_the_python_sdk_logs_in_with_a_password(served: tuple[Stage, int]) -> None:
    def use() -> str:
        platform = SDK(APP, SECRET, f"http://127.0.0.1:{served[1]}").platform()
        platform.login("+15551230000", "101", "correct horse")
        return str(platform.auth().data()["owner_id"])

    assert await asyncio.to_thread(use) == ALICE
