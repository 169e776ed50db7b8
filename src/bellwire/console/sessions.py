"""Who is signed in at the console.

Sessions are in memory: after a restart operators sign in again. A session remembers the admin key by its hash alone,
and the key is looked up at each use, so that one that is disabled or removed ends its sessions at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bellwire.engine.secrets import hash_secret, new_secret

IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 24 * 3600.0
MOST_SESSIONS = 1000

FAILURES = 10
"""Wrong keys from one address in five minutes after which it has to wait. Keys can't be guessed anyway, but trying
should not be free."""


@dataclass(slots=True)
class ConsoleSession:
    """One browser that is signed in. Times are of a clock that only goes forward."""

    key_hash: bytes
    opened_at: float
    used_at: float


class ConsoleSessions:
    def __init__(self, *, now: Callable[[], float]) -> None:
        """`now`: seconds, never going back."""
        self._now = now
        self._sessions: OrderedDict[bytes, ConsoleSession] = OrderedDict()
        """By the hash of what is in the cookie; the one that was used longest ago first."""

    def open(self, key_hash: bytes) -> str:
        """A new session; returns what the cookie is to hold."""
        token, now = new_secret(), self._now()
        self._sessions[hash_secret(token)] = ConsoleSession(key_hash, now, now)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def find(self, token: str) -> ConsoleSession | None:
        """The session of a cookie, if it goes on; it counts as used."""
        name = hash_secret(token)
        session = self._sessions.get(name)
        if session is None:
            return None
        if not self.goes_on(session):
            del self._sessions[name]
            return None
        session.used_at = self._now()
        self._sessions.move_to_end(name)
        return session

    def goes_on(self, session: ConsoleSession) -> bool:
        """Whether it was not ended, and its time is not up."""
        now = self._now()
        return now - session.used_at < IDLE_SECONDS and now - session.opened_at < LONGEST_SECONDS

    def close(self, token: str) -> None:
        """Sign out; unknown tokens change nothing."""
        session = self._sessions.pop(hash_secret(token), None)
        if session is not None:
            session.used_at = float("-inf")  # pages that are open still hold it
