"""`parts.db`: parts of long inbound texts that wait for the rest, or are remembered for a while after.

Made at the first start with the carrier that needs it. Few texts come in parts, so each change is a commit of its own,
on one thread. It may be behind records.db and never ahead of it: a text is marked as handed on after it was stored,
and handed on again after a crash in between, with the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import apsw

from bellwire.errors import Unavailable
from bellwire.ports.part_store import KeptText, PartStore
from bellwire.storage.embedded.database import FileFormat, open_database, rows, transaction
from bellwire.wire.smpp.reassembly import TextPart

T = TypeVar("T")

PARTS_FILE = "parts.db"
SCHEMA = """
CREATE TABLE part (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL, handed_on_ms INTEGER, source TEXT NOT NULL, destination TEXT NOT NULL,
    reference TEXT NOT NULL, total INTEGER NOT NULL, number INTEGER NOT NULL, data_coding INTEGER NOT NULL,
    content BLOB NOT NULL, received_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX part_of_text ON part (text, number);
"""
PARTS_FORMAT = FileFormat(SCHEMA)
_CACHE_KIB = 1024


class PartsFile(PartStore):
    """Opened by `load`, and closed."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / PARTS_FILE
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bellwire-parts")
        self._opened: apsw.Connection | None = None

    async def load(self) -> Sequence[KeptText]:
        """See `PartStore.load`.

        Raises:
            Misconfigured: the file is damaged, or a later Bellwire's.
        """
        return await self._on_thread(self._load)

    async def keep(self, parts: Sequence[tuple[str, TextPart]]) -> None:
        await self._on_thread(lambda: self._keep(parts))

    async def mark_handed_on(self, text: str, at_ms: int) -> None:
        await self._on_thread(
            lambda: self._change("UPDATE part SET handed_on_ms = ?2 WHERE text = ?1", [(text, at_ms)])
        )

    async def drop(self, texts: Sequence[str]) -> None:
        await self._on_thread(lambda: self._change("DELETE FROM part WHERE text = ?", [(text,) for text in texts]))

    async def close(self) -> None:
        """Finish what is under way; afterwards every call is `Unavailable`."""
        connection, self._opened = self._opened, None
        if connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work)
        except apsw.Error as problem:
            raise Unavailable(f"parts of long texts can't be kept: {problem}") from problem
        except RuntimeError as problem:  # the thread was shut down
            raise Unavailable("Bellwire is stopping") from problem

    @property
    def _connection(self) -> apsw.Connection:
        if self._opened is None:
            self._opened = open_database(self._path, PARTS_FORMAT, cache_kib=_CACHE_KIB)
        return self._opened

    def _load(self) -> Sequence[KeptText]:
        found = rows(
            self._connection,
            "SELECT text, handed_on_ms, source, destination, reference, total, number, data_coding, content,"
            " received_ms FROM part ORDER BY min(id) OVER (PARTITION BY text), id",
        )
        return [
            KeptText(text, tuple(TextPart(*row[2:]) for row in group), handed_on_ms)
            for (text, handed_on_ms), group in groupby(found, key=itemgetter(0, 1))
        ]

    def _keep(self, parts: Sequence[tuple[str, TextPart]]) -> None:
        self._change(
            "INSERT INTO part (text, source, destination, reference, total, number, data_coding, content, received_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    text,
                    part.source,
                    part.destination,
                    part.reference,
                    part.total,
                    part.number,
                    part.data_coding,
                    part.content,
                    part.received_ms,
                )
                for text, part in parts
            ],
        )

    def _change(self, sql: str, bindings: Sequence[tuple[str | int | bytes, ...]]) -> None:
        with transaction(self._connection):
            self._connection.executemany(sql, bindings)
