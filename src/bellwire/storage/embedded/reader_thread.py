"""Reads of the engine's files that would hold the writer up: cold events, pages of the backlog, history.

A thread with read-only connections of its own; WAL lets it read while the writer commits, and it sees every commit that
returned before the read began. An error of SQLite fails the one read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from bellwire.errors import Unavailable
from bellwire.storage.embedded.database import open_reader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadFiles:
    log: apsw.Connection
    delivery: apsw.Connection


class ReaderThread:
    def __init__(self, log_path: Path, delivery_path: Path, name: str) -> None:
        """Open both files, which the writer has made."""
        self._files = ReadFiles(open_reader(log_path), open_reader(delivery_path))
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._is_closed = False

    async def read(self, query: Callable[[ReadFiles], T]) -> T:
        """Run a query in the reader's thread, after those asked for before.

        Raises:
            Unavailable: SQLite failed, or the engine is closed.
        """
        if self._is_closed:
            raise Unavailable("Bellwire is stopping")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, query, self._files)
        except apsw.Error as problem:
            raise Unavailable(f"stored events can't be read: {problem}") from problem

    def close(self) -> None:
        """Wait for the query that runs, drop those that wait."""
        self._is_closed = True
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._files.log.close()
        self._files.delivery.close()
