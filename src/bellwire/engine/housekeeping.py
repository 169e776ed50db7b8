"""What has to be done again and again: each chore with its period, on its own, so that one that fails or is slow holds
no other back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bellwire.errors import BellwireError

_log = structlog.get_logger("bellwire.housekeeping")


@dataclass(frozen=True, slots=True)
class Chore:
    name: str
    every_seconds: float
    do: Callable[[], Awaitable[object]]


class Housekeeping:
    """Runs chores until stopped."""

    def __init__(self, chores: tuple[Chore, ...], *, on_fatal: Callable[[BaseException], None]) -> None:
        self._chores: tuple[Chore, ...] = ()
        self._on_fatal = on_fatal
        self._tasks: list[asyncio.Task[None]] = []
        self._hurry: dict[Chore, asyncio.Event] = {}
        self.add(*chores)

    def add(self, *chores: Chore) -> None:
        """Have these done, too; before the start."""
        self._chores += chores
        self._hurry |= {chore: asyncio.Event() for chore in chores}

    def start(self) -> None:
        for chore in self._chores:
            task = asyncio.create_task(self._repeat(chore), name=f"chore {chore.name}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look_again(self) -> None:
        """The clock was moved ahead: every chore has its turn now, and its next one a period after."""
        for hurry in self._hurry.values():
            hurry.set()

    async def _repeat(self, chore: Chore) -> None:
        hurry = self._hurry[chore]
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chore.every_seconds):
                    await hurry.wait()
            hurry.clear()
            try:
                await chore.do()
            except BellwireError as problem:  # the next round tries again
                _log.warning("chore.failed", chore=chore.name, error=str(problem))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)
