"""`make torture`: a real server under everything at once, and an independent checker of what it promised.

    python -m torture [--seconds 300] [--seed N] [--keep DIRECTORY]

Exit status: 0, every promise held; 1, a rule was broken (the data directory is kept); 2, it could not be run.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from random import SystemRandom

from tests.e2e.faults.nursery import Nursery
from torture.plan import planned
from torture.report import Outcome, how_to_look, lines
from torture.run import CLOSING_SECONDS, DRAIN_SECONDS, Torture, a_disk

KEPT = Path("build/torture")
SETTING_UP_SECONDS = 60.0


def main() -> int:
    arguments = _arguments()
    seed, seconds = arguments.seed, arguments.seconds
    most = seconds + DRAIN_SECONDS + CLOSING_SECONDS + SETTING_UP_SECONDS
    say(f"torture: seed {seed}, {seconds:g} s, and at most {most - seconds:g} s more to start, drain and check")
    with tempfile.TemporaryDirectory(prefix="bellwire-torture-") as name:
        directory = Path(name)
        with a_disk(directory) as (place, filler, left_out), Nursery() as nursery:
            data = place / "data"
            try:
                torture = Torture(planned(seed, seconds), directory, data, filler, nursery)
                torture.left_out = left_out
                outcome = asyncio.run(_within(torture, most))
            except Exception:  # noqa: BLE001 - whatever it is: the directory is kept, and the seed said
                traceback.print_exc()
                _keep(data, directory, arguments.keep, seed, seconds)
                say(f"seed {seed}: it came to no verdict")
                return 2
            for line in lines(outcome):
                say(line)
            if outcome.complaints:
                _keep(data, directory, arguments.keep, seed, seconds)
    return 1 if outcome.complaints else 0


async def _within(torture: Torture, most: float) -> Outcome:
    async with asyncio.timeout(most):
        return await torture.run(say)


def _keep(data: Path, directory: Path, keep: Path, seed: int, seconds: float) -> None:
    """What a rule was broken in."""
    kept = keep / f"seed-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    if data.exists():
        shutil.copytree(data, kept / "data")
    for output in (data.with_name("data-output"), directory / "scratch" / "output"):
        if output.exists():
            shutil.copy(output, kept)
    for line in how_to_look(seed, seconds, kept / "data"):
        say(line)


def say(line: str) -> None:
    print(line, flush=True, file=sys.__stdout__)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="torture", description="Break everything at once, and see what holds.")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long; 10 at least (300)")
    parser.add_argument("--seed", type=int, help="of the plan; one is drawn by default")
    parser.add_argument("--keep", type=Path, default=KEPT, help=f"where what broke a rule is kept ({KEPT})")
    found = parser.parse_args()
    if found.seconds < 10:
        parser.error("--seconds: at least 10")
    if found.seed is None:
        found.seed = SystemRandom().randrange(1 << 32)
    return found


if __name__ == "__main__":
    sys.exit(main())
