"""For which lanes the router waits.

Without waiting, a publisher quicker than the deliveries would send every healthy subscription by way of the disk. A
lane that stays half full for longer than `patience` is not waited for again until it was nearly empty, so a slow
endpoint holds the others up once, for that long; one that takes nothing at all is not waited for.

The patience is with endpoints. While this process has more to do than its processor can, lanes are full because of
that, not because of their endpoints, and waiting costs nobody anything: such time counts only up to `patience_at_most`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.engine.line import Line
from bellwire.ports.clock import Clock


@dataclass(slots=True)
class _Pressed:
    """Since when and until when a line is waited for: by the clock, and in time without work."""

    since: float
    until: float
    left: float
    """Of the patience, when it was pressed."""
    until_idle: float | None = None
    """None until the router begins to wait: how long the loop was idle is not asked for each line alone."""


class Patience:
    def __init__(self, clock: Clock, limits: DeliveryLimits, idle_seconds: Callable[[], float] | None = None) -> None:
        """`idle_seconds`: how long the event loop had nothing to do, since some moment; None: it always has nothing."""
        self.high_water = max(1, limits.lane.waiting // 2)
        """A lane with so many waiting is worth waiting for."""
        self.low_water = limits.lane.waiting // 4
        """A lane with no more than so many waiting is relieved."""
        self._clock = clock
        self._idle_seconds = idle_seconds or clock.monotonic
        self._patience = limits.patience
        self._at_most = limits.patience_at_most
        self._again_after = limits.patience_again_after
        self._again_at = 0.0
        self._pressed: dict[Line, _Pressed] = {}
        self._relieved = asyncio.Event()

    def press(self, line: Line) -> None:
        """The line is half full: let the router wait for it, if its endpoint still takes something."""
        if line.is_slow or line in self._pressed:
            return
        now = self._clock.monotonic()
        left = min(now, line.lane.progress_at) + self._patience - now
        if left > 0 and now >= self._again_at:
            self._pressed[line] = _Pressed(now, now + self._at_most, left)

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
            now, idle = self._clock.monotonic(), self._idle_seconds()
            pause = self._at_most
            for line, pressed in list(self._pressed.items()):
                if pressed.until_idle is None:
                    pressed.until_idle = idle + pressed.left
                if pressed.until <= now or pressed.until_idle <= idle:
                    line.is_slow = True
                    del self._pressed[line]
                    # What was waited in vain is a fixed share of the router's time.
                    again_after = self._again_after * max(1.0, (now - pressed.since) / self._patience)
                    self._again_at = max(self._again_at, now + again_after)
                else:
                    pause = min(pause, pressed.until - now, pressed.until_idle - idle)
            if not self._pressed:
                return
            self._relieved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._relieved.wait()
