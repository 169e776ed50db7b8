"""`make bench`: every workload once, each with its budget (design.md, Budgets). Takes about three minutes.

Figures are ratios within one run where another program sets the measure; machines differ. For the end-to-end and sender
workloads nginx and wrk have to be installed.
"""

from __future__ import annotations

import subprocess
import sys

WORKLOADS: tuple[tuple[str, list[str]], ...] = (
    ("match", []),
    ("filter_memory", []),
    ("log", []),
    ("sender", []),
    ("end_to_end", ["--latency"]),
    ("fan_out", []),
    ("sessions", []),
    ("sms", []),
)


def main() -> int:
    worst = 0
    for name, arguments in WORKLOADS:
        print(f"\n── {name} " + "─" * (60 - len(name)), flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
