"""How long the oldest undelivered notification has waited: looked up now and then, since it takes a pass over the
backlog, and told at each scrape."""

from __future__ import annotations

from collections.abc import Callable

from bellwire.model.ids import EMBEDDED_PARTITION, Position
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.retention import RetentionStore

MEASURE_SECONDS = 15.0
"""How often `measure` is to be called."""


class BacklogAge:
    def __init__(self, *, store: RetentionStore, log: EventLog, clock: Clock, is_empty: Callable[[], bool]) -> None:
        """`is_empty`: whether nothing is in the backlog at all; asked often, so it must be quick."""
        self._store = store
        self._event_log = log
        self._clock = clock
        self._is_empty = is_empty
        self._oldest_ms: int | None = None

    async def measure(self) -> None:
        """Find the oldest. Raises `Unavailable` when the disk can't be read now."""
        if self._is_empty():
            self._oldest_ms = None
            return
        totals = await self._store.backlog_totals()
        oldest: Position | None = min((each.oldest for each in totals.values()), default=None)
        if oldest is None:
            self._oldest_ms = None
            return
        event = (await self._event_log.get(EMBEDDED_PARTITION, [oldest])).get(oldest)
        self._oldest_ms = None if event is None else event.received_ms or event.timestamp_ms

    def seconds(self) -> float:
        """0 when nothing waits."""
        if self._oldest_ms is None or self._is_empty():
            return 0.0
        return max(0.0, (self._clock.now_ms() - self._oldest_ms) / 1000)
