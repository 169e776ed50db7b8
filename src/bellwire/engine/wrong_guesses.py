"""How many wrong secrets may come from one address before it has to wait. Pure: time comes in.

There is deliberately no limit for all addresses together: whoever has many could lock everybody out by it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

SECONDS = 300.0
_MOST_ADDRESSES = 10_000


class WrongGuesses:
    def __init__(self, now: Callable[[], float], *, most: int = 30) -> None:
        """
        Args:
            now: seconds, never going back.
            most: wrong guesses from one address in `SECONDS`.
        """
        self._now = now
        self._most = most
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        """When its guesses were; the address that guessed longest ago first."""

    def wait_seconds(self, address: str) -> int:
        """How long this address has to wait before its next guess; 0 is not at all."""
        guesses = self._by_address.get(address)
        if guesses is None:
            return 0
        now = self._now()
        while guesses and guesses[0] <= now - SECONDS:
            guesses.popleft()
        return 0 if len(guesses) < self._most else int(guesses[0] + SECONDS - now) + 1

    def count(self, address: str) -> None:
        """A guess was wrong, or is about to be tried and taken for wrong until then."""
        self._by_address.setdefault(address, deque(maxlen=self._most)).append(self._now())
        self._by_address.move_to_end(address)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def take_back(self, address: str) -> None:
        """A guess that was counted was right. The others stand: a guesser may well have a login of their own."""
        if guesses := self._by_address.get(address):
            guesses.pop()

    def forget(self, address: str) -> None:
        """All of this address."""
        self._by_address.pop(address, None)
