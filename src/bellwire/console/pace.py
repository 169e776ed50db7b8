"""How much comes a second, over the last visits of somebody who comes now and then."""

from __future__ import annotations

from collections import defaultdict, deque


class Pace:
    """Averages over the last visits, by the time that really passed: a busy server comes late."""

    def __init__(self, visits: int) -> None:
        """`visits`: over how many of them rates are averaged."""
        self._seconds: deque[float] = deque(maxlen=visits)
        self._counted: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=visits))

    def visit(self, seconds: float, **counted: float) -> None:
        """What came in the seconds since the last time, by name; name the same ones each time."""
        self._seconds.append(seconds)
        for name, number in counted.items():
            self._counted[name].append(number)

    def a_second(self, name: str) -> float:
        counted = self._counted[name]
        seconds = sum(list(self._seconds)[len(self._seconds) - len(counted) :])
        return sum(counted) / seconds if seconds > 0 else 0.0

    def forget(self, *names: str) -> None:
        """Begin anew with these."""
        for name in names:
            self._counted[name].clear()
