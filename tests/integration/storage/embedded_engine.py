"""The embedded engine on a directory of its own, to be restarted at will."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bellwire.model.ids import Position
from bellwire.ports.clock import Clock
from bellwire.storage.embedded import EngineFiles, EngineLimits, open_engine_files
from bellwire.storage.embedded.backlog import EmbeddedBacklog
from bellwire.storage.embedded.event_log import EmbeddedEventLog
from bellwire.storage.embedded.history import EmbeddedHistory, EmbeddedReplayStore
from bellwire.storage.embedded.retention import EmbeddedRetention

SMALL = EngineLimits(minimum_free_bytes=0, ballast_bytes=0)
"""The product's limits, but for the room that the test machine must have."""


class SystemClock:
    """The machine's own time, for what waits on real disks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def plenty(_: Path) -> int:
    return 1 << 40


@dataclass(slots=True)
class EmbeddedEngine:
    directory: Path
    limits: EngineLimits = SMALL
    clock: Clock = field(default_factory=SystemClock)
    free_bytes: Callable[[Path], int] = plenty
    failures: list[BaseException] = field(default_factory=list)
    _files: EngineFiles | None = None

    async def open(self) -> EmbeddedEngine:
        self._files = await open_engine_files(
            self.directory,
            clock=self.clock,
            on_fatal=self.failures.append,
            limits=self.limits,
            free_bytes=self.free_bytes,
        )
        return self

    @property
    def files(self) -> EngineFiles:
        assert self._files is not None
        return self._files

    @property
    def event_log(self) -> EmbeddedEventLog:
        return self.files.event_log

    @property
    def backlog(self) -> EmbeddedBacklog:
        return self.files.backlog

    @property
    def history(self) -> EmbeddedHistory:
        return self.files.history

    @property
    def replays(self) -> EmbeddedReplayStore:
        return self.files.replays

    @property
    def retention(self) -> EmbeddedRetention:
        return self.files.retention

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def raise_head(self, position: Position) -> None:
        await self.event_log.raise_head(position)

    async def close(self) -> None:
        await self.files.close()
