"""Bellwire as a process, for tests: started as a user would, ready when it says so."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

URL = re.compile(r"http://[0-9a-z.\[\]:]+")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that configures Bellwire or its clients."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BELLWIRE_", "RC_", "RINGCENTRAL_"))}
    return kept | dict(extra or {})


def bellwire(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-c", "from bellwire.cli import main; main()", *arguments],
        env=clean_environment(environ),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class BellwireProcess:
    """`bellwire …` running in the background."""

    def __init__(self, *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._arguments = arguments
        self._environ = clean_environment(environ)
        self._cwd = cwd
        self._process: subprocess.Popen[str]
        self._reader: threading.Thread
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.output: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", "from bellwire.cli import main; main()", *self._arguments],
            env=self._environ,
            cwd=self._cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def line_with(self, text: str, *, timeout: float = 30) -> str:
        """Wait for a line of output that holds the text."""
        while True:
            try:
                line = self._lines.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"no line with {text!r} in {timeout} s; there was {self.output}") from None
            assert line is not None, f"ended without a line with {text!r}; there was {self.output}"
            if text in line:
                return line

    def url(self, *, timeout: float = 30) -> str:
        """Wait until it says where it is reached."""
        found = URL.search(self.line_with("http://", timeout=timeout))
        assert found is not None
        return found[0]

    @property
    def pid(self) -> int:
        return self._process.pid

    def waited_for_a_processor(self) -> float:
        """Seconds that its main thread was ready to run, and other programs ran instead."""
        return waited_for_a_processor(self._process.pid)

    def stop(self, kind: signal.Signals = signal.SIGINT, *, timeout: float = 20) -> int:
        """Ask it to end; returns its exit code."""
        self._process.send_signal(kind)
        return self._process.wait(timeout)

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def wait(self, timeout: float = 20) -> int:
        return self._process.wait(timeout)

    def everything(self) -> str:
        """All its output, once it has ended."""
        self._reader.join(5)
        return "".join(self.output)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)


def waited_for_a_processor(pid: int) -> float:
    """Seconds that a process's main thread was ready to run, and other programs ran instead."""
    _running, waiting, _slices = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(waiting) / 1e9


def env_of(output: str) -> dict[str, str]:
    """`KEY=value` lines."""
    return dict(line.split("=", 1) for line in output.splitlines())
