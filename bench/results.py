"""What workloads found out: rows of the budget table (design.md, Budgets), comparisons and curves.

A workload is a program of its own that prints for people, and calls `row`, `comparison` and `curve` beside. Under
`make bench` these go, a line of JSON each, into the file that `BENCH_RESULTS` names; otherwise nowhere.
The name has not Bellwire's prefix, since a server refuses such variables where it does not know them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS_VARIABLE = "BENCH_RESULTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of the budget table. `reference`: of another program in the same run; `ratio`: value to reference."""

    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float | None
    budget: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What another program reaches at the same task in the same run, another case of a row, or what has no budget."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How a cost grows. `points`: (what grows, cost)."""

    name: str
    across: str
    up: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Results:
    rows: list[Row] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Results:
        """What workloads wrote, in order."""
        results = cls()
        for line in path.read_text().splitlines():
            kind, fields = json.loads(line)
            match kind:
                case "Row":
                    results.rows.append(Row(**fields))
                case "Comparison":
                    results.comparisons.append(Comparison(**fields))
                case _:
                    results.curves.append(Curve(**fields))
        return results

    def document(self) -> dict[str, Any]:
        """As in `bench/results.json`."""
        return asdict(self)


def row(
    name: str,
    value: float,
    unit: str,
    *,
    reference: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Tell a figure of the budget table. The budget is of its ratio to the reference where there is one, else of it."""
    ratio = None if reference is None else value / reference
    judged = value if ratio is None else ratio
    if at_least is not None:
        budget, met = f"≥ {at_least:,g}", judged >= at_least
    else:
        assert at_most is not None, "a row has a budget"
        budget, met = f"≤ {at_most:,g}", judged <= at_most
    found = Row(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        ratio=ratio,
        budget=budget if ratio is None else f"{budget} ×",
        met=met,
    )
    _tell(found)
    return found


def comparison(name: str, value: float, unit: str) -> None:
    """Tell a figure that is not part of the budget table."""
    _tell(Comparison(name=name, value=value, unit=unit))


def curve(name: str, across: str, up: str, points: Sequence[tuple[float, float]]) -> None:
    """Tell how a cost grows; not part of the budget table."""
    _tell(Curve(name=name, across=across, up=up, points=points))


def _tell(found: Row | Comparison | Curve) -> None:
    path = os.environ.get(RESULTS_VARIABLE)
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps([type(found).__name__, asdict(found)]) + "\n")
