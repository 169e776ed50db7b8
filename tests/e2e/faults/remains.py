"""What a process that was killed leaves: requests on their way to endpoints, and a history on disk."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import ssl
from collections import Counter
from contextlib import closing
from pathlib import Path

from bellwire.testing.receiver import WebhookReceiver

DELIVERED = 0
"""An outcome, as `delivery.db` has it."""
_MARKER = b"POST / HTTP/1.1\r\nValidation-Token: last\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def all_has_come(receiver: WebhookReceiver, tls: ssl.SSLContext | None = None) -> None:
    """Wait until everything that a process which is dead now has sent was received: connections are accepted in
    the order in which they came, and each ends with what was sent on it.

    Args:
        tls: how to connect to a receiver that serves https.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=tls)
    writer.write(_MARKER)
    await reader.read()
    writer.close()
    async with asyncio.timeout(60):
        while receiver.open_connections:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


class Records:
    """The deliveries in `delivery.db`, read as the file is after a kill, from a copy, by another SQLite."""

    def __init__(self, data: Path, scratch: Path) -> None:
        self._data = data
        self._scratch = scratch
        self._last_id = 0
        self._delivered: set[tuple[str, str]] = set()
        self.failed: Counter[tuple[str, str]] = Counter()

    def delivered(self) -> set[tuple[str, str]]:
        """(subscription, uuid), of all lives so far."""
        for name in ("delivery.db", "delivery.db-wal"):
            (self._scratch / name).unlink(missing_ok=True)
            if (self._data / name).exists():
                shutil.copyfile(self._data / name, self._scratch / name)
        with closing(sqlite3.connect(self._scratch / "delivery.db")) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            after = self._last_id
            for table in filter(re.compile(r"attempt_\d+").fullmatch, tables):
                found = db.execute(f"SELECT id, subscription, uuid, outcome FROM {table} WHERE id > ?", (after,))
                for id_, subscription, uuid, outcome in found:
                    if outcome == DELIVERED:
                        self._delivered.add((subscription, uuid))
                    else:
                        self.failed[subscription, uuid] += 1
                    self._last_id = max(self._last_id, id_)
        return set(self._delivered)
