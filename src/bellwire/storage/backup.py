"""A backup of a data directory that a server may be writing, made by another process with SQLite's backup API.

Read transactions pin what each file held at one moment; the pages are copied out of them in peace. The moments are not
independent, because the files promise things about each other (engine.md, Deliver and settle):

    uuids (dedupe.db), parts of texts (parts.db)  ─▶  deliveries and records, at the same moment  ─▶  log.db

- A watermark must not be ahead of the log, nor a backlog row without its event: the log is pinned after the deliveries.
  Where retention took events between the two that are needed, all is pinned anew.
- A backlog row names a version of its subscription's filters: deliveries and records are pinned together. No lock
  is taken for that (a backup that was suspended while holding one would stop the server): that neither file had a
  commit meanwhile is seen by SQLite's `data_version`, and otherwise they are pinned anew.
- What `dedupe.db` lacks is read from the log at the next start, so it is pinned first.
- A text that `parts.db` has as waiting, and the records as stored, is stored once: it is pinned before the records.

A start on the copy is therefore a start after a crash at that moment. Nothing is written to the source, and none
of its checkpoints is made; its WAL files grow while the copy runs. Never to be called in the server's own process: it
opens records.db with another SQLite than the server, and the two would lose each other's locks.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from bellwire.errors import Misconfigured, Problem
from bellwire.storage.embedded.database import rows, single
from bellwire.storage.embedded.dedupe_file import DEDUPE_FILE
from bellwire.storage.embedded.delivery_file import DELIVERY_FILE
from bellwire.storage.embedded.log_file import LOG_FILE
from bellwire.storage.embedded.parts_file import PARTS_FILE
from bellwire.storage.records.database import FILE_NAME as RECORDS_FILE
from bellwire.storage.records.installation import KEY_FILE_NAME

TRIES = 1000
PAUSE_SECONDS = 0.005
PAGES_A_STEP = 256
BUSY_MILLISECONDS = 5_000
UNFINISHED = ".unfinished"
OPTIONAL_FILES = (PARTS_FILE, DEDUPE_FILE)
"""Not every directory has them; pinned first, since each may be behind the others and not ahead."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied."""

    head: int
    events: int
    size_bytes: int
    seconds: float


def back_up(data_dir: Path, to: Path) -> Backup:
    """Copy a data directory to `to`, which appears when all of it is durable.

    Raises:
        Misconfigured: `data_dir` is no data directory or can't be read, or `to` exists or can't be written.
    """
    started = time.monotonic()
    for name in (LOG_FILE, DELIVERY_FILE, RECORDS_FILE, KEY_FILE_NAME):
        if not (data_dir / name).exists():
            raise Misconfigured((Problem("data", f"{data_dir} is no data directory of Bellwire: it has no {name}"),))
    if to.exists():
        raise Misconfigured((Problem("to", f"{to} exists; name a directory that does not"),))
    unfinished = to.with_name(to.name + UNFINISHED)
    try:
        unfinished.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise Misconfigured(
            (Problem("to", f"{unfinished} is left of a backup that broke off, or of one under way: remove it first"),)
        ) from None
    except OSError as problem:
        raise Misconfigured((Problem("to", f"{unfinished} can't be made: {problem.strerror}"),)) from problem
    try:
        head, events = _copy(data_dir, unfinished)
        _sync_directory(unfinished)
        unfinished.rename(to)
        _sync_directory(to.parent)
    except (apsw.Error, OSError) as problem:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise Misconfigured((Problem("data", f"{data_dir} could not be copied: {problem}"),)) from problem
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    size = sum(path.stat().st_size for path in to.iterdir())
    return Backup(head, events, size, time.monotonic() - started)


def _copy(data_dir: Path, to: Path) -> tuple[int, int]:
    with _pinned(data_dir) as files:
        for file in files:
            file.copy_to(to / file.path.name)
        log = files[-1].pinned
        head = max(single(log, "SELECT value FROM meta WHERE name = 'head'"), single(log, "SELECT max(seq) FROM event"))
        events = single(log, "SELECT count(*) FROM event")
    _copy_key(data_dir / KEY_FILE_NAME, to / KEY_FILE_NAME)
    return head, events


class _File:
    """One file of the source, with a connection that is pinned and one that sees what the server does."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self.path = path
        self.pinned = _reader(path, opened)
        self._observer = _reader(path, opened)

    def pin(self) -> None:
        self.unpin()
        self.pinned.execute("BEGIN")
        single(self.pinned, "SELECT count(*) FROM sqlite_schema")  # a transaction begins with its first read

    def unpin(self) -> None:
        if self.pinned.in_transaction:
            self.pinned.execute("ROLLBACK")

    def version(self) -> int:
        """Another number after each commit of the server."""
        return single(self._observer, "PRAGMA data_version")

    def look(self, read: Callable[[apsw.Connection], int]) -> int:
        """Read what the file holds now."""
        return read(self._observer)

    def copy_to(self, path: Path) -> None:
        """Copy what is pinned; durable on return."""
        copy = apsw.Connection(str(path))
        path.chmod(0o600)
        try:
            with copy.backup("main", self.pinned, "main") as copying:
                while not copying.done:
                    copying.step(PAGES_A_STEP)
        finally:
            copy.close()


@contextmanager
def _pinned(data_dir: Path) -> Iterator[Sequence[_File]]:
    """The files of one moment; the log is the last."""
    with ExitStack() as opened:
        delivery, records, log = (_File(data_dir / name, opened) for name in (DELIVERY_FILE, RECORDS_FILE, LOG_FILE))
        optional = [_File(data_dir / name, opened) for name in OPTIONAL_FILES if (data_dir / name).exists()]
        files = (*optional, delivery, records, log)
        for _ in range(TRIES):
            for file in optional:
                file.pin()
            first = log.look(_first)
            before = delivery.version(), records.version()
            delivery.pin()
            records.pin()
            at_once = (delivery.version(), records.version()) == before
            log.pin()
            first_now = _first(log.pinned)
            if at_once and (first_now == first or _needs_nothing_below(first_now, delivery.pinned)):
                yield files
                for file in files:
                    file.unpin()
                return
            time.sleep(PAUSE_SECONDS)
    raise Misconfigured((Problem("data", f"{data_dir} changes too quickly to be copied; try again later"),))


def _first(log: apsw.Connection) -> int:
    """The log's oldest position, or the one after its head."""
    return single(log, "SELECT min(seq) FROM event") or single(log, "SELECT value FROM meta WHERE name = 'head'") + 1


def _needs_nothing_below(first: int, delivery: apsw.Connection) -> bool:
    """Whether all that is to be routed, and all that waits and is not kept, is at `first` or above."""
    if single(delivery, "SELECT max(position) FROM watermark") + 1 < first:
        return False
    oldest = "SELECT min(seq) FROM backlog WHERE seq < ? AND seq NOT IN (SELECT seq FROM kept)"
    return rows(delivery, oldest, (first,)) == [(None,)]


def _reader(path: Path, opened: ExitStack) -> apsw.Connection:
    # Not opened as read-only: after a crash of the server, the shared memory of its WAL has to be made anew.
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    opened.callback(connection.close)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.wal_autocheckpoint(0)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _copy_key(source: Path, to: Path) -> None:
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        copy.write(source.read_bytes())
        copy.flush()
        os.fsync(copy.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
