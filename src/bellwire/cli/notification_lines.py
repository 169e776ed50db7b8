"""How `bellwire dev` shows notifications: one line each, and under load a sample with a count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bellwire.families import REGISTRY
from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.event import Event

BUILT_IN_RECEIVER_PATH = "/bellwire-dev"
LINES_A_SECOND = 20
MAX_TEXT = 60

_WORDS = (
    "eventType",
    "action",
    "direction",
    "status",
    "runtimeStatus",
    "registrationStatus",
    "messageStatus",
    "telephonyStatus",
    "presenceStatus",
    "dndStatus",
)
_TEXTS = ("text", "subject", "title", "name")


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


def what_happened(body: Mapping[str, Any]) -> str:
    """The telling fields of a body of any family."""
    parts: list[str] = []
    inner = body
    for nested in ("parties", "contacts"):
        listed = body.get(nested)
        if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
            inner = {**body, **listed[0]}
    for word in _WORDS:
        value = inner.get(word)
        if isinstance(value, Mapping):
            value = value.get("code")
        if isinstance(value, str) and value:
            parts.append(value)
    if inner.get("missedCall") is True:
        parts.append("missed")
    for claim in ("acceptCalls", "active"):
        if isinstance(inner.get(claim), bool):
            parts.append(f"{claim}={str(inner[claim]).lower()}")
    sender, recipient = _who(inner.get("from")), _who(inner.get("to"))
    if sender and recipient:
        parts.append(f"{sender} → {recipient}")
    elif sender or recipient:
        parts.append(f"from {sender}" if sender else f"to {recipient}")
    parts += [f"{count['type']} +{count['newCount']}" for count in _changes(inner)]
    for text in _TEXTS:
        said = inner.get(text)
        if isinstance(said, str) and said:
            said = " ".join(said.split())
            parts.append(f"“{said[:MAX_TEXT]}{'…' if len(said) > MAX_TEXT else ''}”")
            break
    return " ".join(parts)


def _changes(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    changes = body.get("changes")
    if not isinstance(changes, list):
        return []
    return [change for change in changes if isinstance(change, Mapping) and change.keys() >= {"type", "newCount"}]


def _who(party: object) -> str:
    if isinstance(party, list):
        party = party[0] if party else ""
    if isinstance(party, Mapping):
        party = party.get("name") or party.get("phoneNumber") or party.get("extensionNumber") or ""
    return str(party) if party else ""


class Sample:
    """Lets so many lines a second through and counts the rest, which is said with the first line after."""

    def __init__(self, write: Callable[[str], None], *, lines_a_second: int = LINES_A_SECOND) -> None:
        self._write = write
        self._limit = lines_a_second
        self._second = 0
        self._written = 0
        self._left_out = 0

    def add(self, make_line: Callable[[], str], now_seconds: float) -> None:
        """One more; its line is only made when it is written."""
        if int(now_seconds) != self._second:
            self.flush()
            self._second, self._written = int(now_seconds), 0
        if self._written < self._limit:
            self._written += 1
            self._write(make_line())
        else:
            self._left_out += 1

    def flush(self) -> None:
        """Say how many were left out since it was said last."""
        if self._left_out:
            self._write(f"          … and {self._left_out} more in that second")
            self._left_out = 0
