"""`make bench`: every workload once, and every row of the budget table (design.md, Budgets). Under ten minutes.

Figures are ratios within one run where another program sets the measure; machines differ. What was found goes to the
terminal as a table, to `bench/results.json`, and, how costs grow, into the pictures of docs/performance.md. A budget
that is missed is said in its row; the exit status is 1 only where something could not be measured.

    python -m bench [workload ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.table import Table

from bench.peers import PACKAGES, missing_tools
from bench.plots import draw
from bench.results import RESULTS_VARIABLE, Results

RESULTS = Path("bench/results.json")
PICTURES = Path("docs/pictures")

WORKLOADS: dict[str, list[str]] = {
    "match": ["--million"],
    "log": [],
    "sender": [],
    "end_to_end": ["--rounds", "3", "--events", "30000", "--latency"],
    "usual_way": [],
    "growth": [],
    "start": [],
    "plugin_start": [],
    "fan_out": [],
    "sessions": [],
    "sms": ["--messages", "5000"],
}
"""Module of this folder, and its arguments."""


def main() -> int:
    if missing := missing_tools(*(() if sys.argv[1:] else PACKAGES)):
        packages = " ".join(PACKAGES[tool] for tool in missing)
        print(f"{', '.join(missing)} not installed; on Debian and Ubuntu: apt-get install {packages}", file=sys.stderr)
        return 1
    wanted = sys.argv[1:] or list(WORKLOADS)
    began = time.monotonic()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as name:
        told = Path(name) / "results"
        told.touch()
        environment = {**os.environ, RESULTS_VARIABLE: str(told)}
        for workload in wanted:
            print(f"\n── {workload} " + "─" * (60 - len(workload)), flush=True)
            command = [sys.executable, "-m", f"bench.{workload}", *WORKLOADS.get(workload, [])]
            if subprocess.run(command, check=False, env=environment).returncode:
                failed.append(workload)
        results = Results.read(told)
    if wanted == list(WORKLOADS):
        RESULTS.write_text(json.dumps(results.document(), indent=2, ensure_ascii=False) + "\n")
        for curve in results.curves:
            draw(curve, PICTURES)
    show(results)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def show(results: Results) -> None:
    """The budget table, and what stands beside it."""
    table = Table(title="Budgets")
    for column in ("figure", "value", "unit", "reference", "ratio", "budget", ""):
        justify: JustifyMethod = "left" if column in {"figure", "unit", ""} else "right"
        table.add_column(column, justify=justify, overflow="fold")
    for row in results.rows:
        table.add_row(
            row.name,
            _figure(row.value),
            row.unit,
            "" if row.reference is None else _figure(row.reference),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.budget,
            "[green]met[/]" if row.met else "[red]missed[/]",
        )
    console = Console()
    if not console.is_terminal:
        console.width = 140
    console.print(table)
    for comparison in results.comparisons:
        console.print(f"{comparison.name}: {comparison.value:,.4g} {comparison.unit}")


def _figure(value: float) -> str:
    return f"{value:,.6g}" if value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
