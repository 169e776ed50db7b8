"""How fast submit_sm may go out: an agreed throughput, and pauses that the peer asks for.

ESME_RTHROTTLED and ESME_RMSGQFUL say "too fast" or "not now" without a time. So the pause doubles from one second to
half a minute with each such answer to something that was sent after the last pause; answers to what was under way
already don't count again. The first acceptance after a pause ends the doubling.
"""

from __future__ import annotations

_SMOOTHED_SECONDS = 0.05
"""What was left unused of this time may be caught up at once: timers are not exact to a millisecond."""


class Pace:
    """A value of one session's times; `now` is running time in seconds."""

    def __init__(self, per_second: float | None, *, first_pause: float = 1.0, longest_pause: float = 30.0) -> None:
        """Args:
        per_second: submit_sm a second that were agreed; None: no limit.
        """
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        self._slack = max(0.0, _SMOOTHED_SECONDS - self._interval)
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._next_at = 0.0
        self._paused_until = 0.0
        self._pauses = 0

    def may_send_at(self, now: float) -> float:
        """The earliest time of the next one; `now` or before: at once."""
        return max(self._paused_until, self._next_at - self._slack if self._interval else now)

    def sent(self, now: float) -> None:
        self._next_at = max(self._next_at, now) + self._interval

    def pause_left(self, now: float) -> float:
        """Seconds for which the peer is to be left alone; 0: it is not."""
        return max(0.0, self._paused_until - now)

    def refused(self, now: float, jitter: float) -> float:
        """The peer said "not now".

        Args:
            jitter: 0 to 1, uniform.

        Returns:
            seconds until it may be asked again.
        """
        if now >= self._paused_until:
            whole = min(self._longest_pause, self._first_pause * 2.0 ** min(self._pauses, 30))
            self._pauses += 1
            self._paused_until = now + whole * (0.5 + 0.5 * jitter)
        return self._paused_until - now

    def accepted(self, now: float) -> None:
        if now >= self._paused_until:
            self._pauses = 0
