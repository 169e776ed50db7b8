"""Terminals, as the reader of a tour has several of them open: each runs blocks of shell commands and shows output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_END = "--- end of block, exit code "

_CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"(?<=Validation-Token: )\S+"), "TOKEN"),
)


def steady(line: str) -> str:
    """A line without what differs each time: uuids, times, handshake tokens, blanks at the end."""
    for pattern, name in _CHANGING:
        line = pattern.sub(name, line)
    return line.rstrip()


def is_as_told(line: str, told: str) -> bool:
    """Whether a line is as told, where `…` at either end of what is told stands for anything."""
    line, told = steady(line), steady(told)
    if told.startswith("…") and told.endswith("…"):
        return told.strip("…") in line
    if told.startswith("…"):
        return line.endswith(told.removeprefix("…").lstrip())
    return line.startswith(told.removesuffix("…").rstrip()) if told.endswith("…") else line == told


class Terminal:
    """One shell. Lines of output that were compared once are not compared again."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = dict(environ)
        self._lines: list[str] = []
        self._compared = 0
        self._more = threading.Condition()
        self._shell: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shell is not None:
            self._signal(signal.SIGKILL)

    def start(self, commands: str) -> None:
        """Begin a block whose last command goes on until it is stopped."""
        self._write(commands)

    def run(self, commands: str, *, timeout: float = 30) -> int:
        """Run a block to its end; returns the exit code of its last command."""
        self._compared = len(self._lines)
        first = len(self._lines)
        self._write(f"{commands}\nprintf '\\n{_END}%s\\n' $?\n")
        with self._more:
            ended = self._more.wait_for(lambda: any(_END in line for line in self._lines[first:]), timeout)
        assert ended, f"not at its end after {timeout} s: {commands}\nIt showed: {self._lines[first:]}"
        return int(next(line for line in self._lines[first:] if _END in line).removeprefix(_END))

    def interrupt(self) -> None:
        """Send SIGINT to the innermost process alone: what started it goes on, and `run("")` has its exit code.

        make, for one, ends by the signal itself where it gets it, too, whatever its command makes of it.
        """
        assert self._shell is not None
        innermost = self._shell.pid
        while children := Path(f"/proc/{innermost}/task/{innermost}/children").read_text().split():
            innermost = int(children[0])
        os.kill(innermost, signal.SIGINT)

    def stop(self) -> None:
        """Press Ctrl-C, and wait until all has ended."""
        assert self._shell is not None
        self._signal(signal.SIGINT)
        self._shell = None

    def expect(self, told: Sequence[str], *, timeout: float = 20) -> None:
        """Wait until it has shown these lines, in this order; a line of `…` alone is left out."""
        for line in told:
            if line.strip() == "…":
                continue
            with self._more:
                found = self._more.wait_for(lambda wanted=line: self._find(wanted), timeout)  # type: ignore[misc]
            assert found, f"it did not show {line!r} but {self._lines[self._compared :]}"

    def expect_like(self, pattern: re.Pattern[str], *, timeout: float = 20) -> None:
        """Wait until a line has matched the pattern, whenever it came."""
        with self._more:
            found = self._more.wait_for(lambda: any(map(pattern.match, self._lines)), timeout)
        assert found, f"it did not show a line like {pattern.pattern!r} but {self.shown()}"

    def shown(self) -> list[str]:
        """All lines so far."""
        with self._more:
            return list(self._lines)

    def _find(self, told: str) -> bool:
        for index in range(self._compared, len(self._lines)):
            if is_as_told(self._lines[index], told):
                self._compared = index + 1
                return True
        return False

    def _write(self, commands: str) -> None:
        if self._shell is None:
            self._shell = subprocess.Popen(
                ["bash"],
                cwd=self._directory,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            threading.Thread(target=self._read, args=(self._shell,), daemon=True).start()
        assert self._shell.stdin is not None
        self._shell.stdin.write(commands + "\n")
        self._shell.stdin.flush()

    def _signal(self, kind: signal.Signals) -> None:
        """To the shell and what it runs, as a terminal's driver does; then the shell has nothing more to do."""
        assert self._shell is not None
        assert self._shell.stdin is not None
        os.killpg(self._shell.pid, kind)
        self._shell.stdin.close()
        self._shell.wait(20)

    def _read(self, shell: subprocess.Popen[str]) -> None:
        assert shell.stdout is not None
        with shell.stdout:
            for line in shell.stdout:
                with self._more:
                    self._lines.append(line.rstrip("\n"))
                    self._more.notify_all()
