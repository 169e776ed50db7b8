"""A wall clock that somebody sets while a server runs; running time knows nothing of it."""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from bellwire.observe.system_clock import SystemClock

_OFFSET = struct.Struct("<q")


class JumpingClock(SystemClock):
    """`off`: how far it is from the machine's time."""

    def __init__(self) -> None:
        super().__init__()
        self.off = timedelta(0)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def now_ms(self) -> int:
        return super().now_ms() + self.off // timedelta(milliseconds=1)


class ClockFile:
    """Where processes that `obey` look how far off their clock is."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(_OFFSET.pack(0))
        self.path = path

    def set(self, off: timedelta) -> None:
        with self.path.open("r+b") as file:
            file.write(_OFFSET.pack(off // timedelta(milliseconds=1)))


def obey(path: Path) -> None:
    """Have this process's server, which has not begun yet, go by a clock that the file sets."""
    with path.open("r+b") as file:
        offset = mmap.mmap(file.fileno(), _OFFSET.size)

    class Set(JumpingClock):
        def now_ms(self) -> int:
            return SystemClock.now_ms(self) + int(_OFFSET.unpack_from(offset)[0])

    mock.patch("bellwire.cli.process.SystemClock", Set).start()
