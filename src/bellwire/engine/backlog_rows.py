"""Fetching backlog rows with their events, for lanes that drain and for retention that gives rows up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from bellwire.delivery.lane import Lane
from bellwire.engine.commits import Commits
from bellwire.errors import Unavailable
from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.ports.backlog import Backlog
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog

_log = structlog.get_logger("bellwire.deliver")


class BacklogRows:
    def __init__(
        self, *, partition: Partition, backlog: Backlog, log: EventLog, commits: Commits, clock: Clock, at_once: int
    ) -> None:
        """`at_once`: so many lanes are read for at a time; others wait."""
        self._partition = partition
        self._backlog = backlog
        self._log = log
        self._commits = commits
        self._clock = clock
        self._turns = asyncio.Semaphore(at_once)

    async def read(self, lane: Lane) -> bool:
        """Load the lane's next page, if it still wants one when its turn comes; False if the disk failed."""
        now = self._clock.monotonic
        async with self._turns:
            lane.load((), {}, 0, now(), complete=False)  # ask again: much may have happened while waiting for a turn
            asked = lane.wants_rows(now())
            if not asked or lane.closed:
                return True  # it may be LIVE by now, with what it loaded from memory
            lane.begin_read()
            try:
                if not await self._commits.now():
                    raise Unavailable("the commit before a read of the backlog failed")
                rows = await self._backlog.pending(lane.subscription, lane.cursor, asked)
                wanted = lane.wanted(rows)
                events = await self._log.get(self._partition, [row.position for row in wanted])
            except Unavailable as problem:
                lane.load((), {}, asked, now(), complete=False)
                _log.warning("backlog.read_failed", subscription_id=lane.subscription, error=str(problem))
                return False
            lane.load(rows, events, asked, now(), complete=True)
            return True

    async def oldest(
        self, subscription: SubscriptionId, up_to: Position, most_rows: int
    ) -> tuple[list[BacklogRow], Mapping[Position, Event]]:
        """The oldest rows, none above `up_to`, and their events as far as they are kept; nothing if the disk failed."""
        if not await self._commits.now():
            return [], {}
        found = await self._backlog.pending(subscription, (LOG_START, ""), most_rows)
        rows = [row for row in found if row.position <= up_to]
        return rows, await self._log.get(self._partition, sorted({row.position for row in rows}))
