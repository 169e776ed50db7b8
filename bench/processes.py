"""What a running process takes of the machine, as Linux tells it."""

from __future__ import annotations

import re
from pathlib import Path


def open_files(pid: int) -> int:
    """File descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident_mib(pid: int) -> float:
    """Memory of a process, in MiB."""
    return _status_mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most memory that a process has had, in MiB."""
    return _status_mib(pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    """What a process has used of processors, all threads together."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def _status_mib(pid: int, field: str) -> float:
    """
    Raises:
        ProcessLookupError: it has ended, whether or not its parent knows.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    if found is None:
        raise ProcessLookupError(pid)
    return int(found[1]) / 1024
