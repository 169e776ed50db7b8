"""One SMPP connection over a transport that is only written down: when it reads, writes and closes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bellwire.transports.smpp_link import TcpSmppConnection
from bellwire.wire.smpp.pace import Pace
from bellwire.wire.smpp.pdus import Address, BindTransceiver, SubmitSm
from bellwire.wire.smpp.session import Bound, Ended, EndReason, Event, Session, SessionLimits
from tests.unit.wire.smpp.peer_pdus import bind_answer, raw, split

BIND = BindTransceiver("bellwire", "secret")
PDU = SubmitSm(Address("1"), Address("2"), 0, b"Hi")


class PaperTransport:
    def __init__(self) -> None:
        self.written = b""
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        assert not self.is_closing()
        self.written += data

    def is_closing(self) -> bool:
        return "close" in self.calls or "abort" in self.calls

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Opened:
    """A connection that is bound."""

    def __init__(self) -> None:
        self.events: list[Event[str]] = []
        self.transport = PaperTransport()
        self.connection: TcpSmppConnection[str] = TcpSmppConnection(
            lambda now: Session(BIND, SessionLimits(), Pace(None), now=now),
            lambda _, event: self.events.append(event),
        )
        self.connection.connection_made(cast(asyncio.Transport, self.transport))
        self.connection.data_received(bind_answer())

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()


async def test_it_binds_as_soon_as_it_is_connected() -> None:
    opened = Opened()

    assert [pdu.command_id for pdu in split(opened.transport.written)] == [0x9]
    assert opened.events == [Bound("smsc")]
    assert opened.connection.submit_at(opened.now) is not None


async def test_while_the_peer_does_not_read_nothing_is_read_or_submitted() -> None:
    opened = Opened()

    opened.connection.pause_writing()
    assert opened.transport.calls == ["pause_reading"]
    assert opened.connection.submit_at(opened.now) is None
    opened.connection.resume_writing()

    assert opened.transport.calls == ["pause_reading", "resume_reading"]
    assert opened.connection.submit_at(opened.now) is not None


async def test_nothing_is_submitted_to_a_closing_connection() -> None:
    opened = Opened()
    opened.connection.abort()

    assert opened.connection.submit_at(opened.now) is None


async def test_what_is_submitted_is_written_with_the_flush() -> None:
    opened = Opened()
    before = opened.transport.written
    opened.connection.submit(PDU, "a")
    opened.connection.submit(PDU, "b")

    assert opened.transport.written == before
    opened.connection.flush()
    assert [pdu.command_id for pdu in split(opened.transport.written[len(before) :])] == [0x4, 0x4]


async def test_the_last_answer_is_written_before_it_closes() -> None:
    opened = Opened()
    opened.connection.submit(PDU, "a")
    opened.connection.flush()

    opened.connection.data_received(raw(0x6, sequence=3))

    assert split(opened.transport.written)[-1].command_id == 0x80000006
    assert opened.transport.calls == ["close"]
    assert opened.events[-1] == Ended(EndReason.PEER_UNBOUND, 0, ("a",))
    opened.connection.connection_lost(None)
    assert opened.connection.closed.done()
    assert len(opened.events) == 2


async def test_a_lost_connection_says_what_was_not_answered() -> None:
    opened = Opened()
    opened.connection.submit(PDU, "a")
    opened.connection.flush()

    opened.connection.connection_lost(ConnectionResetError())

    assert opened.events[-1] == Ended(EndReason.CONNECTION_LOST, 0, ("a",))
    opened.connection.acknowledge(7)
    opened.transport.calls.append("close")
    opened.connection.flush()
