"""For which lanes the router waits.

Without waiting, a publisher quicker than the deliveries would send every healthy subscription by way of the disk. A
lane that stays half full for longer than `patience` is not waited for again until it was nearly empty, so a slow
endpoint holds the others up once, for that long; one that takes nothing at all is not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib

from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.line import Line
from bellwire.ports.clock import Clock


class Patience:
    def __init__(self, clock: Clock, limits: DeliveryLimits) -> None:
        self.high_water = max(1, limits.lane.waiting // 2)
        """A lane with so many waiting is worth waiting for."""
        self.low_water = limits.lane.waiting // 4
        """A lane with no more than so many waiting is relieved."""
        self._clock = clock
        self._patience = limits.patience
        self._again_after = limits.patience_again_after
        self._again_at = 0.0
        self._pressed: dict[Line, float] = {}
        self._relieved = asyncio.Event()

    def press(self, line: Line) -> None:
        """The line is half full: let the router wait for it, if its endpoint still takes something."""
        if line.is_slow or line in self._pressed:
            return
        now = self._clock.monotonic()
        until = min(now, line.lane.progress_at) + self._patience
        if until > now >= self._again_at:
            self._pressed[line] = until

    def is_pressed(self, line: Line) -> bool:
        """Whether `relieve` would change anything."""
        return line.is_slow or line in self._pressed

    def relieve(self, line: Line) -> None:
        """The line is nearly empty, or no more."""
        line.is_slow = False
        if self._pressed.pop(line, None) is not None and not self._pressed:
            self._relieved.set()

    async def wait(self) -> None:
        """Wait for all that are pressed, each for as long as the patience lasts."""
        while self._pressed:
            now = self._clock.monotonic()
            for line, until in list(self._pressed.items()):
                if until <= now:
                    line.is_slow = True
                    del self._pressed[line]
                    self._again_at = now + self._again_after
            if not self._pressed:
                return
            self._relieved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._pressed.values()) - now):
                    await self._relieved.wait()
