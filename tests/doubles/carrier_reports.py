"""Who hears from a carrier, in memory: what came, and a gate before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bellwire.model.sms import DeliveryReceipt, InboundText


class RecordingReports:
    """`CarrierReports` that remembers. What comes is durable at once, unless `is_open` is clear or `fail_with` says."""

    def __init__(self) -> None:
        self.receipts_got: list[DeliveryReceipt] = []
        self.texts: list[InboundText] = []
        self.asked = 0
        """Calls, also those that failed or wait."""
        self.fail_with: Callable[[object], Exception | None] = lambda _: None
        """Called with each thing that comes."""
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._changed = asyncio.Condition()

    async def receipts(self, receipts: Sequence[DeliveryReceipt]) -> None:
        await self._pass(receipts)
        self.receipts_got += receipts
        await self._tell()

    async def inbound(self, texts: Sequence[InboundText]) -> None:
        await self._pass(texts)
        self.texts += texts
        await self._tell()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that came makes it true."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(holds)

    async def _pass(self, things: Sequence[object]) -> None:
        self.asked += 1
        await self._tell()
        await self.is_open.wait()
        for thing in things:
            if (failure := self.fail_with(thing)) is not None:
                raise failure

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
