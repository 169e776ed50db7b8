"""Whether healthy endpoints notice broken ones: from publishing to receipt, in quiet stretches and in troubled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torture.ledger import Ledger, Promised
from torture.plan import Stretch

BEYOND_NOISE = 10.0
NOISE_SECONDS = 2.0
"""A verdict only where the percentile is that many times the quiet one, and that much more: machines are shared, and
who waits for a broken endpoint waits for three seconds."""
LATEST_SECONDS = 0.5
"""What is published so shortly before a stretch ends is received in the next."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """99th percentiles in seconds, None where nothing was measured, and of how many receipts."""

    quiet: float | None
    troubled: float | None
    quiet_receipts: int
    troubled_receipts: int

    @property
    def ratio(self) -> float | None:
        return None if not self.quiet or self.troubled is None else self.troubled / self.quiet

    @property
    def is_broken(self) -> bool:
        if self.quiet is None or self.troubled is None:
            return False
        return self.troubled > BEYOND_NOISE * self.quiet + NOISE_SECONDS


def measured(
    ledger: Ledger,
    healthy: Sequence[Promised],
    began: float,
    *,
    quiet: Sequence[Stretch],
    troubled: Sequence[Stretch],
    disturbed: Sequence[Stretch],
) -> Isolation:
    """Args:
    began: the event loop's time at which stretches count from.
    disturbed: when the server suffered itself; what was published then does not count.
    """
    took: dict[str, list[float]] = {"quiet": [], "troubled": []}
    for each in healthy:
        seen: set[str] = set()
        for receipt in each.witness.receipts:
            if receipt.uuid in seen or receipt.uuid not in ledger.entries:
                continue
            seen.add(receipt.uuid)
            sent = ledger.entries[receipt.uuid].sent_at - began
            if any(stretch.from_ <= sent <= stretch.until for stretch in disturbed):
                continue
            for kind, stretches in (("quiet", quiet), ("troubled", troubled)):
                if any(stretch.from_ <= sent <= stretch.until - LATEST_SECONDS for stretch in stretches):
                    took[kind].append(receipt.at - began - sent)
    return Isolation(
        percentile(took["quiet"], 0.99),
        percentile(took["troubled"], 0.99),
        len(took["quiet"]),
        len(took["troubled"]),
    )


def percentile(values: Sequence[float], part: float) -> float | None:
    return sorted(values)[int(len(values) * part)] if values else None
