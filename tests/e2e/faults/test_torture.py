"""`make torture`, a short one: it ends, has dealt blows, tells its figures, and finds every promise kept.

That its checker finds what is broken is shown by tests/unit/torture/test_checker.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import clean_environment

SEED = "358"
"""Its plan begins with a torn log, a freeze, a full disk and a SIGTERM."""


@pytest.mark.timeout(400)
def test_twenty_seconds_of_torture_break_no_promise(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torture", "--seconds", "20", "--seed", SEED, "--keep", str(tmp_path)],
        cwd=Path(__file__).parents[3],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert said.startswith(f"torture: seed {SEED}, 20 s")
    assert f"seed {SEED}: every promise held" in said.splitlines()[-1]
    figures = {line[2:16].strip(): line[17:] for line in said.splitlines() if line.startswith("  ")}
    assert figures["lost"] == "0"
    assert figures["order breaks"] == "0"
    assert " 0 missed within the recovery window" in figures["sockets"]
    # What was put into all this: otherwise it shows nothing.
    assert number(figures["matched"]) > 200
    assert number(figures["receipts"]) > 200
    assert number(figures["server"]) >= 1
    assert number(figures["subscriptions"]) >= 3
    assert number(figures["SMS"]) >= 64


def number(figure: str) -> int:
    """The first one in it."""
    return int(figure.split(maxsplit=1)[0].replace(",", ""))
