"""The clock of a running server: the system's, and, in development, ahead of it by as much as was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MAX_ADVANCE = timedelta(days=3660)


class SystemClock:
    """Implements `ports.clock.Clock`.

    `advance` moves both times forward, so that what is due by either (expiry by the wall clock, blacklisting by
    running time) becomes due together, as if the server had been up all the while. Timers of the event loop know
    nothing of it: whoever waits by one for a time of this clock listens, and looks again.
    """

    def __init__(self) -> None:
        self._ahead_ms = 0
        self._ahead_seconds = 0.0
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        ahead = timedelta(milliseconds=self._ahead_ms)
        return datetime.now(UTC) + ahead

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_seconds

    @property
    def ahead_seconds(self) -> float:
        """By how much it was advanced, in all."""
        return self._ahead_seconds

    def advance(self, by: timedelta) -> None:
        """Jump ahead, for development and tests. Never back: `by` is positive.

        Raises:
            ValueError: not positive, or more than ten years in all, after which dates would run out of their range.
        """
        ahead_ms = self._ahead_ms + by // timedelta(milliseconds=1)
        if by <= timedelta(0) or timedelta(milliseconds=ahead_ms) > MAX_ADVANCE:
            raise ValueError(f"a clock is advanced by more than 0 and, in all, by at most {MAX_ADVANCE.days} days")
        self._ahead_ms = ahead_ms
        self._ahead_seconds = ahead_ms / 1000
        for listener in self._listeners:
            listener()

    def rewind(self) -> None:
        """Back to the machine's time. Only while nobody keeps a time of this clock: between two engines."""
        self._ahead_ms = 0
        self._ahead_seconds = 0.0

    def forget_listeners(self) -> None:
        """Those who listen are gone."""
        self._listeners.clear()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Have it called after each advance, from whoever advanced: from the event loop."""
        self._listeners.append(listener)
