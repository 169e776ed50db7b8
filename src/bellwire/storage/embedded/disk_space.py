"""Whether the disk has room, and the ballast that is thrown off when it has not.

Below the minimum nothing more is appended (publish answers 503), but checkpoints, settling and retention must still be
able to write: a file of 64 MiB, laid down while there was room, is deleted to give it to them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import structlog

from bellwire.errors import Misconfigured, Problem
from bellwire.ports.clock import Clock
from bellwire.storage.embedded.limits import EngineLimits

BALLAST_FILE = "ballast"
LEAST_TO_START = 1 << 20
"""Bytes: write-ahead logs with their indexes, and a migration of empty tables."""
FreeBytes = Callable[[Path], int]

log = structlog.get_logger(__name__)


def free_bytes_of(directory: Path) -> int:
    """What an unprivileged process may still write on the directory's file system."""
    stat = os.statvfs(directory)
    return stat.f_bavail * stat.f_frsize


class DiskSpace:
    """Asked by the writer thread alone; the file system is asked at most once per `disk_check_seconds`."""

    def __init__(self, directory: Path, clock: Clock, limits: EngineLimits, free_bytes: FreeBytes) -> None:
        self._directory = directory
        self._clock = clock
        self._limits = limits
        self._free_bytes = free_bytes
        self._checked_at: float | None = None
        self.is_low = False

    def check(self) -> bool:
        """Whether space is low now."""
        now = self._clock.monotonic()
        if self._checked_at is not None and now - self._checked_at < self._limits.disk_check_seconds:
            return self.is_low
        self._checked_at = now
        free = self._free_bytes(self._directory)
        if free < self._limits.minimum_free_bytes:
            self.run_out(free)
        elif not self.is_low:
            self._lay_ballast(free)
        # Twice the ballast: deleting it must not by itself look like recovery, nor laying it down like a shortage.
        elif free >= self._limits.minimum_free_bytes + 2 * self._limits.ballast_bytes:
            self.is_low = False
            log.info("storage.disk_recovered", directory=str(self._directory), free_bytes=free)
            self._lay_ballast(free)
        return self.is_low

    def require_room(self) -> None:
        """Refuse to start where not even small files could be made.

        Raises:
            Misconfigured: the ballast, if there was one, did not make enough room.
        """
        self.check()
        if self._free_bytes(self._directory) < LEAST_TO_START:
            self.run_out()
            if self._free_bytes(self._directory) < LEAST_TO_START:
                problem = Problem("data_dir", f"the disk of {self._directory} is full; make room, and start again")
                raise Misconfigured((problem,))

    def run_out(self, free: int | None = None) -> None:
        """Space is low, as measured or because a write failed for it."""
        if not self.is_low:
            log.error(
                "storage.disk_low",
                directory=str(self._directory),
                free_bytes=free,
                minimum_free_bytes=self._limits.minimum_free_bytes,
            )
        self.is_low = True
        (self._directory / BALLAST_FILE).unlink(missing_ok=True)

    def _lay_ballast(self, free: int) -> None:
        path = self._directory / BALLAST_FILE
        size = self._limits.ballast_bytes
        if size == 0 or path.exists() or free < self._limits.minimum_free_bytes + size:
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:  # a quota, or a file system that reserves nothing: do without, and try at the next check
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
