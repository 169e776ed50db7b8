"""Carriers: what takes texts out, and what it tells us back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bellwire.model.sms import DeliveryReceipt, InboundText, OutgoingText, SubmitOutcome


class Carrier(Protocol):
    """One way out, simulated or real. Opened once with the one who is told what comes back."""

    @property
    def resubmits_safely(self) -> bool:
        """Whether a text that was submitted before, perhaps by a process that crashed, goes out once all the same when
        it is submitted again under the same message id. Where not, a text whose outcome is unknown is given up."""
        ...

    async def start(self, reports: CarrierReports) -> None:
        """Begin to connect and to hand in what comes; doesn't wait for a link."""
        ...

    async def room(self) -> int:
        """Wait until it could begin with a text, and say with how many.

        What was submitted and not begun with is in doubt after a crash, for a carrier that can't be asked; so it is
        given no more than this. There may be less once `submit` is called, and that is no error.
        """
        ...

    async def submit(self, texts: Sequence[OutgoingText]) -> Sequence[SubmitOutcome]:
        """Hand over texts, at most a few hundred a call; several calls may be under way.

        Returns:
            one outcome for each, in the order given, when all are known. Waits for room in the carrier's window.
        """
        ...

    async def stop(self, *, drain_seconds: float) -> None:
        """Wait for the answers under way for a bounded time, then end the link."""
        ...


class CarrierReports(Protocol):
    """Who hears from a carrier. Each call returns when what it brought is durable: only then may a carrier's peer be
    told that it arrived. Raises `Unavailable` where it can't be taken now: the peer must hand it over again."""

    async def receipts(self, receipts: Sequence[DeliveryReceipt]) -> None:
        """Reports on texts; one can come before `submit` has returned its id."""
        ...

    async def inbound(self, texts: Sequence[InboundText]) -> None:
        """Texts to our numbers, in the order they came."""
        ...
