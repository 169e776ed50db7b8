"""Output that may fail: a log on a disk that is full, a pipe whose reader has gone. What can't be written is not said.

Lines are written from anywhere, in the middle of a commit or an attempt, and none of these may end for want of one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TextIO


class UnfailingStream:
    """As much of a text stream as loggers use, over another one, which may fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def unfailing(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same, but where it can't be written."""

    def say_if_possible(line: str) -> None:
        with contextlib.suppress(OSError):
            say(line)

    return say_if_possible
