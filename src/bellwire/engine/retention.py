"""Retention: what is old, or too much, goes; and what goes without having been delivered is counted and named.

Every minute: note the time; give up rows of backlogs that are too old or too many; drop old hours of attempts; copy
events that the backlog still needs; trim the log. All in pieces of at most 256 rows, each in a commit of its own, so
that publishing and delivering go on between them (engine.md, Retention).

The log is never trimmed above the watermark: what is routed again after a crash has to be there. Ages are by when
events were logged, not by what their producers say. The wall clock may jump: then nothing goes for an hour, so that
someone can see the warning and set it right. The same after the server was down for long, so that endpoints get what
waited for them before it is too old.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from bellwire.engine.deliver import Deliveries
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import LOG_START, Partition, Position, SubscriptionId
from bellwire.ports.backlog import Backlog
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import EventLog
from bellwire.ports.retention import RetentionStore

SWEEP_SECONDS = 60.0
"""How often `sweep` is to be called."""
CHUNK_ROWS = 256
WINDOW = 1_000_000
"""Positions for which the backlog is asked at once what it needs of them."""
JUMP_SECONDS = 60.0
DOWN_SECONDS = 3600.0
SUSPENDED_SECONDS = 3600.0

_log = structlog.get_logger("bellwire.retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLimits:
    keep_seconds: float = 72 * 3600.0
    log_bytes: int
    history_bytes: int
    backlog_rows: int
    """Of one subscription."""


class Retention:
    """Owned by one event loop."""

    def __init__(
        self,
        *,
        partition: Partition,
        store: RetentionStore,
        log: EventLog,
        backlog: Backlog,
        deliveries: Deliveries,
        clock: Clock,
        limits: RetentionLimits,
    ) -> None:
        self._partition = partition
        self._store = store
        self._event_log = log
        self._backlog = backlog
        self._deliveries = deliveries
        self._clock = clock
        self._limits = limits
        self._last: tuple[int, float] | None = None
        self._suspended_until = 0.0
        self.dropped: Counter[str] = Counter(events=0, notifications=0, attempt_hours=0)
        """Since the start: `events`, `notifications` (undelivered), `attempt_hours`."""
        self.sweeps = 0
        """How often it did what was due."""

    @property
    def is_suspended(self) -> bool:
        return self._clock.monotonic() < self._suspended_until

    async def sweep(self) -> None:
        """Do what is due.

        Raises:
            Unavailable: the disk can't do it now; the next call goes on from there.
        """
        now_ms = self._clock.now_ms()
        noted_ms = await self._store.note_time(now_ms)
        self._look_for_jump(now_ms, noted_ms)
        if not self.is_suspended:
            await self._drop_what_is_due(now_ms)
        self.sweeps += 1

    async def _drop_what_is_due(self, now_ms: int) -> None:
        oldest_ms = now_ms - round(self._limits.keep_seconds * 1000)
        too_old = await self._store.logged_before(oldest_ms)
        await self._expire_backlogs(too_old)
        await self._drop_attempts(oldest_ms)
        await self._trim(too_old)

    def _look_for_jump(self, now_ms: int, noted_ms: int | None) -> None:
        running = self._clock.monotonic()
        if self._last is not None:
            last_ms, last_running = self._last
            jump = (now_ms - last_ms) / 1000 - (running - last_running)
            if abs(jump) > JUMP_SECONDS:
                self._suspend("the wall clock jumped, or the machine slept", jump)
        elif noted_ms is not None and abs(now_ms - noted_ms) > DOWN_SECONDS * 1000:
            self._suspend("the server was down for long", (now_ms - noted_ms) / 1000)
        self._last = (now_ms, running)

    def _suspend(self, reason: str, seconds: float) -> None:
        self._suspended_until = self._clock.monotonic() + SUSPENDED_SECONDS
        _log.warning(
            "retention.suspended", reason=reason, by_seconds=round(seconds), for_seconds=round(SUSPENDED_SECONDS)
        )

    # Backlogs

    async def _expire_backlogs(self, too_old: Position) -> None:
        if not self._deliveries.figures()["backlog_rows"]:
            return
        head = self._event_log.head(self._partition)
        for subscription, totals in (await self._store.backlog_totals()).items():
            if totals.oldest <= too_old:
                hours = round(self._limits.keep_seconds / 3600)
                reason = f"Not delivered within {hours} hours, for which undelivered notifications are kept."
                await self._expire(subscription, too_old, totals.rows, reason)
            excess = self._deliveries.view(subscription).backlog_rows - self._limits.backlog_rows
            if excess > 0:
                most = self._limits.backlog_rows
                reason = f"The oldest of more than {most} undelivered notifications, which is the most that is kept."
                await self._expire(subscription, head, excess, reason)

    async def _expire(self, subscription: SubscriptionId, up_to: Position, most: int, reason: str) -> None:
        """Drop a subscription's oldest rows, and say which."""
        rows, first, last = 0, None, LOG_START
        try:
            while rows < most:  # each round begins with the commit of what the one before dropped
                dropped = await self._deliveries.expire(subscription, up_to, min(CHUNK_ROWS, most - rows), reason)
                if dropped is None:
                    break
                first = dropped.first if first is None else first
                rows, last = rows + dropped.rows, dropped.last
                await asyncio.sleep(0)
        finally:  # Invariant: nothing without a trace. Also when the disk fails, or the server stops, in the middle.
            if rows:
                self.dropped["notifications"] += rows
                _log.warning(
                    "backlog.expired",
                    subscription_id=subscription,
                    rows=rows,
                    from_position=first,
                    to_position=last,
                    reason=reason,
                )
        await self._deliveries.commit()  # what is trimmed next asks the disk what the backlog still needs

    # Attempts

    async def _drop_attempts(self, oldest_ms: int) -> None:
        hours = await self._store.attempt_hours()
        size, before_ms = sum(hour.size_bytes for hour in hours), oldest_ms
        for hour in hours[:-1]:
            if size > self._limits.history_bytes:
                before_ms = max(before_ms, hour.ended_ms)
            size -= hour.size_bytes
        dropped = await self._store.drop_attempts_before(before_ms)
        if dropped:
            self.dropped["attempt_hours"] += dropped
            _log.info("attempts.dropped", hours=dropped)

    # The log

    async def _trim(self, too_old: Position) -> None:
        extent = await self._store.log_extent()
        head = self._event_log.head(self._partition)
        too_much = LOG_START
        if extent.used_bytes > self._limits.log_bytes:
            events = head - extent.first + 1
            part = 1 - self._limits.log_bytes / extent.used_bytes
            too_much = Position(extent.first - 1 + round(events * part))
        # Invariant: no loss. What is not settled durably stays in the log, however old or much it is.
        last = min(max(too_old, too_much), self._deliveries.committed_watermark)
        trimmed = 0
        first = extent.first
        if first > last:  # nothing to trim: what was kept and is needed no more goes all the same
            await self._event_log.trim(self._partition, first, CHUNK_ROWS)
        while first <= last:
            until = Position(min(last, first + WINDOW - 1))
            trimmed += await self._trim_window(first, until)
            first = Position(until + 1)
        if trimmed:
            self.dropped["events"] += trimmed
            _log.info(
                "log.trimmed",
                events=trimmed,
                to_position=last,
                reason="age" if last <= too_old else "size",
                used_mib=extent.used_bytes >> 20,
            )

    async def _trim_window(self, first: Position, until: Position) -> int:
        # Positions up to the watermark get no new rows, so what is needed of them can only become less.
        needed = await self._store.needed(first, until) if self._deliveries.figures()["backlog_rows"] else ()
        for start in range(0, len(needed), CHUNK_ROWS):
            positions = [Position(seq) for seq in needed[start : start + CHUNK_ROWS]]
            events = await self._event_log.get(self._partition, positions)
            await self._backlog.keep(self._partition, [LoggedEvent(seq, event) for seq, event in events.items()])
        return await self._event_log.trim(self._partition, Position(until + 1), until - first + 1)
