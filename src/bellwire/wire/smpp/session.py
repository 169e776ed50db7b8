"""One SMPP session as a machine: bytes and times in, events and bytes out. Whoever has a socket drives it.

    connected ──bind_transceiver──▶ binding ──its response──▶ bound ──unbind of ours──▶ unbinding
                                       │                        │                          │
                                       └──── refused, late ─────┴── unbind of theirs, ─────┴─▶ ended
                                                                    broken framing, silence

After each call: write `take_bytes()`, act on the events, and call `tick` at `next_at`. After `Ended`, close the
connection once what was left to write is written; nothing is taken in any more.

A deliver_sm is answered by `acknowledge` alone: its owner calls it when what came is durable. A peer's answers are
matched to requests by sequence number; one that comes too late is about nothing, and counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar, assert_never

from bellwire.wire.smpp.codec import Unparsable, decode, encode, header
from bellwire.wire.smpp.framing import BrokenFraming, Frame, Framing
from bellwire.wire.smpp.pace import Pace
from bellwire.wire.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    Command,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Incoming,
    Outgoing,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from bellwire.wire.smpp.timers import Due, Phase, TimerPolicy, Timers
from bellwire.wire.smpp.window import SequenceNumbers, Window

T = TypeVar("T")


class EndReason(StrEnum):
    BIND_REFUSED = "bind_refused"
    BIND_TIMED_OUT = "bind_timed_out"
    BROKEN_FRAMING = "broken_framing"
    PEER_UNBOUND = "peer_unbound"
    SILENT = "silent"
    INACTIVE = "inactive"
    UNBOUND = "unbound"
    """As we asked."""
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True, slots=True)
class Bound:
    system_id: str
    """What the peer calls itself."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """What a submit_sm came to."""

    about: T
    status: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Unanswered(Generic[T]):
    """A submit_sm was not answered in time, or unreadably: it may have been taken."""

    about: T


@dataclass(frozen=True, slots=True)
class Delivery:
    """A deliver_sm came; to be acknowledged by its sequence number, each once."""

    sequence: int
    pdu: DeliverSm


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """The session is over. Every submit_sm in `unanswered` was written and may have been taken."""

    reason: EndReason
    status: int
    """Of a refused bind, otherwise 0."""
    unanswered: tuple[T, ...]


Event = Bound | Answered[T] | Unanswered[T] | Delivery | Ended[T]


@dataclass(frozen=True, slots=True)
class SessionLimits:
    window: int = 10
    """submit_sm without an answer at the same time."""
    submits_per_second: float | None = None
    timers: TimerPolicy = TimerPolicy()  # noqa: RUF009 - frozen
    max_deliveries: int = 256
    """deliver_sm that are not acknowledged yet; with more, the peer is told to come again."""


class Session(Generic[T]):
    """Begins with the connection. `T` is what a submit_sm is about: it comes back with its answer."""

    def __init__(self, bind: BindTransceiver, limits: SessionLimits, pace: Pace, *, now: float) -> None:
        """Args:
        pace: outlives the session: a throttling peer is not asked earlier because the link was made anew.
        """
        self._limits = limits
        self._pace = pace
        self._framing = Framing()
        self._numbers = SequenceNumbers()
        self._window: Window[T] = Window(limits.window, limits.timers.response)
        self._deliveries: Counter[int] = Counter()
        self._unacknowledged = 0
        self._timers = Timers.connected(limits.timers, now)
        self._ended = False
        self._out = bytearray()
        self.unparsable = 0
        """PDUs that could not be read."""
        self.late_answers = 0
        """Responses to nothing that was open."""
        self._write(bind, self._numbers.take())

    # What its owner asks and does.

    @property
    def is_bound(self) -> bool:
        return self._timers.phase is Phase.BOUND and not self._ended

    @property
    def has_ended(self) -> bool:
        return self._ended

    @property
    def open_submits(self) -> int:
        return len(self._window)

    @property
    def next_at(self) -> float | None:
        """When `tick` has to be called at the latest; None: never again."""
        if self._ended:
            return None
        expiry = self._window.next_expiry
        return self._timers.next_at if expiry is None else min(expiry, self._timers.next_at)

    def submit_at(self, now: float) -> float | None:
        """The earliest time at which `submit` may be called; None: when the window has room, or never."""
        if not self.is_bound or not self._window.has_room:
            return None
        return max(now, self._pace.may_send_at(now))

    def submit(self, pdu: SubmitSm, about: T, now: float) -> None:
        """Send a submit_sm; only when `submit_at` says so.

        Raises:
            ValueError: a field is too long; nothing was sent.
        """
        assert self.is_bound
        sequence = self._numbers.take(in_use=self._window)
        self._write(pdu, sequence)
        self._window.store(sequence, about, now)
        self._pace.sent(now)
        self._timers = self._timers.worked(now)

    def acknowledge(self, sequence: int, status: int = Status.OK) -> None:
        """Answer a deliver_sm. No longer possible once the session has ended: the peer hands it over again."""
        if self._ended or not self._deliveries[sequence]:
            return
        self._unacknowledged -= 1
        self._deliveries[sequence] -= 1
        if not self._deliveries[sequence]:
            del self._deliveries[sequence]
        self._write(DeliverSmResp(status), sequence)

    def unbind(self, now: float) -> list[Event[T]]:
        """Take leave: nothing is submitted any more, and the peer's response ends the session."""
        if self._ended or self._timers.phase is Phase.UNBINDING:
            return []
        if self._timers.phase is Phase.BINDING:
            return [self._end(EndReason.UNBOUND)]
        self._timers = self._timers.unbinding(now)
        self._write(Unbind(), self._numbers.take(in_use=self._window))
        return []

    def take_bytes(self) -> bytes:
        """What is to be written now, in order."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def connection_lost(self) -> list[Event[T]]:
        return [] if self._ended else [self._end(EndReason.CONNECTION_LOST)]

    def tick(self, now: float) -> list[Event[T]]:
        """Do what is due."""
        if self._ended:
            return []
        events: list[Event[T]] = [Unanswered(about) for about in self._window.expire(now)]
        match self._timers.due(now):
            case None:
                pass
            case Due.BIND_TIMED_OUT:
                events.append(self._end(EndReason.BIND_TIMED_OUT))
            case Due.UNBIND_TIMED_OUT:
                events.append(self._end(EndReason.UNBOUND))
            case Due.LINK_DEAD:
                events.append(self._end(EndReason.SILENT))
            case Due.INACTIVE:
                self._write(Unbind(), self._numbers.take(in_use=self._window))
                events.append(self._end(EndReason.INACTIVE))
            case Due.ENQUIRE:
                self._timers = self._timers.enquired(now)
                self._write(EnquireLink(), self._numbers.take(in_use=self._window))
            case impossible:
                assert_never(impossible)
        return events

    # What the peer says.

    def receive(self, data: bytes, now: float) -> list[Event[T]]:
        events: list[Event[T]] = []
        self._framing.feed(data)
        while not self._ended:
            frame = self._framing.take()
            if frame is None:
                break
            if isinstance(frame, BrokenFraming):
                self._write(GenericNack(Status.INVALID_COMMAND_LENGTH), 0)
                events.append(self._end(EndReason.BROKEN_FRAMING))
                break
            self._timers = self._timers.heard(now)
            pdu = decode(frame)
            if isinstance(pdu, Unparsable):
                events += self._on_unparsable(pdu, now)
            elif pdu is not None:
                events += self._on_pdu(frame, pdu, now)
        return events

    def _on_pdu(self, frame: Frame, pdu: Incoming, now: float) -> list[Event[T]]:
        sequence = frame.sequence
        match pdu:
            case SubmitSmResp():
                return self._on_answer(sequence, pdu.status, pdu.message_id, now)
            case DeliverSm():
                return self._on_deliver(sequence, pdu, now)
            case BindTransceiverResp():
                return self._on_bind_answer(pdu, now)
            case EnquireLink():
                self._write(EnquireLinkResp(), sequence)
            case EnquireLinkResp():
                pass  # that something came was all that it was to say
            case Unbind():
                self._write(UnbindResp(), sequence)
                return [self._end(EndReason.PEER_UNBOUND)]
            case UnbindResp():
                if self._timers.phase is Phase.UNBINDING:
                    return [self._end(EndReason.UNBOUND)]
            case GenericNack():
                if self._timers.phase is Phase.BINDING:
                    return [self._end(EndReason.BIND_REFUSED, pdu.status)]
                return self._on_answer(sequence, pdu.status or Status.SYSTEM_ERROR, "", now)
            case impossible:
                assert_never(impossible)
        return []

    def _on_bind_answer(self, pdu: BindTransceiverResp, now: float) -> list[Event[T]]:
        if self._timers.phase is not Phase.BINDING:
            return []
        if pdu.status != Status.OK:
            return [self._end(EndReason.BIND_REFUSED, pdu.status)]
        self._timers = self._timers.bound(now)
        return [Bound(pdu.system_id)]

    def _on_answer(self, sequence: int, status: int, message_id: str, now: float) -> list[Event[T]]:
        if sequence not in self._window:
            self.late_answers += 1
            return []
        about = self._window.fetch(sequence)
        if status == Status.OK:
            self._pace.accepted(now)
        return [Answered(about, status, message_id)]  # type: ignore[arg-type]  # T itself may be optional

    def _on_deliver(self, sequence: int, pdu: DeliverSm, now: float) -> list[Event[T]]:
        if self._timers.phase is Phase.BINDING:
            self._write(DeliverSmResp(Status.INVALID_BIND_STATUS), sequence)
            return []
        if self._timers.phase is Phase.UNBINDING or self._unacknowledged >= self._limits.max_deliveries:
            self._write(DeliverSmResp(Status.TEMPORARY_APPLICATION_ERROR), sequence)
            return []
        self._timers = self._timers.worked(now)
        self._unacknowledged += 1
        self._deliveries[sequence] += 1
        return [Delivery(sequence, pdu)]

    def _on_unparsable(self, pdu: Unparsable, now: float) -> list[Event[T]]:
        self.unparsable += 1
        if pdu.is_response:
            # A response to a request of ours that we never make, or can't read: what it says is not known.
            if pdu.sequence in self._window:
                about = self._window.fetch(pdu.sequence)
                return [Unanswered(about)]  # type: ignore[arg-type]
            self.late_answers += 1
        elif pdu.command_id == Command.DELIVER_SM:
            self._write(DeliverSmResp(pdu.answer), pdu.sequence)
        else:
            self._out += header(Command.GENERIC_NACK, pdu.answer, pdu.sequence)
        return []

    def _write(self, pdu: Outgoing, sequence: int) -> None:
        self._out += encode(pdu, sequence)

    def _end(self, reason: EndReason, status: int = 0) -> Ended[T]:
        self._ended = True
        self._deliveries.clear()
        return Ended(reason, status, tuple(self._window.drain()))
