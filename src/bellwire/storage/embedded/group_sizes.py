"""How many events the log's commits had: counted by the writer thread, read by whoever wants to know."""

from __future__ import annotations

BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class GroupSizes:
    """Plain counts; a reader in another thread may see a commit's count before its sum, which nobody minds."""

    __slots__ = ("_counts", "events")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.events = 0

    def add(self, events: int) -> None:
        place = 0
        while place < len(BOUNDS) and events > BOUNDS[place]:
            place += 1
        self._counts[place] += 1
        self.events += events

    def buckets(self) -> list[tuple[str, float]]:
        """Commits of at most so many events, cumulative; the last bound is `+Inf`."""
        cumulated, total = [], 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._counts, strict=True):
            total += count
            cumulated.append((bound, float(total)))
        return cumulated
