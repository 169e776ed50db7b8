"""Starting a real `bellwire dev` process over very many stored subscriptions: until it is ready, and its memory.

The subscriptions, of one filter each (filter_memory.py's workload), are written straight into the records' database
of a data directory that the server made. Memory is what the process holds once it is ready, less what one holds that
has none, for each filter. Budgets (design.md), with 1,000,000 filters: at most 60 s, at most 1.2 KiB a filter.

    python -m bench.start [--filters 1000000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.end_to_end import bellwire
from bench.results import row
from bench.stored import multiply

BUDGET_SECONDS = 60.0
BUDGET_KIB = 1.2


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / (1 << 20)


def started(data: str, *, within: float) -> tuple[float, float]:
    """Seconds until ready, and MiB then."""
    begun = time.perf_counter()
    with bellwire(data=data, within=within) as server:
        return time.perf_counter() - begun, resident_mib(server.process.pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=1_000_000)
    options = parser.parse_args()
    count = options.filters
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as data:
        empty_seconds, empty_mib = started(data, within=60)
        begun = time.perf_counter()
        multiply(Path(data), count)
        print(f"stored {options.filters:,} filters in {time.perf_counter() - begun:.0f} s", flush=True)
        seconds, mib = started(data, within=300)
    kib = (mib - empty_mib) * 1024 / options.filters
    print(
        f"ready after {seconds:.1f} s ({empty_seconds:.1f} s with none)   {mib:,.0f} MiB ({empty_mib:,.0f} with none)"
    )
    print(f"{kib:.2f} KiB a filter")
    row(f"memory with {options.filters:,} filters", round(kib, 3), "KiB a filter", at_most=BUDGET_KIB)
    row(f"start with {count:,} subscriptions", round(seconds, 1), "s", at_most=BUDGET_SECONDS)


if __name__ == "__main__":
    main()
