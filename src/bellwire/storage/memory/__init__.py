"""The engine's ports in memory: whole implementations that pass the same suites as the files do."""

from __future__ import annotations

from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.model.ids import Position
from bellwire.storage.memory.backlog import MemoryBacklog
from bellwire.storage.memory.event_log import MemoryEventLog
from bellwire.storage.memory.history import MemoryHistory
from bellwire.storage.memory.pending_writes import PendingWrites
from bellwire.storage.memory.replay_store import MemoryReplayStore

__all__ = ["MemoryBacklog", "MemoryEngine", "MemoryEventLog", "MemoryHistory", "MemoryReplayStore"]


class MemoryEngine:
    """All ports over one pretended disk.

    A crash can be had at any moment: `crash()` drops what is not durable yet and cancels everybody who waits, as the
    death of the process would; the same objects then serve the process that comes after.

    Args:
        is_automatic: writes become durable at the event loop's next turn; otherwise when `flush` is called, so that
            a test decides what a crash finds.
    """

    def __init__(self, *, is_automatic: bool = True, waiting_events: int = 50_000) -> None:
        kept: dict[Position, Event] = {}
        attempts: list[Attempt] = []
        self._log_writes = PendingWrites(is_automatic=is_automatic)
        self._backlog_writes = PendingWrites(is_automatic=is_automatic)
        self.event_log = MemoryEventLog(self._log_writes, kept, waiting_events=waiting_events)
        self.backlog = MemoryBacklog(self._backlog_writes, kept, attempts)
        self.replays = MemoryReplayStore(self._backlog_writes, attempts)
        self.history = MemoryHistory(self.event_log, self.backlog)

    def flush(self, *, log: bool = True, backlog: bool = True) -> None:
        """Make what waits durable. The two files commit apart: either may be ahead at a crash."""
        if log:
            self._log_writes.flush()
        if backlog:
            self._backlog_writes.flush()

    def crash(self) -> None:
        self._log_writes.crash()
        self._backlog_writes.crash()
        self.event_log.crash()
