"""What gathered becomes durable: one commit at a time, in order, and again where the disk refused it.

The ledger (`ledger.py`) decides what belongs together; this file takes its batches to the `Backlog` port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from bellwire.delivery.settling import Settling
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.ledger import CommitLedger
from bellwire.errors import Fenced, Unavailable
from bellwire.model.ids import LOG_START, Partition, SubscriptionId
from bellwire.ports.backlog import Backlog, Lease, NotificationId, Recovery

_log = structlog.get_logger("bellwire.deliver")


class Commits:
    """One partition's. `lease` and `ledger` are there once it was claimed."""

    lease: Lease
    ledger: CommitLedger

    def __init__(
        self,
        *,
        backlog: Backlog,
        limits: DeliveryLimits,
        on_removed: Callable[[Sequence[NotificationId]], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """`on_removed`: the removal of these rows is durable. `on_fatal`: the partition is another's now."""
        self.watermark = LOG_START
        """The position up to which everything is settled, durably."""
        self.lock = asyncio.Lock()
        """Held while a commit is under way."""
        self._backlog = backlog
        self._limits = limits
        self._on_removed = on_removed
        self._on_fatal = on_fatal
        self._dirty = asyncio.Event()

    async def claim(self, partition: Partition) -> Recovery:
        """Take over the partition, and learn what was settled before."""
        self.lease = await self._backlog.claim(partition)
        recovery = await self._backlog.load(self.lease)
        self.ledger = CommitLedger(Settling(recovery.watermark))
        self.watermark = recovery.watermark
        return recovery

    def soon(self) -> None:
        """Something gathered: commit it within `DeliveryLimits.commit_every`."""
        self._dirty.set()

    async def run(self) -> None:
        """Commit what gathers, until cancelled."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._limits.commit_every)
            self._dirty.clear()
            if not await self.now():
                await asyncio.sleep(self._limits.commit_again_after)

    async def now(self) -> bool:
        """Commit what gathered, if anything did; whether all that had gathered is durable now."""
        async with self.lock:
            batch = self.ledger.take()
            if not len(batch) and batch.watermark == self.watermark:
                return True
            try:
                await self._backlog.commit(self.lease, batch.watermark, batch.attempts, batch.puts, batch.dones)
            except Fenced as error:
                self._on_fatal(error)
                return False
            except Unavailable as problem:
                self.ledger.give_back(batch)
                self.soon()
                _log.error("deliveries.commit_failed", error=str(problem), entries=len(batch))
                return False
            except asyncio.CancelledError:
                # The commit may or may not happen: it is repeated, and repeating it changes nothing but history.
                self.ledger.give_back(batch)
                raise
            self.watermark = batch.watermark
            self._on_removed(batch.dones)
            return True

    async def purge(self, subscription: SubscriptionId) -> None:
        """Drop all rows of a subscription that is no more, those of the commit being gathered included."""
        while True:
            try:
                if await self.now():
                    await self._backlog.purge(subscription)
                    return
            except Unavailable as problem:
                _log.warning("backlog.purge_failed", subscription_id=subscription, error=str(problem))
            await asyncio.sleep(self._limits.purge_again_after)
