"""The wall clock as subscriptions expire by it: one that does not follow a jump at once.

          a jump of more than 60 s                     the clock is right again, or an hour is over
    trusted ─────────────────────────▶ doubted ───────────────────────────────────────────────────▶ trusted
                                       │     ▲
                                       └─────┘ another jump: another hour

While it is doubted, time goes on by running time from where it was, so that nobody's subscription ends with its backlog
because somebody set a clock; there is an hour to see the warning and set it right (engine.md, Time). Retention keeps
to the same rule (`engine/retention.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bellwire.ports.clock import Clock

JUMP_SECONDS = 60.0
DOUBTED_SECONDS = 3600.0

_log = structlog.get_logger("bellwire.subscriptions")


class SteadyClock:
    """Implements `ports.clock.Clock`. It is asked at least every few seconds, and each time looks for a jump."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trusted = (clock.now_ms(), clock.monotonic())
        """What both clocks said when they last agreed."""
        self._jump_ms = 0
        """By how much the wall clock is ahead of what is taken for the time; 0 while it is trusted."""
        self._doubted_until = 0.0

    def now(self) -> datetime:
        ahead = timedelta(milliseconds=self._ahead_ms())
        return self._clock.now() - ahead

    def now_ms(self) -> int:
        return self._clock.now_ms() - self._ahead_ms()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def _ahead_ms(self) -> int:
        now_ms, running = self._clock.now_ms(), self._clock.monotonic()
        trusted_ms, trusted_running = self._trusted
        ahead_ms = now_ms - trusted_ms - round((running - trusted_running) * 1000)
        is_jump = abs(ahead_ms) > JUMP_SECONDS * 1000
        if not is_jump or (self._jump_ms and running >= self._doubted_until):
            if self._jump_ms:
                _log.info("subscriptions.expiry_resumed", is_clock_right_again=not is_jump)
            if self._jump_ms or running - trusted_running >= JUMP_SECONDS:
                self._trusted = (now_ms, running)
            self._jump_ms = 0
        elif abs(ahead_ms - self._jump_ms) > JUMP_SECONDS * 1000:
            self._jump_ms = ahead_ms
            self._doubted_until = running + DOUBTED_SECONDS
            _log.warning(
                "subscriptions.expiry_held",
                reason="the wall clock jumped, or the machine slept",
                by_seconds=round(ahead_ms / 1000),
                for_seconds=round(DOUBTED_SECONDS),
            )
        return self._jump_ms
