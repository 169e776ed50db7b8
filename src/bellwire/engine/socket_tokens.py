"""Socket tokens: what a client opens a WebSocket with (wire contract, 5.1).

A token says that it lives for two seconds, so that clients fetch another before each reconnection (over HTTP, where a
server that is away is no disaster to them), and is accepted for sixty, any number of times, as long as the OAuth
session lasts that it was given to. Kept in memory alone: after a restart clients fetch another.
"""

from __future__ import annotations

from collections import OrderedDict

from bellwire.engine.secrets import hash_secret, new_secret
from bellwire.model.identity import Caller
from bellwire.model.ids import SessionId
from bellwire.ports.clock import Clock

ADVERTISED_SECONDS = 2
ACCEPTED_SECONDS = 60
MAX_TOKENS = 100_000
MAX_LENGTH = 128


class SocketTokens:
    """At most `MAX_TOKENS` at a time; the oldest go first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        """By the token's hash: when it ends, and whose it is; in the order of their ends."""

    def issue(self, caller: Caller) -> str:
        """A token of URL-safe characters."""
        now = self._clock.monotonic()
        self._forget_expired(now)
        token = new_secret()
        self._callers[hash_secret(token)] = (now + ACCEPTED_SECONDS, caller)
        if len(self._callers) > MAX_TOKENS:
            self._callers.popitem(last=False)
        return token

    def caller(self, token: str) -> Caller | None:
        """Whose token this is; None when it is unknown or too old."""
        if len(token) > MAX_LENGTH:
            return None
        ends_at, caller = self._callers.get(hash_secret(token), (0.0, None))
        return caller if ends_at > self._clock.monotonic() else None

    def forget(self, session: SessionId) -> None:
        """An OAuth session was ended: its tokens are no good any more."""
        for token_hash in [key for key, (_, caller) in self._callers.items() if caller.session_id == session]:
            del self._callers[token_hash]

    def _forget_expired(self, now: float) -> None:
        while self._callers:
            token_hash, (ends_at, _) = next(iter(self._callers.items()))
            if ends_at > now:
                return
            del self._callers[token_hash]
