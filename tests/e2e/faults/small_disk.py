"""A file system of a few megabytes, to fill to the last byte: a tmpfs of its own, mounted for one run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.e2e.faults.beside import beside

MIB = 1 << 20


class CannotMount(OSError):
    """No file system can be mounted here."""


@contextlib.contextmanager
def mounted(place: Path, size_mib: int) -> Iterator[Path]:
    """Mount it at `place`, which is made.

    Raises:
        CannotMount: that needs root.
    """
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0700", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotMount(f"no file system can be mounted here (that needs root): {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


class Filler:
    """Takes the disk's room away, and gives it back."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._path = disk / "filler"

    def leave(self, free_bytes: int) -> None:
        """Take all but so much."""
        with self._path.open("ab") as filler:
            while (taking := min(self.free() - free_bytes, MIB)) > 0:
                try:
                    filler.write(bytes(taking))
                    filler.flush()
                except OSError:  # somebody else took it meanwhile
                    return

    def free(self) -> int:
        found = os.statvfs(self._disk)
        return found.f_bavail * found.f_frsize

    def go(self) -> None:
        self._path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def kept_full(filler: Filler) -> AsyncIterator[None]:
    """Take whatever becomes free, the ballast too, for as long as the context lasts."""

    async def keep() -> None:
        while True:
            filler.leave(0)
            await asyncio.sleep(0.01)

    async with beside(keep()):
        yield
