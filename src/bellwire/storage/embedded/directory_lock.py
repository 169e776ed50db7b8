"""A data directory belongs to one process: `flock` on the file `lock`, which names the owner for people."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bellwire.errors import Misconfigured, Problem

LOCK_FILE = "lock"


@contextmanager
def hold_unused(data_dir: Path) -> Iterator[None]:
    """Keep servers off a directory while it is looked at, without changing anything in it.

    A directory without lock file, as a restored backup is, was never used by a server, and is not held.

    Raises:
        Misconfigured: a server uses it.
    """
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    except OSError as problem:
        raise Misconfigured((Problem("data", f"{data_dir} can't be read: {problem.strerror}"),)) from problem
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise _in_use(data_dir, _owner(descriptor), "stop it first, or check a backup of it") from taken
        yield
    finally:
        os.close(descriptor)


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
            owner = _owner(descriptor)
            os.close(descriptor)
            raise _in_use(data_dir, owner, "stop it, or choose another data directory") from taken
        with contextlib.suppress(OSError):  # a full disk: whoever comes second is not told who was first
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let another process have it. The file stays: removing it would let two processes lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _owner(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()


def _in_use(data_dir: Path, owner: str, advice: str) -> Misconfigured:
    by = f"another Bellwire process{f' (pid {owner})' if owner else ''}"
    return Misconfigured((Problem("data_dir", f"{data_dir} is in use by {by}; {advice}"),))
