"""Data directories of earlier releases, made anew from the SQL text that `write_stored_data.py` wrote on them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bellwire.observe.system_clock import SystemClock
from tests.upgrade.write_stored_data import FILES, PORT_MARK

STORED = Path(__file__).parent / "stored"
RELEASES = sorted(path.name for path in STORED.iterdir() if path.is_dir())


class ClockOfThen(SystemClock):
    """The system's clock, set to another time: what was written then has not expired."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self._off_ms = now_ms - time.time_ns() // 1_000_000

    def now(self) -> datetime:
        return super().now() + timedelta(milliseconds=self._off_ms)

    def now_ms(self) -> int:
        return super().now_ms() + self._off_ms


@dataclass(frozen=True, slots=True)
class StoredData:
    """A data directory as an earlier release left it, and what it is known to hold."""

    directory: Path
    facts: dict[str, Any]

    def clock(self) -> SystemClock:
        """A minute later."""
        return ClockOfThen(self.facts["written_ms"] + 60_000)

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(self.facts["written_ms"] / 1000, UTC)


def stored_data(release: str, directory: Path, *, port: int) -> StoredData:
    """Make the directory. `port`: where the receiver of its subscriptions listens now."""
    source = STORED / release
    directory.mkdir()
    for name in FILES:
        text = (source / f"{name}.sql").read_text().replace(PORT_MARK, str(port))
        with closing(sqlite3.connect(directory / name)) as connection:
            connection.executescript(text)
            connection.execute("PRAGMA journal_mode=WAL")
    shutil.copy(source / "installation.key", directory / "installation.key")
    (directory / "installation.key").chmod(0o600)
    return StoredData(directory, json.loads((source / "facts.json").read_text()))
