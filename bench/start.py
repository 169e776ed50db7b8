"""Starting a real `bellwire dev` process over very many stored subscriptions: until it is ready, and its memory.

The subscriptions (filter_memory.py's workload) are written straight into the records' database of a data directory that
the server made. Then the server is started on it as a user would. Two figures, each against a start of the same
directory before there were any:

- *processor time* of the process, all its threads, from its first instruction until it says that it is ready. On a core
  of its own it is what the clock shows; on a machine with other work, which the clock shows too, it is not.
- *memory*: the resident memory of the process when it is ready, less what one without subscriptions holds then, for
  each filter. All counts: index, registry, records, expiries, what the database driver and the allocator keep.

One filter a subscription is the dearest case, and the one of the budgets (design.md) with 1,000,000 filters: at most
60 s, at most 1.2 KiB a filter. Ten a subscription are told beside.

    python -m bench.start [--filters 1000000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.end_to_end import bellwire
from bench.filter_memory import a_subscription
from bench.processes import cpu_seconds, resident_mib
from bench.results import comparison, row
from bench.stored import multiply, store

BUDGET_SECONDS = 60.0
BUDGET_KIB = 1.2


@dataclass(frozen=True, slots=True)
class Start:
    """`seconds`: by the clock."""

    seconds: float
    cpu_seconds: float
    mib: float


def started(data: str, *, within: float) -> Start:
    """A start on a data directory."""
    begun = time.perf_counter()
    with bellwire(data=data, within=within) as server:
        pid = server.process.pid
        return Start(time.perf_counter() - begun, cpu_seconds(pid), resident_mib(pid))


def measured(per_subscription: int, count: int, fill: Callable[[Path], None]) -> tuple[Start, float]:
    """A start over `count` filters, and the KiB that each takes."""
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as data:
        empty = started(data, within=60)
        begun = time.perf_counter()
        fill(Path(data))
        filled = time.perf_counter() - begun
        start = started(data, within=300)
    kib = (start.mib - empty.mib) * 1024 / count
    print(
        f"{count:,} filters, {per_subscription} a subscription (stored in {filled:.0f} s)\n"
        f"  ready after {start.cpu_seconds:.1f} s of processor time, {start.seconds:.1f} s by the clock "
        f"({empty.cpu_seconds:.1f} s and {empty.seconds:.1f} s with none)\n"
        f"  {start.mib:,.0f} MiB ({empty.mib:,.0f} with none): {kib:.2f} KiB a filter",
        flush=True,
    )
    return start, kib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=1_000_000)
    count = parser.parse_args().filters
    start, kib = measured(1, count, lambda data: multiply(data, count))
    row(f"memory with {count:,} filters, one a subscription", round(kib, 3), "KiB a filter", at_most=BUDGET_KIB)
    row(
        f"start with {count:,} subscriptions",
        round(start.cpu_seconds, 1),
        "s of processor time",
        at_most=BUDGET_SECONDS,
    )
    _, kib = measured(
        10, count, lambda data: store(data, (a_subscription(number, 10) for number in range(count // 10)))
    )
    comparison(f"memory with {count:,} filters, ten a subscription", round(kib, 3), "KiB a filter")


if __name__ == "__main__":
    main()
