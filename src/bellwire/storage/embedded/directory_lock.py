"""A data directory belongs to one process: `flock` on the file `lock`, which names the owner for people."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bellwire.errors import Misconfigured, Problem

LOCK_FILE = "lock"


class DirectoryLock:
    """Held from construction until `release`, or until the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        """Create the directory if need be and lock it.

        Raises:
            Misconfigured: another process has it, or it can't be written.
        """
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise Misconfigured(
                (Problem("data_dir", f"{data_dir} can't be used as data directory: {problem.strerror}"),)
            ) from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise Misconfigured(
                (
                    Problem(
                        "data_dir",
                        f"{data_dir} is in use by another Bellwire process{f' (pid {owner})' if owner else ''}; "
                        "stop it, or choose another data directory",
                    ),
                )
            ) from taken
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let another process have it. The file stays: removing it would let two processes lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
