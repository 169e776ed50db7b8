"""Answers that need no parsing, since the same bytes were parsed before.

An endpoint answers thousands of notifications with the same few bytes: its `Date` moves on once a second, and the rest
stays. Between two messages a parser is always in the same state, so equal bytes mean the same: what was once parsed as
one whole answer of success, with the connection to be kept, is that whenever it comes again as the whole of what was
read. Anything else, or anything that came in pieces, is the parser's.
"""

from __future__ import annotations

MOST_REMEMBERED = 256
LONGEST_REMEMBERED = 1024
"""Bytes. Longer ones cost more to compare than they save."""


class KnownAnswers:
    """Shared by all connections of a pool: what bytes mean does not depend on who sent them."""

    __slots__ = ("_statuses", "status_of")

    def __init__(self) -> None:
        self._statuses: dict[bytes, int] = {}
        self.status_of = self._statuses.get
        """The status of an answer that is known by heart; None for one that has to be parsed."""

    def remember(self, answer: bytes, status: int) -> None:
        """The bytes were parsed, from the first to the last, as one complete answer of 2xx, and the connection is to
        be kept."""
        if len(answer) > LONGEST_REMEMBERED:
            return
        if len(self._statuses) >= MOST_REMEMBERED:  # those of a second ago, or of an endpoint that never repeats itself
            self._statuses.clear()
        self._statuses[answer] = status
