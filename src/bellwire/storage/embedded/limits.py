"""How much the embedded engine may hold, gather and leave free. Sizes are bytes, counts are events unless named."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

ADVISED_SWITCH_INTERVAL_SECONDS = 0.0005
"""For `sys.setswitchinterval`, which only the composition root may call: the writer thread takes the interpreter's lock
back after each SQL statement, and with Python's 5 ms a busy event loop makes it wait that long, many times a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Every bound of the embedded engine, in one place."""

    group_events: int = 512
    """A commit takes whole calls until it has this many events, or `group_bytes`."""
    group_bytes: int = 4 * MIB
    waiting_events: int = 50_000
    """Appends beyond this are refused at once. A single call may be larger if nothing else waits."""
    waiting_bytes: int = 64 * MIB
    tail_events: int = 50_000
    """Newest events that stay in memory, so that the router reads them without the disk and with their facts."""
    tail_bytes: int = 64 * MIB
    read_events: int = 4_096
    """Most events that one `read` gives, however small they are."""
    chunk_rows: int = 256
    """Rows that one transaction deletes; larger chunks are felt by the appends beside them."""
    dedupe_memory_entries: int = 32_768
    """Chosen uuids in memory before they are written as a sorted run; at most twice as many are held."""
    minimum_free_bytes: int = 512 * MIB
    ballast_bytes: int = 64 * MIB
    disk_check_seconds: float = 1.0
    history_rows: int = 65_536
    """Rows, or as much work, that one page of history may look at."""
    outcome_rows: int = 1 << 20
    """Attempts that a look for what became of one event may pass over."""
    counted_rows: int = 200_000
    """Rows of one subscription's backlog that are counted for people; beyond, it is at least so many."""
    kept_sweep_seconds: float = 60.0
    """Least time between two searches for kept events that the backlog no longer needs."""
