"""The README's tour, read from the README and done as it says (tours.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import clean_environment
from tests.e2e.tours import README_TOUR, Reader, steps
from tests.pages import ROOT, blocks_run_by

README = README_TOUR.read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour publishes with curl")
def test_the_tour_works_as_it_is_told(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        done = reader.do(README)
        reader.terminal("listener").stop()
        reader.terminal("listener").expect(["… notifications received"])
        reader.terminal("server").stop()
        reader.terminal("server").expect(["stopping"])

    assert done.count("run") >= 5
    assert {"start", "stop", "fails", "shows"} <= set(done)


def test_the_tour_starts_with_what_make_run_starts() -> None:
    command = ["make", "--no-print-directory", "-n", "run"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make test`
    planned = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=True)

    assert planned.stdout.rstrip().endswith("bellwire dev --port 8710")


@pytest.mark.parametrize("heading", ["## Five-minute tour", "## High Volume SMS"])
def test_every_shell_block_of_the_tour_is_a_step(heading: str) -> None:
    tour = README.partition(heading)[2].partition("\n## ")[0]
    verbs = [step.verb for step in steps(tour)]

    assert tour.count("```sh\n") == sum(verb in {"start", "run", "fails"} for verb in verbs)
    assert tour.count("```text\n") == verbs.count("shows")
    assert verbs


def test_the_program_in_the_tour_is_the_example_word_by_word() -> None:
    name = "tests/e2e/test_readme_tour.py::test_the_program_in_the_tour_is_the_example_word_by_word"
    [program] = blocks_run_by(name)

    assert program == (ROOT / "examples" / "python_sdk_webhook.py").read_text()


def test_the_program_without_an_address_or_credentials_says_what_it_needs() -> None:
    program = [sys.executable, str(ROOT / "examples" / "python_sdk_webhook.py")]
    for arguments in ([], ["http://127.0.0.1:9/webhook"]):
        ran = subprocess.run(
            [*program, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "python_sdk_webhook.py ADDRESS" in ran.stderr
        assert "Traceback" not in ran.stderr
