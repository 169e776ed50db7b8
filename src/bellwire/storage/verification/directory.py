"""A whole data directory: each file by itself, then what one says of another.

Order: the log, since the others are measured by its head; deliveries and uuids against it; records; and at last the
backlog against the records. A file that SQLite can't read is said so once, and what depends on it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw

from bellwire.errors import Misconfigured, Problem
from bellwire.storage.embedded.database import FileFormat, later_format, single
from bellwire.storage.embedded.dedupe_file import DEDUPE_FILE, DEDUPE_FORMAT
from bellwire.storage.embedded.delivery_file import DELIVERY_FILE, DELIVERY_FORMAT
from bellwire.storage.embedded.directory_lock import hold_unused
from bellwire.storage.embedded.log_file import LOG_FILE, LOG_FORMAT
from bellwire.storage.embedded.parts_file import PARTS_FILE, PARTS_FORMAT
from bellwire.storage.records.database import FILE_NAME as RECORDS_FILE
from bellwire.storage.verification.chosen_uuids import verify_dedupe
from bellwire.storage.verification.deliveries import verify_deliveries
from bellwire.storage.verification.event_log import verify_log
from bellwire.storage.verification.findings import Verification
from bellwire.storage.verification.records import verify_backlog_versions, verify_records
from bellwire.storage.verification.untouched import is_whole, untouched


def verify_directory(data_dir: Path) -> Verification:
    """Look at everything, change nothing.

    Raises:
        Misconfigured: it is no data directory, or a server uses it.
    """
    if not any((data_dir / name).exists() for name in (LOG_FILE, DELIVERY_FILE, RECORDS_FILE)):
        raise Misconfigured((Problem("data", f"{data_dir} is no data directory of Bellwire"),))
    with hold_unused(data_dir):
        verification = Verification()
        with ExitStack() as opened:
            _verify(_Files(data_dir, verification, opened), data_dir, verification)
        return verification


class _Files:
    """Opens files, each once, and says what is wrong with those that can't be looked into."""

    def __init__(self, data_dir: Path, verification: Verification, opened: ExitStack) -> None:
        self._data_dir = data_dir
        self._verification = verification
        self._opened = opened

    def open(self, name: str, form: FileFormat | None, *, if_missing: str = "") -> apsw.Connection | None:
        """A connection, or None where nothing can be said beyond what is said here.

        Args:
            form: what its `user_version` is measured by.
            if_missing: why its absence is no problem.
        """
        findings = self._verification.of(name)
        path = self._data_dir / name
        if not path.exists():
            if if_missing:
                findings.note(f"it is missing; {if_missing}")
            else:
                findings.problem("it is missing")
            return None
        try:
            connection = self._opened.enter_context(untouched(path))
        except apsw.Error as problem:
            findings.problem(f"SQLite can't open it: {problem}")
            return None
        if not is_whole(connection, findings):
            return None
        if form is not None:
            found = single(connection, "PRAGMA user_version")
            if found > form.version:
                findings.problem(later_format(path, found, form))
                return None
            if found < 1:
                findings.problem(f"it has no format that Bellwire wrote: {found}")
                return None
            if found < form.version:
                findings.note(f"format {found}; the next start brings it to {form.version}")
        return connection


def _verify(files: _Files, data_dir: Path, verification: Verification) -> None:
    log = files.open(LOG_FILE, LOG_FORMAT)
    head: int | None = None
    if log is not None:
        with _readable(verification, LOG_FILE):
            head = verify_log(log, verification.of(LOG_FILE))
    delivery = files.open(DELIVERY_FILE, DELIVERY_FORMAT)
    if delivery is not None and log is not None and head is not None:
        with _readable(verification, DELIVERY_FILE):
            verify_deliveries(delivery, log, head, verification.of(DELIVERY_FILE))
    dedupe = files.open(DEDUPE_FILE, DEDUPE_FORMAT, if_missing="the next start makes it anew from the log")
    if dedupe is not None and log is not None and head is not None:
        with _readable(verification, DEDUPE_FILE):
            verify_dedupe(dedupe, log, head, verification.of(DEDUPE_FILE))
    if (data_dir / PARTS_FILE).exists():
        files.open(PARTS_FILE, PARTS_FORMAT)
    records = files.open(RECORDS_FILE, None)
    if records is not None:
        with _readable(verification, RECORDS_FILE):
            if verify_records(records, head, data_dir, verification) and delivery is not None:
                verify_backlog_versions(records, delivery, verification.of(DELIVERY_FILE))


@contextmanager
def _readable(verification: Verification, file: str) -> Iterator[None]:
    """A table that is not there, or a row that can't be what it should be: the rest of the file is left out."""
    try:
        yield
    except (apsw.Error, ValueError, TypeError) as problem:
        verification.of(file).problem(f"it is not as Bellwire writes it: {problem}")
