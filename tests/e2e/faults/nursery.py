"""`bellwire` processes that are there within a second: forked from one that has imported everything already.

What is forked runs `bellwire.cli.main` as the installed command does, on its own files and sockets, and dies by a real
SIGKILL. Only the two seconds of importing are spared, which at so many starts would be most of a test's time.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.faults.jumping_clock import ClockFile, obey
from tests.e2e.processes import URL, clean_environment

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_RUNS = 1000
"""In place of an exit code."""


class Nursery:
    """A process that forks others. To be entered; whatever it forked ends with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str]
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", "from tests.e2e.faults.nursery import serve; serve()"],
            env=clean_environment(),
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def dev(
        self, data: Path, *arguments: str, environ: Mapping[str, str] | None = None, clock: ClockFile | None = None
    ) -> Forked:
        """`bellwire dev` on a data directory and a free port; its output goes to a file beside the directory.

        Args:
            clock: what sets its wall clock; by default the machine does.
        """
        output = data.with_name(f"{data.name}-output")
        output.unlink(missing_ok=True)
        started = ("dev", "--no-traffic", "--port", "0", "--data", str(data), *arguments)
        environ = clean_environment({"BELLWIRE_MIN_FREE_MIB": "0", **(environ or {})})
        pid = self.ask(
            {"start": started, "output": str(output), "environ": environ, "clock": clock and str(clock.path)}
        )
        return Forked(self, pid, data, output)

    def ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._asking:
            print(json.dumps(order), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline())


class Forked:
    """One such process; as a context, it is killed at the end if it runs then."""

    def __init__(self, nursery: Nursery, pid: int, data: Path, output: Path) -> None:
        self._nursery = nursery
        self._output = output
        self._code: int | None = None
        self.data = data
        self.pid = pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._code is None:
            self.signal(signal.SIGKILL)
            self.wait()

    def stop(self, timeout: float = 60) -> int:
        """Ask it to end, and wait; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def url(self, *, timeout: float = 60) -> str:
        """Wait until it says where it is reached."""
        ends_at = time.monotonic() + timeout
        while (found := URL.search(self.output())) is None:
            assert time.monotonic() < ends_at, f"nothing is reached after {timeout} s: {self.output()}"
            assert self._is_running(), f"it ended: {self.output()}"
            time.sleep(0.01)
        return found[0]

    def kill(self) -> None:
        """End it without warning; it is gone on return."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL, f"it had ended before: {self.output()}"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = 60) -> int:
        """Wait until it has ended; returns its exit code, negative for a signal."""
        ends_at = time.monotonic() + timeout
        while self._code is None:
            code = self._nursery.ask({"reap": self.pid})
            if code != _RUNS:
                self._code = code
                break
            assert time.monotonic() < ends_at, f"it goes on after {timeout} s: {self.output()}"
            time.sleep(0.005)
        return self._code

    def output(self) -> str:
        """What it wrote so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def log(self) -> list[dict[str, Any]]:
        """The JSON lines of its log so far."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{") and line.endswith("}")]

    def _is_running(self) -> bool:
        """A process that has ended and was not waited for is a zombie."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def serve() -> None:
    """What the nursery does: take orders from standard input, a line each, and answer with a number."""
    import bellwire.cli.dev
    import bellwire.cli.process
    import bellwire.cli.serve  # noqa: F401

    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            pid, status = os.waitpid(order["reap"], os.WNOHANG)
            children.discard(pid)
            print(os.waitstatus_to_exitcode(status) if pid else _RUNS, flush=True)  # noqa: T201
            continue
        pid = os.fork()
        if pid == 0:
            _become(order)
        children.add(pid)
        print(pid, flush=True)  # noqa: T201
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(order: dict[str, Any]) -> None:
    """Be `bellwire …` from here on. Never returns."""
    from bellwire.cli import main

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(order["environ"])
    if order["clock"] is not None:
        obey(Path(order["clock"]))
    code = 70
    try:
        main(order["start"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
