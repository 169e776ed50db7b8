"""An event loop without clock, sockets and threads: the same program runs the same way every time.

Time moves only when nothing can run, straight to the next timer; and one step runs one callback, so that a simulated
process can be killed between any two of them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from typing import Any


class Deadlock(Exception):
    """Nothing can run, and no timer will change that."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`steps_left`: the loop stops by itself after so many callbacks; None: never."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, now: float) -> None:
        super().__init__()
        self.steps_left: int | None = None
        self._time = now

    def time(self) -> float:
        return self._time

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while not ready:
            if not scheduled:
                raise Deadlock
            timer = heapq.heappop(scheduled)
            if not timer.cancelled():
                self._time = max(self._time, timer.when())
                ready.append(timer)
        handle = ready.popleft()
        if not handle.cancelled():
            handle._run()
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.stop()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""
