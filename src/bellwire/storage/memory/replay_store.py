"""The `ReplayStore` port in memory."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.model.attempt import Attempt
from bellwire.model.ids import ReplayId
from bellwire.model.replay import Replay
from bellwire.storage.memory.pending_writes import PendingWrites


class MemoryReplayStore:
    """`attempts` is shared with the backlog: one history for both."""

    def __init__(self, writes: PendingWrites, attempts: list[Attempt]) -> None:
        self._writes = writes
        self._attempts = attempts
        self._replays: dict[ReplayId, Replay] = {}

    async def all(self) -> list[Replay]:
        return sorted(self._replays.values(), key=lambda replay: (replay.created_ms, replay.id))

    async def save(self, replay: Replay, attempts: Sequence[Attempt] = ()) -> None:
        def write() -> None:
            self._replays[replay.id] = replay
            self._attempts.extend(attempts)

        await self._writes.durable(write)

    async def forget(self, replays: Sequence[ReplayId]) -> None:
        def write() -> None:
            for replay in replays:
                self._replays.pop(replay, None)

        await self._writes.durable(write)
