"""A file system of a few megabytes, to fill to the last byte: a tmpfs of its own, mounted for one test."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1 << 20


@contextlib.contextmanager
def small_disk(place: Path, size_mib: int) -> Iterator[Path]:
    """Mount it at `place`, which needs root; the test is skipped elsewhere, but not in CI."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0700", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        reason = f"no file system can be mounted here (that needs root): {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
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
        self._path.unlink()
