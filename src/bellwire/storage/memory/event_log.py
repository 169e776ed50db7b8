"""The `EventLog` port in memory: a whole implementation, for tests and for simulated crashes."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from bellwire.errors import Overloaded
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId, Partition, Position
from bellwire.ports.event_log import Appended, Duplicate
from bellwire.storage.memory.pending_writes import PendingWrites

_position = attrgetter("position")


def require_only(partition: Partition) -> None:
    if partition != EMBEDDED_PARTITION:
        raise ValueError(f"the memory engine has partition {EMBEDDED_PARTITION}, not {partition}")


class MemoryEventLog:
    """`kept` is shared with the backlog, which copies events there before they are trimmed."""

    def __init__(self, writes: PendingWrites, kept: dict[Position, Event], *, waiting_events: int) -> None:
        self._writes = writes
        self._kept = kept
        self._most_waiting = waiting_events
        self._waiting = 0
        self.events: list[LoggedEvent] = []
        """What is durable and not trimmed, in order."""
        self._positions: dict[tuple[AccountId, str], Position] = {}
        self._head = LOG_START
        self._readers: list[asyncio.Future[None]] = []

    async def append(self, partition: Partition, events: Sequence[Event]) -> list[Appended | Duplicate]:
        require_only(partition)
        if not events:
            return []
        if self._waiting and self._waiting + len(events) > self._most_waiting:
            raise Overloaded(f"{self._waiting} events wait for the disk already", retry_after_seconds=1)
        self._waiting += len(events)

        def write() -> list[Appended | Duplicate]:
            self._waiting -= len(events)
            answers = [self._log(event) for event in events]
            self._wake_readers()
            return answers

        return await self._writes.durable(write)

    async def read(self, partition: Partition, after: Position, max_bytes: int) -> list[LoggedEvent]:
        require_only(partition)
        while True:
            found: list[LoggedEvent] = []
            size = 0
            for logged in self.events[bisect_right(self.events, after, key=_position) :]:
                size += len(logged.event.body)
                if found and size > max_bytes:
                    break
                found.append(logged)
            if found:
                return found
            arrived = asyncio.get_running_loop().create_future()
            self._readers.append(arrived)
            await arrived

    async def get(self, partition: Partition, positions: Sequence[Position]) -> dict[Position, Event]:
        require_only(partition)
        found: dict[Position, Event] = {}
        for position in positions:
            index = bisect_left(self.events, position, key=_position)
            if index < len(self.events) and self.events[index].position == position:
                found[position] = self.events[index].event
            elif position in self._kept:
                found[position] = self._kept[position]
        return found

    def head(self, partition: Partition) -> Position:
        require_only(partition)
        return self._head

    async def trim(self, partition: Partition, before: Position, max_events: int) -> int:
        require_only(partition)

        def write() -> int:
            count = min(max(max_events, 0), bisect_left(self.events, before, key=_position))
            for logged in self.events[:count]:
                if logged.event.chosen:
                    del self._positions[logged.event.account, logged.event.uuid]
            del self.events[:count]
            return count

        return await self._writes.durable(write)

    async def raise_head(self, position: Position) -> None:
        """Make sure that no later event gets this position or a lower one."""
        self._head = max(self._head, position)

    def crash(self) -> None:
        """Readers and appends that wait are cancelled; events lose what only memory had of them."""
        self._waiting = 0
        for reader in self._readers:
            reader.cancel()
        self._readers.clear()
        self.events = [
            LoggedEvent(logged.position, msgspec.structs.replace(logged.event, facts=None)) for logged in self.events
        ]

    def _log(self, event: Event) -> Appended | Duplicate:
        identity = (event.account, event.uuid)
        if event.chosen:
            original = self._positions.get(identity)
            if original is not None:
                return Duplicate(original)
        self._head = Position(self._head + 1)
        if event.chosen:
            self._positions[identity] = self._head
        self.events.append(LoggedEvent(self._head, event))
        return Appended(self._head)

    def _wake_readers(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)
