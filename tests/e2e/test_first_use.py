"""First use, as a newcomer does it: a clean clone, and the README's first commands word by word, nothing installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from itertools import takewhile
from pathlib import Path

import pytest

from tests.e2e.processes import clean_environment
from tests.e2e.terminals import Terminal
from tests.e2e.tours import free_ports, steps
from tests.pages import ROOT

INSTALL_SECONDS = 240
DELIVERED = re.compile(r"\d\d:\d\d:\d\d  [a-z_]+ +/restapi/v1\.0/account/\d+")
NOT_A_NEWCOMERS = ("MAKE", "GIT_", "PYTHON", "VIRTUAL_ENV", "PORT")
"""What a checkout's own tools (make test, a git hook, an active environment) leave in the environment."""


def impossible(reason: str) -> None:
    """Skip, or fail in CI, where first use is to be seen."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def environment() -> dict[str, str]:
    """A newcomer's, with the port that `make run` is documented to take, and the interpreter that is tested."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(NOT_A_NEWCOMERS)}
    interpreter = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return kept | {"PORT": str(free_ports(1)[0]), "PYTHON": interpreter, "BELLWIRE_MIN_FREE_MIB": "0"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        impossible("first use needs git, and tests that run in a git checkout")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--retries", "1", "--require-hashes"]
    wanted = ["-r", str(ROOT / "requirements" / "build.txt"), "--dest", str(tmp_path / "index")]
    asked = subprocess.run([*pip, *wanted], env=environment(), capture_output=True, text=True, timeout=60, check=False)
    if asked.returncode:
        impossible(f"first use needs a package index: {asked.stderr.strip().splitlines()[-1:]}")
    command = ["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")]
    subprocess.run(command, env=environment(), timeout=60, check=True)
    return tmp_path / "clone"


@pytest.mark.timeout(300)
def test_a_clean_clone_runs_by_the_readmes_first_commands(clone: Path) -> None:
    environ = environment()
    told = list(takewhile(lambda step: step.verb != "stop", steps((clone / "README.md").read_text())))
    assert [step.verb for step in told] == ["start", "shows"]
    started, shows = (step.block for step in told)
    block = shows.replace("8710", environ["PORT"]).splitlines()

    with Terminal(clone, environ) as terminal:
        terminal.start(started)
        terminal.expect(block, timeout=INSTALL_SECONDS)
        terminal.expect_like(DELIVERED, timeout=60)
        as_a_browser = urllib.request.Request(
            f"http://127.0.0.1:{environ['PORT']}/console", headers={"Accept": "text/html"}
        )
        with urllib.request.urlopen(as_a_browser, timeout=60) as page:
            assert page.status == 200
            assert "sign-in" in page.url
            assert "Sign in" in page.read().decode()
        terminal.interrupt()
        assert terminal.run("", timeout=60) == 0, terminal.shown()
        first = terminal.shown()

        terminal.start(started)
        terminal.expect(block, timeout=60)
        terminal.stop()  # Ctrl-C goes to make, too
        terminal.expect(["stopping"])

    assert "stopping" in first
    everything = "\n".join(terminal.shown())
    assert everything.count("Installing Bellwire") == 1, "the second time it starts at once"
    assert not re.search("traceback|error|warning", everything, re.IGNORECASE), everything
    changed = ["git", "-C", str(clone), "status", "--porcelain"]
    assert subprocess.run(changed, capture_output=True, text=True, timeout=60, check=True).stdout == ""
