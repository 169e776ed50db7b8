"""What the sender makes of each kind of answer, over real sockets."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from socket import SO_LINGER, SOL_SOCKET

import pytest

from bellwire.model.attempt import FailureCode
from bellwire.transports.limits import SenderLimits
from tests.integration.transports.peers import OK, Peer, a_client, answering, receiving, send, silence


@pytest.mark.parametrize(
    ("answer", "reusable"),
    [
        (OK, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n0\r\nTrailer: 1\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK, True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", False),
        (OK + OK, False),
        (OK + b"HT", False),
        (OK + b"\x00\x00", False),
    ],
)
async def test_a_2xx_in_any_framing_is_success(answer: bytes, reusable: bool) -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read(reader)
            writer.write(answer)
            if not reusable:
                return

    async with receiving(behave) as peer, a_client() as client:
        for _ in range(3):
            result = await send(client, peer.endpoint())
            assert (result.failure, result.detail) == (None, "")
            assert 200 <= result.status < 300
            assert 0 < result.duration_seconds < 3
        assert peer.connections == (1 if reusable else 3)
        assert client.reused == (2 if reusable else 0)


@pytest.mark.parametrize("size", [1, 3])
async def test_an_answer_that_comes_in_small_pieces_is_read(size: int) -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read(reader)
            for at in range(0, len(answer), size):
                writer.write(answer[at : at + size])
                await asyncio.sleep(0)

    async with receiving(behave) as peer, a_client() as client:
        for _ in range(2):
            result = await send(client, peer.endpoint())
            assert (result.failure, result.status) == (FailureCode.STATUS_5XX, 503)
            assert result.retry_after_seconds == 7
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("status_line", "failure", "status"),
    [
        (b"301 Moved", FailureCode.REDIRECT, 301),
        (b"302 Found", FailureCode.REDIRECT, 302),
        (b"307 Temporary", FailureCode.REDIRECT, 307),
        (b"400 Bad", FailureCode.STATUS_4XX, 400),
        (b"404 Not Found", FailureCode.STATUS_4XX, 404),
        (b"429 Slow Down", FailureCode.THROTTLED, 429),
        (b"500 Oops", FailureCode.STATUS_5XX, 500),
        (b"666 Beast", FailureCode.STATUS_OTHER, 666),
    ],
)
async def test_any_other_status_is_a_failure_with_its_code(
    status_line: bytes, failure: FailureCode, status: int
) -> None:
    answer = b"HTTP/1.1 " + status_line + b"\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with receiving(answering(answer)) as peer, a_client() as client:
        result = await send(client, peer.endpoint())
        assert (result.failure, result.status) == (failure, status)
        assert str(status) in result.detail
        assert result.retry_after_seconds is None
        assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on_as_seconds_or_from_a_date(status: int) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True).encode()
    answers = [
        b"HTTP/1.1 %d Later\r\nrETRY-aFTER:  30 \r\nContent-Length: 0\r\n\r\n" % status,
        b"HTTP/1.1 %d Later\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % (status, later),
        b"HTTP/1.1 %d Later\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n" % status,
    ]
    async with receiving(answering(*answers)) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).retry_after_seconds == 30
        by_date = (await send(client, peer.endpoint())).retry_after_seconds
        assert by_date is not None
        assert 50 < by_date <= 60
        assert (await send(client, peer.endpoint())).retry_after_seconds is None


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_what_is_not_an_http_answer_is_malformed(answer: bytes) -> None:
    async with receiving(answering(answer)) as peer, a_client() as client:
        result = await send(client, peer.endpoint())
        assert (result.failure, result.status) == (FailureCode.MALFORMED_RESPONSE, 0)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_connection_that_ends_before_the_head_is_a_reset(answer: bytes) -> None:
    async with receiving(answering(answer, then_close=True)) as peer, a_client() as client:
        result = await send(client, peer.endpoint())
        assert (result.failure, result.status) == (FailureCode.RESET, 0)
        assert len(peer.requests) == 1


async def test_a_hard_reset_amid_the_answer_is_a_reset() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(b"HTTP/1.1 200")
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is FailureCode.RESET


async def test_a_body_that_breaks_off_after_a_good_head_is_success() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    async with receiving(answering(answer, then_close=True)) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is None
        assert (await send(client, peer.endpoint())).failure is None
        assert peer.connections == 2


async def test_a_head_without_end_is_too_large() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            await writer.drain()

    async with receiving(behave) as peer, a_client() as client:
        result = await send(client, peer.endpoint())
        assert (result.failure, result.status) == (FailureCode.RESPONSE_TOO_LARGE, 0)


async def test_interim_answers_without_end_are_too_large() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 10)
            await writer.drain()

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is FailureCode.RESPONSE_TOO_LARGE


async def test_a_body_without_end_is_success_and_cut_off() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is None
        await asyncio.wait_for(peer.hung_up.wait(), 10)


async def test_no_answer_in_time_is_a_timeout_that_counts_from_hand_over() -> None:
    limits = SenderLimits(answer_timeout=0.3)
    async with receiving(silence) as peer, a_client(limits=limits) as client:
        result = await send(client, peer.endpoint())
        assert (result.failure, result.status) == (FailureCode.RESPONSE_TIMEOUT, 0)
        assert 0.3 <= result.duration_seconds < 2.5
        await asyncio.wait_for(peer.hung_up.wait(), 10)
        assert client.in_flight == 0


async def test_an_answer_byte_by_byte_is_cut_off_at_the_same_time() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    limits = SenderLimits(answer_timeout=0.3)
    async with receiving(behave) as peer, a_client(limits=limits) as client:
        result = await send(client, peer.endpoint())
        assert result.failure is FailureCode.RESPONSE_TIMEOUT
        assert result.duration_seconds < 2.5
        await asyncio.wait_for(peer.hung_up.wait(), 10)


async def test_a_body_that_trickles_after_a_good_head_is_cut_off_too() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with receiving(behave) as peer, a_client(limits=SenderLimits(answer_timeout=0.3)) as client:
        assert (await send(client, peer.endpoint())).failure is None
        await asyncio.wait_for(peer.hung_up.wait(), 10)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
async def test_a_body_of_any_size_arrives_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with receiving(answering(OK)) as peer, a_client() as client:
        for _ in range(2):
            assert (await send(client, peer.endpoint(), body[:size])).failure is None
        assert [request.body == body[:size] for request in peer.requests] == [True, True]
        assert peer.connections == 1


async def test_an_answer_before_the_body_was_read_counts_and_ends_the_connection() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await peer.hung_up.wait()

    async with receiving(behave) as peer, a_client() as client:
        result = await send(client, peer.endpoint(), bytes(50_000_000))
        assert (result.failure, result.status) == (FailureCode.STATUS_4XX, 413)
        peer.hung_up.set()


async def test_the_request_arrives_as_it_was_handed_over() -> None:
    async with receiving(answering(OK)) as peer, a_client() as client:
        await send(client, peer.endpoint("/a?b=c"), b'{"x":1}')
        (request,) = peer.requests
        assert request.head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
        assert request.header("host") == f"127.0.0.1:{peer.port}"
        assert request.header("content-length") == "7"
        assert request.body == b'{"x":1}'
