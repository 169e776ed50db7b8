"""The gateway where it meets its settings, its logs, and clients that ask for odd things."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import PerMessageDeflate

from bellwire.engine.authorize_sessions import MAX_PARALLEL_SESSIONS
from bellwire.gateway.hub import OpenSocket
from tests.e2e.conformance.stage import Stage, conforming_server, set_stage
from tests.e2e.raw_socket import Login, RawSocket

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
FAULTS = "/bellwire/v1/dev/faults"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    data = tmp_path_factory.mktemp("edges")
    async with conforming_server(data) as running, set_stage(running) as set_up:
        yield set_up


@pytest_asyncio.fixture(loop_scope="module")
async def login(stage: Stage) -> AsyncIterator[Login]:
    login = await Login.of(stage.running.http, stage.running.demo)
    yield login
    await login.revoke()


async def test_the_uri_follows_the_public_url_and_compression_is_agreed_on_where_it_is_set(tmp_path: Path) -> None:
    environment = {
        "BELLWIRE_PUBLIC_URL": "https://events.example.com/api",
        "BELLWIRE_WEBSOCKET_COMPRESSION": "true",
    }
    async with conforming_server(tmp_path, environment=environment) as running:
        token = await (await Login.of(running.http, running.demo)).socket_token()
        assert token["uri"] == "wss://events.example.com/api/ws"
        assert await agreed_on(f"{running.url}/ws", token) == [PerMessageDeflate]


async def test_by_default_no_compression_is_agreed_on(login: Login) -> None:
    token = await login.socket_token()
    assert await agreed_on(token["uri"], token) == []


async def agreed_on(uri: str, token: dict[str, Any]) -> list[type]:
    """Extensions that a client that offers compression gets; frames pass through them both ways."""
    url = f"{uri.replace('http', 'ws', 1)}?access_token={token['ws_access_token']}"
    async with connect(url, compression="deflate", proxy=None) as client, asyncio.timeout(15):
        assert json.loads(await client.recv())[0]["type"] == "ConnectionDetails"
        await client.send(json.dumps([{"type": "Heartbeat", "messageId": "m" * 200}]))
        assert json.loads(await client.recv())[0]["messageId"] == "m" * 200
        return [type(extension) for extension in client.protocol.extensions]


async def test_tokens_in_urls_are_not_logged(stage: Stage, login: Login, caplog: pytest.LogCaptureFixture) -> None:
    token = (await login.socket_token())["ws_access_token"]
    wsc = f"{'k' * 22}.1.0.0"
    with caplog.at_level(logging.DEBUG, logger="uvicorn.error"):
        url = stage.running.url.replace("http", "ws", 1)
        socket = await RawSocket.connected(f"{url}/ws?access_token={token}&wsc={wsc}&other=shown")
        await socket.details()
        await socket.close()
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name == "uvicorn.error")
    assert "/ws?access_token=…&wsc=…&other=shown" in logged
    assert token not in logged
    assert wsc not in logged


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("&".join(f"field{number}=1" for number in range(200)), "WSG-401"),
        ("access_token={token}&wsc=", "WSG-400"),
        ("access_token=&wsc=", "WSG-401"),
        ("access_token=%ff%fe&wsc=%E4", "WSG-401"),
    ],
)
async def test_an_odd_query_is_answered_by_an_error_frame(stage: Stage, login: Login, query: str, code: str) -> None:
    token = await login.socket_token()
    socket = await RawSocket.connected(f"{token['uri']}?{query.format(token=token['ws_access_token'])}")
    _meta, body = await socket.frame("Error")
    assert body["errorCode"] == code
    assert await socket.closed() == 1008
    assert socket.status == 101


async def test_a_fault_cuts_a_socket_and_its_notification_waits_for_the_recovery(stage: Stage, login: Login) -> None:
    suffering, other = await login.connect(), await login.connect()
    for socket in (suffering, other):
        await socket.details()
    made = await suffering.subscribe(PRESENCE)
    await other.subscribe(PRESENCE)
    for socket in (suffering, other):
        await socket.until_pinged(1)
    fault = {"kind": "socket", "subscriptionId": made["id"]}
    answer = await stage.running.http.post(FAULTS, json=fault)
    assert answer.status_code == 201, answer.text

    await stage.publish(stage.presence(uuid="in-its-place"), stage.presence(uuid="while-away"))

    assert await suffering.closed() == 1006
    assert [(await other.frame("ServerNotification"))[1]["uuid"] for _ in range(2)] == ["in-its-place", "while-away"]
    again = await login.connect(wsc=suffering.wsc)
    assert (await again.details())["recoveryState"] == "Successful"
    assert [(await again.frame("ServerNotification"))[1]["uuid"] for _ in range(2)] == ["in-its-place", "while-away"]
    assert (await stage.running.http.get(FAULTS)).json()["records"] == []
    for socket in (again, other):
        await socket.close()


async def test_a_login_that_is_one_too_many_ends_none_that_has_a_socket(stage: Stage, login: Login) -> None:
    socket = await login.connect()
    await socket.details()
    others = []
    for _ in range(MAX_PARALLEL_SESSIONS + 1):
        stage.advance(seconds=1)
        others.append(await Login.of(stage.running.http, stage.running.demo))
    await socket.nothing_more()
    assert (await login.call("GET", "/restapi/v1.0/subscription")).status_code == 200
    assert (await others[0].call("GET", "/restapi/v1.0/subscription")).status_code == 401
    await socket.close()
    for other in others[2:]:
        await other.revoke()


async def test_a_client_that_does_not_read_keeps_no_connection_open_and_no_server_up(tmp_path: Path) -> None:
    environment = {"BELLWIRE_SHUTDOWN_SECONDS": "600"}
    async with asyncio.timeout(120):
        async with conforming_server(tmp_path, environment=environment) as running, set_stage(running) as stage:
            login = await Login.of(running.http, running.demo)
            closing, opened = await deaf_client(stage, login)
            closing.begin_closing()
            while not opened.protocol.disconnected:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            assert running.server.engine.gateway.hub.machine.connections == 0
            deaf, _ = await deaf_client(stage, login)
        closing.cut()
        deaf.cut()


@pytest.mark.parametrize("path", ["/ws", "/console/_nicegui_ws/socket.io/"])
@pytest.mark.parametrize(
    "more",
    [b"?access_token=" + b"x" * 9000, b" HTTP/1.1\r\nX: " + b"x" * 9000, b" HTTP/1.1" + b"\r\nX: y" * 200],
    ids=["a long line", "a long header", "many headers"],
)
async def test_a_handshake_that_can_t_be_read_is_answered_and_its_connection_ends(
    stage: Stage, path: str, more: bytes
) -> None:
    """It has a whole head of less than 64 KiB, so that nothing else ends it."""
    address = urlsplit(stage.running.url)
    head = b"GET " + path.encode() + more + (b"" if b" HTTP/1.1" in more else b" HTTP/1.1")
    upgrade = (b"Host: a", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13")
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"\r\n".join((head, *upgrade, key)) + b"\r\n\r\n")
    async with asyncio.timeout(15):
        answer = await reader.read()
    writer.close()

    answered, _, body = answer.partition(b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["errorCode"] == "CMN-407"
    assert f"content-length: {len(body)}".encode() in answered


async def test_fragments_without_content_are_not_kept(stage: Stage, login: Login) -> None:
    sockets = stage.running.server.engine.gateway.hub._sockets
    others = set(sockets)
    client = await login.connect()
    await client.details()
    [opened] = set(sockets) - others
    assert isinstance(opened, OpenSocket)

    client.send_fragments(b'[{"type":"Heart', *[b""] * 5000, b'beat",', begins=True)
    kept = opened.protocol.frames
    async with asyncio.timeout(15):
        while b'beat",' not in (kept := opened.protocol.frames):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert len(kept) == 2

    client.send_fragments(b'"messageId":"whole"}]', ends=True)
    assert (await client.frame("Heartbeat"))[0]["messageId"] == "whole"
    await client.close()


async def deaf_client(stage: Stage, login: Login) -> tuple[RawSocket, OpenSocket]:
    """The only client, to which more was written than it reads; and the server's end of it."""
    client = await login.connect()
    await client.details()
    await client.subscribe(MESSAGES)
    await client.until_pinged(1)
    [opened] = stage.running.server.engine.gateway.hub._sockets
    while not opened.connection.is_congested:
        message = stage.message("+16505550181")
        message["body"]["padding"] = "x" * 200_000
        await stage.publish(message)
        await stage.settle()
    return client, opened
