"""What the sender meets in these tests: receivers that misbehave byte by byte, and name servers that lie."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

from bellwire.model.attempt import AttemptResult
from bellwire.model.webhook import Endpoint
from bellwire.transports.guard import Address, AddressGuard
from bellwire.transports.limits import SenderLimits
from bellwire.transports.resolver import NotResolved, Resolver
from bellwire.transports.webhook_client import WebhookClient
from bellwire.wire.webhook.request import request_head

OPEN_GUARD = AddressGuard(allow_http=True, allow_private=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RunningClock:
    """`Clock` over the system's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class FixedResolver:
    """`Resolver` that gives each name's answers one after the other, the last one for ever."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]] | None = None) -> None:
        self._answers = {name: list(turns) for name, turns in (answers or {}).items()}
        self.asked: list[str] = []

    async def resolve(self, host: str) -> tuple[Address, ...] | NotResolved:
        self.asked.append(host)
        turns = self._answers.get(host)
        if turns is None:
            return NotResolved("the name does not exist")
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        return tuple(ip_address(address) for address in turn)


@dataclass
class Request:
    """A request as it arrived."""

    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        for line in self.head.decode("ascii").split("\r\n")[1:]:
            found, _, value = line.partition(": ")
            if found.lower() == name.lower():
                return value
        return None


@dataclass
class Peer:
    """A receiver on a loopback port."""

    port: int
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the other side has closed a connection."""

    def endpoint(self, target: str = "/hook", *, scheme: str = "http", host: str = "127.0.0.1") -> Endpoint:
        return Endpoint(scheme, host, self.port, target)

    async def read(self, reader: asyncio.StreamReader) -> Request:
        """The next request of a connection.

        Raises:
            asyncio.IncompleteReadError: the connection ended first.
        """
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(Request(head, b"").header("content-length") or 0)
        request = Request(head, await reader.readexactly(size))
        self.requests.append(request)
        return request


Behaviour = Callable[[Peer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A receiver that treats each connection so; when the behaviour returns, the connection is closed."""
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        peer.connections += 1
        try:
            await behaviour(peer, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            peer.hung_up.set()
        except RuntimeError:  # uvloop's, of a transport that was closed meanwhile
            if not writer.is_closing():
                raise
            peer.hung_up.set()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()
            running.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    peer = Peer(server.sockets[0].getsockname()[1])
    try:
        yield peer
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answering(*answers: bytes, then_close: bool = False) -> Behaviour:
    """Answer each request of a connection with the next of the answers, the last one for ever."""

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = 0
        while True:
            await peer.read(reader)
            writer.write(answers[min(turn, len(answers) - 1)])
            await writer.drain()
            turn += 1
            if then_close:
                return

    return behave


async def silence(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read requests and never answer."""
    while True:
        await peer.read(reader)


PATIENT = SenderLimits(connect_timeout=9, answer_timeout=9)
"""For tests that wait for no timeout: a machine that does much else may take seconds over a TLS handshake."""


@asynccontextmanager
async def a_client(
    *,
    resolver: Resolver | None = None,
    guard: AddressGuard = OPEN_GUARD,
    limits: SenderLimits | None = None,
    tls_context: Callable[[], ssl.SSLContext] | None = None,
) -> AsyncIterator[WebhookClient]:
    client = WebhookClient(
        resolver=resolver or FixedResolver(),
        guard=guard,
        clock=RunningClock(),
        limits=limits or PATIENT,
        tls_context=tls_context or ssl.create_default_context,
    )
    try:
        yield client
    finally:
        await client.close()


def start(client: WebhookClient, endpoint: Endpoint, body: bytes = b"{}") -> asyncio.Future[AttemptResult]:
    """POST; the future fails if the outcome is told twice."""
    outcome: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
    client.post(endpoint, request_head(endpoint, user_agent="test"), body, outcome.set_result)
    assert not outcome.done()
    return outcome


async def send(client: WebhookClient, endpoint: Endpoint, body: bytes = b"{}") -> AttemptResult:
    return await asyncio.wait_for(start(client, endpoint, body), 10)
