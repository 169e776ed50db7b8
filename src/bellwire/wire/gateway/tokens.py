"""Recovery tokens, `wsc`: which session, and how far its client has read (wire contract, 5.8).

    <session key>.<sequence>.<log position>.<ordinal>

Clients paste them into a URL unescaped, so they are of `A-Za-z0-9-_.` alone. `sequence` counts what had a token within
the session; position and ordinal say the same in terms of the event log (the ordinal tells notifications of one event
apart), so that a session can be recovered by a process that has never seen it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KEY_PATTERN = r"[A-Za-z0-9_-]{16,43}"
_TOKEN = re.compile(rf"({KEY_PATTERN})\.([0-9]{{1,15}})\.([0-9]{{1,18}})\.([0-9]{{1,6}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class RecoveryToken:
    """`position` 0: nothing of the subscription was read yet."""

    session: str
    sequence: int
    position: int
    ordinal: int

    def __str__(self) -> str:
        return f"{self.session}.{self.sequence}.{self.position}.{self.ordinal}"


def parse_recovery_token(text: str) -> RecoveryToken | None:
    """The token; None for what is none."""
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    key, sequence, position, ordinal = parts.groups()
    return RecoveryToken(key, int(sequence), int(position), int(ordinal))
