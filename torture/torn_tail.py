"""The end of a write-ahead log, as a machine that lost its power may leave it.

What SQLite has synced is never touched: all frames up to the last commit stay. What follows may be a transaction that
was being written, or frames of before the log began anew: a crash may leave any of it, none, or other bytes instead.

Source of the format: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)


def committed_bytes(log: bytes) -> int:
    """How much of it, from its beginning, has to be taken for synced: up to the last commit of the log as it is now."""
    if len(log) < _HEADER.size:
        return 0
    magic, _format, page_bytes, _sequence, salt1, salt2, _sum1, _sum2 = _HEADER.unpack_from(log)
    if magic not in _MAGIC:
        return len(log)
    committed, at = _HEADER.size, _HEADER.size
    while at + _FRAME.size + page_bytes <= len(log):
        _page, pages_after_commit, frame_salt1, frame_salt2, _sum1, _sum2 = _FRAME.unpack_from(log, at)
        if (frame_salt1, frame_salt2) != (salt1, salt2):
            break
        at += _FRAME.size + page_bytes
        if pages_after_commit:
            committed = at
    return committed


def torn(log: bytes, random: Random) -> bytes:
    """The log with another end: cut, of zeros, of anything, or half a frame that is like one of its own."""
    synced = committed_bytes(log)
    rest = len(log) - synced
    some = random.randrange(1, 3 * 8192)
    ends = {
        "cut": log[synced : synced + random.randrange(rest + 1)],
        "zeros": bytes(max(rest, some)),
        "anything": random.randbytes(max(rest, some)),
        "half a frame": log[_HEADER.size : _HEADER.size + some],
    }
    return log[:synced] + ends[random.choice(list(ends))]


def tear(data: Path, random: Random) -> int:
    """Do that to all logs of a data directory that no process uses; returns how many there were."""
    logs = [path for path in sorted(data.glob("*.db-wal")) if path.stat().st_size]
    for path in logs:
        path.write_bytes(torn(path.read_bytes(), random))
    return len(logs)
