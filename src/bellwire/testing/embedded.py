"""A server for tests: `bellwire dev` as a process of its own, on a free port, its data in a temporary directory.

A process rather than a thread: the server has signals, a collector and an event loop set up to its own needs, none of
which may meet the program under test, and what it imports is not in that program's coverage. It ends with the process
that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bellwire.testing.api_client import ApiClient, ApiError

START_SECONDS = 60.0
"""Less than two on a machine that is not busy; this is for one that is."""
POLL_SECONDS = 0.01
SHOWN_CHARACTERS = 4000

_PROGRAM = """
import os, signal, threading

def end_with_the_parent():
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_the_parent, daemon=True).start()
from bellwire.cli import main
main()
"""
_CONFIGURATION = ("BELLWIRE_", "RC_", "RINGCENTRAL_", "COV_CORE_", "COVERAGE_")
"""What the server must not take over from the environment of the tests."""


class ServerFailed(RuntimeError):
    """The server did not start, or ended; says so with what it wrote last."""


class EmbeddedServer:
    """Starts with the object; `stop` ends it."""

    def __init__(self, directory: Path, *, seed: Path | None = None) -> None:
        """
        Args:
            directory: empty; for the data and the log.
            seed: a seed file, loaded at the start and at each reset.

        Raises:
            ServerFailed: it does not answer within a minute.
        """
        self._output = directory / "server.log"
        env_file = directory / "env"
        began = time.monotonic()
        arguments = [
            "dev",
            "--no-traffic",
            "--port",
            "0",
            "--data",
            str(directory / "data"),
            "--env-file",
            str(env_file),
        ]
        if seed is not None:
            arguments += ["--seed", str(Path(seed).absolute())]  # the server has a working directory of its own
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-u", "-c", _PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                cwd=directory,
                process_group=0,  # Ctrl-C is for the tests; the server ends when they have
            )
        try:
            self.env: Mapping[str, str] = self._wait_for(env_file, began + START_SECONDS)
        except BaseException:
            self.stop()
            raise
        self.url = self.env["RC_SERVER_URL"]
        self.api = ApiClient(self.url)
        self.start_seconds = time.monotonic() - began
        """How long it took until it answered."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def reset(self) -> None:
        """Back to the seed and to the machine's time. Raises ServerFailed."""
        try:
            self.api.ask("POST", "/bellwire/v1/dev/reset", content={"rewindClock": True})
        except (OSError, ApiError) as error:
            raise ServerFailed(self._said(f"The server could not be reset: {error}")) from error

    def mark(self) -> int:
        """Where its output ends now."""
        return self._output.stat().st_size

    def output_since(self, mark: int) -> str:
        """What it wrote after a mark, the last few screens of it."""
        with self._output.open("rb") as output:
            output.seek(max(mark, self.mark() - SHOWN_CHARACTERS))
            return output.read().decode(errors="replace")

    def stop(self) -> None:
        """End the process at once: nothing of it is kept."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _wait_for(self, env_file: Path, deadline: float) -> dict[str, str]:
        """The credentials, which are written once it answers."""
        while not env_file.exists():
            if self._process.poll() is not None:
                raise ServerFailed(self._said(f"The server ended with exit code {self._process.returncode}"))
            if time.monotonic() > deadline:
                raise ServerFailed(self._said(f"The server did not answer within {START_SECONDS:g} s"))
            time.sleep(POLL_SECONDS)
        return dict(line.split("=", 1) for line in env_file.read_text().splitlines())

    def _said(self, what: str) -> str:
        written = self.output_since(0).strip()
        return f"{what}; it wrote:\n{written}" if written else f"{what}; it wrote nothing"


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURATION)}
    return kept | {
        "BELLWIRE_MIN_FREE_MIB": "0",  # a small disk is not what the tests are about
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # else it looks through everything that is installed for plugins
    }
