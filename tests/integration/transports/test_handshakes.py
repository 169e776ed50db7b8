"""Asking on a fresh connection, and judging the whole answer (conformance cases 47 to 51 at the sender's level)."""

from __future__ import annotations

import asyncio

import pytest
import trustme

from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Answer, Endpoint
from bellwire.transports.limits import SenderLimits
from bellwire.transports.webhook_client import WebhookClient
from bellwire.wire.webhook.handshake import HandshakeAccepted, HandshakeRefused, HandshakeVerdict, judge, request
from tests.integration.transports.peers import FixedResolver, Peer, a_client, answering, receiving, silence, start
from tests.integration.transports.test_tls import serving, trusting

TOKEN = "5f0c1c9e-token"


async def ask(client: WebhookClient, endpoint: Endpoint, timeout_seconds: float = 9.0) -> Answer:
    head = request(endpoint, user_agent="Bellwire-Webhook/0.1.0", validation_token=TOKEN, verification_token="mine")
    return await client.ask(endpoint, head, b"", timeout_seconds=timeout_seconds)


def verdict_on(answer: Answer) -> HandshakeVerdict:
    return judge(answer, TOKEN, strict_content_type=False)


def sized(total: int, *, body: int = 0) -> bytes:
    """An answer whose header lines and body have so many bytes together."""
    headers = f"Validation-Token: {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {body}\r\n".encode()
    filler = total - body - len(headers) - len(b"X: \r\n")
    return b"HTTP/1.1 200 OK\r\n" + headers + b"X: " + b"x" * filler + b"\r\n\r\n" + b"b" * body


async def test_an_address_that_echoes_the_token_is_accepted_after_one_empty_post() -> None:
    async with receiving(answering(sized(200))) as peer, a_client() as client:
        answer = await ask(client, peer.endpoint())
        assert verdict_on(answer) == HandshakeAccepted()
        assert 0 < answer.duration_seconds < 3
        (got,) = peer.requests
        assert (got.header("validation-token"), got.header("verification-token")) == (TOKEN, "mine")
        assert (got.header("content-length"), got.body) == ("0", b"")


async def test_each_handshake_has_a_fresh_connection_that_is_closed_after() -> None:
    async with receiving(answering(sized(200))) as peer, a_client() as client:
        await asyncio.wait_for(start(client, peer.endpoint()), 10)
        await ask(client, peer.endpoint())
        await ask(client, peer.endpoint())
        assert peer.connections == 3
        await asyncio.wait_for(peer.hung_up.wait(), 10)


@pytest.mark.parametrize("body", [0, 1, 500])
@pytest.mark.parametrize(("total", "accepted"), [(1023, True), (1024, True), (1025, False)])
async def test_1024_bytes_of_headers_and_body_are_accepted_and_1025_not(total: int, accepted: bool, body: int) -> None:
    async with receiving(answering(sized(total, body=body))) as peer, a_client() as client:
        answer = await ask(client, peer.endpoint())
        assert answer.size_bytes == total
        assert isinstance(verdict_on(answer), HandshakeAccepted if accepted else HandshakeRefused)


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", 10),
        (b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n", 6),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 31),
        (b"HTTP/1.0 200 OK\r\nB:2\r\n\r\nxy", 7),
    ],
)
async def test_size_counts_header_lines_and_body_in_any_framing(answer: bytes, size: int) -> None:
    async with receiving(answering(answer, then_close=True)) as peer, a_client() as client:
        got = await ask(client, peer.endpoint())
        assert (got.failure, got.status, got.size_bytes) == (None, 200, size)


async def test_an_answer_in_small_pieces_is_read_whole() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        for byte in sized(300, body=20):
            writer.write(bytes((byte,)))
            await writer.drain()
        await reader.read()

    async with receiving(behave) as peer, a_client() as client:
        answer = await ask(client, peer.endpoint())
        assert answer.size_bytes == 300
        assert dict(answer.headers)["validation-token"] == TOKEN
        assert verdict_on(answer) == HandshakeAccepted()


@pytest.mark.parametrize(
    ("answer", "failure", "code"),
    [
        (b"", FailureCode.RESET, "SUB-521"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", FailureCode.RESET, "SUB-521"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", FailureCode.RESET, "SUB-521"),
        (b"hello\r\n", FailureCode.MALFORMED_RESPONSE, "SUB-525"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000, FailureCode.RESPONSE_TOO_LARGE, "SUB-525"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20_000, FailureCode.RESPONSE_TOO_LARGE, "SUB-525"),
    ],
)
async def test_less_than_a_whole_answer_is_a_failure(answer: bytes, failure: FailureCode, code: str) -> None:
    async with receiving(answering(answer, then_close=True)) as peer, a_client() as client:
        got = await ask(client, peer.endpoint())
        assert (got.failure, got.status, got.headers, got.size_bytes) == (failure, 0, (), 0)
        verdict = verdict_on(got)
        assert isinstance(verdict, HandshakeRefused)
        assert verdict.code == code


async def test_an_answer_that_comes_too_late_is_sub_521() -> None:
    async with receiving(silence) as peer, a_client() as client:
        answer = await ask(client, peer.endpoint(), timeout_seconds=0.2)
        assert answer.failure is FailureCode.RESPONSE_TIMEOUT
        assert 0.19 <= answer.duration_seconds < 2.5
        verdict = verdict_on(answer)
        assert isinstance(verdict, HandshakeRefused)
        assert verdict.code == "SUB-521"
        await asyncio.wait_for(peer.hung_up.wait(), 10)


async def test_handshakes_beyond_the_limit_wait_their_turn() -> None:
    async with (
        receiving(answering(sized(200))) as peer,
        a_client(limits=SenderLimits(max_handshakes=2)) as client,
    ):
        answers = await asyncio.gather(*(ask(client, peer.endpoint()) for _ in range(10)))
        assert {answer.status for answer in answers} == {200}


async def test_a_certificate_without_its_intermediate_is_sub_524() -> None:
    authority = trustme.CA()
    certificate = authority.create_child_ca().issue_cert("hooks.test")
    async with (
        receiving(answering(sized(200)), serving(certificate, chain=False)) as peer,
        a_client(
            resolver=FixedResolver({"hooks.test": [["127.0.0.1"]]}), tls_context=lambda: trusting(authority)
        ) as client,
    ):
        verdict = verdict_on(await ask(client, peer.endpoint(scheme="https", host="hooks.test")))
        assert isinstance(verdict, HandshakeRefused)
        assert verdict.code == "SUB-524"


async def test_a_handshake_over_tls_is_accepted() -> None:
    authority = trustme.CA()
    async with (
        receiving(answering(sized(1024, body=10)), serving(authority.issue_cert("hooks.test"))) as peer,
        a_client(
            resolver=FixedResolver({"hooks.test": [["127.0.0.1"]]}), tls_context=lambda: trusting(authority)
        ) as client,
    ):
        answer = await ask(client, peer.endpoint(scheme="https", host="hooks.test"))
        assert (answer.size_bytes, verdict_on(answer)) == (1024, HandshakeAccepted())


async def test_closing_the_client_ends_handshakes_under_way() -> None:
    there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        there.set()
        await reader.read()

    async with receiving(behave) as peer, a_client() as client:
        asking = asyncio.create_task(ask(client, peer.endpoint()))
        await asyncio.wait_for(there.wait(), 10)
        await client.close()
        assert (await asking).failure is FailureCode.CANCELLED
        assert (await ask(client, peer.endpoint())).failure is FailureCode.CANCELLED


async def test_a_caller_who_is_cancelled_ends_its_handshake() -> None:
    there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        there.set()
        await peer.read(reader)

    async with receiving(behave) as peer, a_client() as client:
        asking = asyncio.create_task(ask(client, peer.endpoint()))
        await asyncio.wait_for(there.wait(), 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(peer.hung_up.wait(), 10)
