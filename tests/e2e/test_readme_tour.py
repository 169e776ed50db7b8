"""The README's tour, read from the README and done as it says, in a directory that looks like a fresh clone.

An HTML comment before a block says what it is: `start` (a terminal's last command goes on), `run`, `fails` (as run,
with an exit code other than 0), `shows` (what a terminal shows from here on), and `stop` (Ctrl-C). Other than a reader,
the test installs nothing: `make run` is what it starts, and the SDK is there already. Ports are replaced by free ones.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.processes import clean_environment
from tests.e2e.terminals import Terminal

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
STEP = re.compile(
    r"^<!-- tour: (?P<verb>\w+) ?(?P<where>\w*) -->$(?:\n```(?:sh|text)\n(?P<block>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Step:
    verb: str
    where: str
    """A terminal; empty is the one that the reader works in."""
    block: str


def steps(text: str = README) -> Iterator[Step]:
    for found in STEP.finditer(text):
        yield Step(found["verb"], found["where"], found["block"] or "")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [taken.getsockname()[1] for taken in sockets]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour publishes with curl")
def test_the_tour_works_as_it_is_told(tmp_path: Path) -> None:
    server_port, listener_port = free_ports(2)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    def adapted(text: str) -> str:
        text = text.replace("make run", "bellwire dev").replace("bellwire dev", f"bellwire dev --port {server_port}")
        text = text.replace("bellwire listen", f"bellwire listen --port {listener_port}")
        text = text.replace("pip install ringcentral\n", "")
        return text.replace("8710", str(server_port)).replace("8711", str(listener_port))

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = clean_environment({"PATH": path, "PYTHONUNBUFFERED": "1", "BELLWIRE_MIN_FREE_MIB": "0"})
    done = []
    with ExitStack() as stack:
        terminals = {name: stack.enter_context(Terminal(tmp_path, environ)) for name in ("server", "listener", "")}
        for step in steps():
            terminal, block = terminals[step.where], adapted(step.block)
            match step.verb:
                case "start":
                    terminal.start(block)
                case "stop":
                    terminal.stop()
                case "run":
                    assert terminal.run(block) == 0, block
                case "fails":
                    assert terminal.run(block) != 0, block
                case "shows":
                    terminal.expect(block.splitlines())
                case other:
                    pytest.fail(f"the README has a step {other!r}")
            done.append(step.verb)
        terminals["listener"].stop()
        terminals["listener"].expect(["… notifications received"])
        terminals["server"].stop()
        terminals["server"].expect(["stopping"])

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
    [program] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    assert program == (ROOT / "examples" / "python_sdk_webhook.py").read_text()
