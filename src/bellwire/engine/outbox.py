"""From the outbox into the event log: what was committed with the records is published, and then deleted there.

Between the two an event can be in both; appended again after a crash, it is known in the log by its uuid. When the log
can't keep up, or is full, the outbox grows, and those who put in wait in `room`: nothing is lost, all becomes slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bellwire.engine.publish import Publisher
from bellwire.errors import Unavailable
from bellwire.ports.outbox import Outbox

GROUP = 512
LIMIT = 4096
"""Events in the outbox, about, at which whoever wants to put in more waits."""

_log = structlog.get_logger("bellwire.outbox")


class OutboxPump:
    """Empties the outbox, for as long as it runs."""

    def __init__(
        self, *, outbox: Outbox, publisher: Publisher, on_fatal: Callable[[BaseException], None], limit: int = LIMIT
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._on_fatal = on_fatal
        self._limit = limit
        self._pending = 0
        self._put = asyncio.Event()
        self._has_room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        outbox.on_put(self._count)

    @property
    def pending(self) -> int:
        """Events in the outbox."""
        return self._pending

    async def start(self) -> None:
        """Begin with what an earlier process left."""
        self._count(await self._outbox.size())
        self._task = asyncio.create_task(self._run(), name="outbox")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """What is left waits for the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def room(self) -> None:
        """Wait until there may be more."""
        while self._pending >= self._limit:
            self._has_room.clear()
            await self._has_room.wait()

    def _count(self, events: int) -> None:
        self._pending += events
        self._put.set()

    async def _run(self) -> None:
        while True:
            await self._put.wait()
            self._put.clear()
            try:
                while await self._forward():
                    pass
            except Unavailable as problem:
                _log.warning("outbox.held", error=str(problem), pending=self._pending)
                await asyncio.sleep(problem.retry_after_seconds)
                self._put.set()

    async def _forward(self) -> bool:
        """One group; returns whether there was one."""
        group = await self._outbox.first(GROUP)
        if group:
            await self._publisher.publish([outgoing.event for outgoing in group])
            self._pending -= await self._outbox.remove(group[-1].place)
        else:
            self._pending = 0  # what was put in while `start` counted was counted twice
        if self._pending < self._limit:
            self._has_room.set()
        return bool(group)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)
