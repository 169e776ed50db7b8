"""How `bellwire dev` shows notifications: one line each, and under load a sample with a count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from bellwire.families import REGISTRY
from bellwire.families.what_happened import what_happened
from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.event import Event

BUILT_IN_RECEIVER_PATH = "/bellwire-dev"
LINES_A_SECOND = 20


def line_for(attempt: Attempt, event: Event | None, clock_time: str, *, to: str) -> str:
    """Time, family, topic, and what happened in a few words; of a failed attempt also why, and what comes next.

    `to` says where it went; empty where that goes without saying.
    """
    match = REGISTRY.match(attempt.topic)
    family = match.family.name if match is not None else "unknown"
    line = f"{clock_time}  {family:<21} {attempt.topic}  {_said(event)}".rstrip()
    if to:
        line += f"  → {to}"
    if attempt.outcome is AttemptOutcome.FAILED:
        line += f"  NOT DELIVERED (try {attempt.number}): {attempt.detail}"
    elif attempt.outcome is AttemptOutcome.GIVEN_UP:
        line += f"  GIVEN UP after {attempt.number} tries: {attempt.detail}"
    return line


def _said(event: Event | None) -> str:
    if event is None:
        return ""
    body = msgspec.json.decode(event.body)
    return what_happened(body) if isinstance(body, Mapping) else ""


class Sample:
    """Lets so many lines a second through and counts the rest, which is said with the first line after."""

    def __init__(self, write: Callable[[str], None], *, lines_a_second: int = LINES_A_SECOND) -> None:
        self._write = write
        self._limit = lines_a_second
        self._second = 0
        self._written = 0
        self._left_out = 0

    def takes(self, now_seconds: float) -> bool:
        """One more: whether its line is to be made, for `write`, or is one of those that are counted."""
        second = int(now_seconds)
        if second != self._second:
            self.flush()
            self._second, self._written = second, 0
        if self._written >= self._limit:
            self._left_out += 1
            return False
        self._written += 1
        return True

    def write(self, line: str) -> None:
        self._write(line)

    def flush(self) -> None:
        """Say how many were left out since it was said last."""
        if self._left_out:
            self._write(f"          … and {self._left_out} more in that second")
            self._left_out = 0
