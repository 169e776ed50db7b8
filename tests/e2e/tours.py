"""Pages whose blocks are done as they say, the README and the quick starts, in what looks like a fresh clone.

An HTML comment before a block says what it is: `start` (a terminal's last command goes on), `run`, `fails` (as run,
with an exit code other than 0), `shows` (what a terminal shows from here on), and `stop` (Ctrl-C). Other than a reader,
a tour installs nothing: `make run` is what it starts, and the SDK is there already. Ports are replaced by free ones.
"""

from __future__ import annotations

import os
import random
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.processes import clean_environment
from tests.e2e.terminals import Terminal
from tests.pages import ROOT

STEP = re.compile(
    r"^<!-- tour: (?P<verb>\w+) ?(?P<where>\w*) -->$(?:\n```(?:sh|text)\n(?P<block>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
LAPTOP_TOURS = tuple(ROOT / "docs" / f"quickstart-{name}.md" for name in ("sms-events", "batch", "ci"))
"""What one reader does in this order, whose server and webhook stay up."""
PRODUCTION_TOUR = ROOT / "docs" / "quickstart-production.md"
README_TOUR = ROOT / "README.md"
EXPLAIN_TOUR = ROOT / "docs" / "explain.md"
BACKUP_TOUR = ROOT / "docs" / "backup.md"
TOURS = {README_TOUR, *LAPTOP_TOURS, PRODUCTION_TOUR, EXPLAIN_TOUR, BACKUP_TOUR}
"""Pages that tests go through; steps of another page would be done by nobody."""
RUN_SECONDS = 100
"""What one block may take on a machine that does much else."""


@dataclass(frozen=True, slots=True)
class Step:
    verb: str
    where: str
    """A terminal; empty is the one that the reader works in."""
    block: str


def steps(text: str) -> Iterator[Step]:
    for found in STEP.finditer(text):
        yield Step(found["verb"], found["where"], found["block"] or "")


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives away: while nobody listens at one of them (a reader stops what listens, and the
    server goes on trying), no other test gets it, and with it notifications that are none of its own."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


class Reader:
    """Somebody who does pages one after the other, in one directory, with terminals that stay open in between.

    A page that starts what is running already (by the same block, in the same terminal) finds it running.

    Args:
        directory: what stands for the clone.
        replaced: what blocks say, and what is done instead: paths of another machine, keys that are shown once.
        environ: what the machine has set beforehand.
    """

    def __init__(
        self, directory: Path, *, replaced: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._directory = directory
        self._server_port, self._listener_port = free_ports(2)
        self.replaced = dict(replaced or {})
        self._running: dict[str, str] = {}
        self._terminals: dict[str, Terminal] = {}
        self._stack = ExitStack()
        (directory / ".venv").symlink_to(sys.prefix)
        (directory / "examples").symlink_to(ROOT / "examples")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        extra = {
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "BELLWIRE_MIN_FREE_MIB": "0",
            "BELLWIRE_PORT": str(self._server_port),
        }
        self._environ = clean_environment(extra | dict(environ or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            self._terminals[name] = self._stack.enter_context(Terminal(self._directory, self._environ))
        return self._terminals[name]

    def do(self, text: str) -> list[str]:
        """Do a page's steps, in order; returns their verbs. Fails with the first step that is not as told."""
        done: list[str] = []
        was_running = ""
        for step in steps(text):
            terminal, block = self.terminal(step.where), self._adapted(step.block)
            match step.verb:
                case "start" if self._running.get(step.where) == block:
                    was_running = step.where
                case "start":
                    terminal.start(block)
                    self._running[step.where] = block
                case "stop":
                    terminal.stop()
                    self._running.pop(step.where, None)
                case "run":
                    assert terminal.run(block, timeout=RUN_SECONDS) == 0, (block, terminal.shown())
                case "fails":
                    assert terminal.run(block, timeout=RUN_SECONDS) != 0, block
                case "shows" if step.where and step.where == was_running:
                    was_running = ""  # it has shown that it started to an earlier page
                case "shows":
                    terminal.expect(block.splitlines(), timeout=RUN_SECONDS)
                case other:
                    raise AssertionError(f"there is no step {other!r}")
            done.append(step.verb)
        return done

    def _adapted(self, text: str) -> str:
        for told, instead in self.replaced.items():
            text = text.replace(told, instead)
        text = text.replace("make run", "bellwire dev").replace(
            "bellwire dev", f"bellwire dev --port {self._server_port}"
        )
        text = text.replace("bellwire listen", f"bellwire listen --port {self._listener_port}")
        text = text.replace("pip install ringcentral\n", "")
        return text.replace("8710", str(self._server_port)).replace("8711", str(self._listener_port))
