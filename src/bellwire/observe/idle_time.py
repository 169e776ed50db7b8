"""How long a thread had nothing to do, as opposed to waiting for its turn on a processor."""

from __future__ import annotations

import os
import time
from pathlib import Path

_SCHEDULER_STATISTICS = Path("/proc/thread-self/schedstat")
"""Of the calling thread, in nanoseconds: on a processor, and waiting for one (Linux, sched-stats.rst)."""

_LONGEST = 128
"""Bytes: three numbers."""


def idle_seconds() -> float:
    """Seconds in which the calling thread wanted no processor, since some moment; only differences mean something.

    A thread that computes, or would if another program let it, does not idle. Where the system does not tell how long
    threads wait for processors, such waits count as idle. Takes some ten microseconds: the router asks when a lane is
    half full, which under load is once in some thirty notifications.
    """
    try:
        file = os.open(_SCHEDULER_STATISTICS, os.O_RDONLY)  # `Path.read_bytes` takes twice as long
        try:
            on_processor, waiting, _ = os.read(file, _LONGEST).split()
        finally:
            os.close(file)
    except (OSError, ValueError):
        return time.monotonic() - time.thread_time()
    return time.monotonic() - (int(on_processor) + int(waiting)) / 1e9
