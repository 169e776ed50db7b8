"""The SMPP 3.4 carrier: a bind_transceiver to an aggregator or a carrier's SMSC, texts out, receipts and texts in.

What is promised, and what the protocol does not let anybody promise, is in docs/smpp.md. This file joins the link, the
way out (`smpp_outbound.py`) and the way in (`smpp_inbound.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from bellwire.carriers.smpp_inbound import Inbound
from bellwire.carriers.smpp_outbound import Outbound, OutboundPolicy, PartOf
from bellwire.model.sms import OutgoingText, SubmitOutcome
from bellwire.ports.carrier import Carrier, CarrierReports
from bellwire.ports.clock import Clock
from bellwire.ports.part_store import PartStore
from bellwire.ports.smpp_link import MakeLink, SmppConnection
from bellwire.wire.smpp.pace import Pace
from bellwire.wire.smpp.pdus import BindTransceiver
from bellwire.wire.smpp.reassembly import ReassemblyLimits
from bellwire.wire.smpp.session import Answered, Bound, Delivery, Ended, Event, Session, SessionLimits, Unanswered


@dataclass(frozen=True, slots=True)
class SmppAccount:
    """How to bind, and what was agreed with the peer."""

    bind: BindTransceiver
    session: SessionLimits = field(default_factory=SessionLimits)
    outbound: OutboundPolicy = field(default_factory=OutboundPolicy)
    reassembly: ReassemblyLimits = field(default_factory=ReassemblyLimits)


class SmppCarrier(Carrier):
    """To be made within the running event loop, started once and stopped."""

    resubmits_safely = False
    """A peer can't be asked whether it has a text that it did not answer to."""

    def __init__(
        self,
        account: SmppAccount,
        make_link: MakeLink,
        *,
        parts: PartStore,
        clock: Clock,
        random: Random,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Args:
        parts: closed by `stop`.
        on_fatal: called where a bug of ours ended what hands on.
        """
        self._account = account
        self._parts = parts
        self._clock = clock
        self._on_fatal = on_fatal
        self._pace = Pace(account.session.submits_per_second)
        self._link = make_link(self, self._make_session)
        self._outbound = Outbound(
            account.outbound,
            self._pace,
            places=_places(account.session),
            random=random,
            retry_seconds=lambda: self._link.seconds_to_next_try,
        )
        self._inbound: Inbound | None = None
        self._handing_on: asyncio.Task[None] | None = None

    async def start(self, reports: CarrierReports) -> None:
        self._inbound = Inbound(
            reports,
            self._parts,
            clock=self._clock,
            id_form=self._account.outbound.id_form,
            limits=self._account.reassembly,
        )
        await self._inbound.restore()
        self._handing_on = asyncio.create_task(self._inbound.run(), name="smpp inbound")
        self._handing_on.add_done_callback(self._ended)
        self._link.start()

    async def room(self) -> int:
        return await self._outbound.room()

    async def submit(self, texts: Sequence[OutgoingText]) -> Sequence[SubmitOutcome]:
        return await self._outbound.submit(texts)

    async def stop(self, *, drain_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + drain_seconds
        await self._outbound.drain(drain_seconds)
        if self._inbound is not None:
            await self._inbound.drain(max(0.0, ends_at - loop.time()))
        await self._link.stop(seconds=max(0.1, ends_at - loop.time()))
        self._outbound.close()
        if self._handing_on is not None:
            self._handing_on.cancel()
            await asyncio.gather(self._handing_on, return_exceptions=True)
        await self._parts.close()

    # What is to be seen from outside.

    @property
    def is_bound(self) -> bool:
        return self._link.is_bound

    @property
    def binds(self) -> int:
        """Binds that were made since the start."""
        return self._link.binds

    @property
    def waiting_texts(self) -> int:
        """Texts without an outcome."""
        return self._outbound.waiting_texts

    @property
    def waiting_parts(self) -> int:
        """Parts of inbound texts that wait for the rest."""
        return self._inbound.waiting_parts if self._inbound is not None else 0

    @property
    def answers(self) -> Mapping[str, int]:
        """submit_sm by what they came to: taken, refused, not_now, unknown."""
        return self._outbound.answers

    @property
    def arrivals(self) -> Mapping[str, int]:
        """deliver_sm by what they were: receipts, texts, parts, … or that they were put off or refused."""
        return self._inbound.arrivals if self._inbound is not None else {}

    # What the link calls.

    def on_event(self, connection: SmppConnection[PartOf], event: Event[PartOf]) -> None:
        match event:
            case Bound():
                self._outbound.linked(connection)
            case Answered():
                self._outbound.answered(event)
            case Unanswered(about):
                self._outbound.unanswered(about)
            case Delivery():
                assert self._inbound is not None
                self._inbound.deliver(connection, event)
            case Ended(_, _, unanswered):
                self._outbound.unlinked(unanswered)
            case impossible:
                assert_never(impossible)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)

    def _make_session(self, now: float) -> Session[PartOf]:
        return Session(self._account.bind, self._account.session, self._pace, now=now)


def _places(session: SessionLimits) -> int:
    """A window, or what can be written in a second where that is less: what is in doubt after a crash."""
    return min(session.window, max(1, int(session.submits_per_second or session.window)))
