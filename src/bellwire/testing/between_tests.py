"""One server for many tests: as at its first start for each of them.

The reset that a test makes necessary begins when that test has ended, and the next one that wants the server waits for
it: pytest's own work, and tests that don't want it, go on meanwhile.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bellwire.testing.embedded import EmbeddedServer


class SharedServer:
    """Started with the object."""

    def __init__(self, directory: Path, *, seed: Path | None) -> None:
        self._server = EmbeddedServer(directory, seed=seed)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bellwire-reset")
        self._resetting: Future[None] | None = None

    def fresh(self) -> EmbeddedServer:
        """The server, as at its first start. Raises ServerFailed."""
        if self._resetting is not None:
            self._resetting.result()
            self._resetting = None
        return self._server

    def used(self) -> None:
        """A test is done with it."""
        self._resetting = self._worker.submit(self._server.reset)

    def output_since(self, mark: int) -> str:
        return self._server.output_since(mark)

    def stop(self) -> None:
        self._server.stop()
        self._worker.shutdown()
