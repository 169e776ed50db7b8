"""`records.db`: who is who, who may call, and what was subscribed. `open_records` gives all of its stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bellwire.ports.clock import Clock
from bellwire.storage.records import sms_tables
from bellwire.storage.records.credentials import SqlCredentialStore
from bellwire.storage.records.database import FILE_NAME, Records
from bellwire.storage.records.directory import Removal, SqlDirectory
from bellwire.storage.records.installation import KEY_FILE_NAME, SqlInstallation, read_memo
from bellwire.storage.records.sessions import SqlSessionStore
from bellwire.storage.records.socket_sessions import SqlSocketSessions
from bellwire.storage.records.subscriptions import SqlSubscriptionStore

__all__ = [
    "FILE_NAME",
    "KEY_FILE_NAME",
    "Records",
    "RecordsStores",
    "Removal",
    "SqlCredentialStore",
    "SqlDirectory",
    "SqlInstallation",
    "SqlSessionStore",
    "SqlSocketSessions",
    "SqlSubscriptionStore",
    "open_records",
    "read_memo",
    "sms_tables",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsStores:
    """All stores over one open records database."""

    records: Records
    installation: SqlInstallation
    directory: SqlDirectory
    credentials: SqlCredentialStore
    sessions: SqlSessionStore
    subscriptions: SqlSubscriptionStore
    socket_sessions: SqlSocketSessions

    async def close(self) -> None:
        await self.records.close()


async def open_records(data_dir: Path, clock: Clock) -> RecordsStores:
    """Open the records of a data directory, made if it is missing; the directory and the keys are in memory then.

    The caller holds the data directory's lock: one process opens it at a time.

    Raises:
        Misconfigured: the database or its key is missing, broken, or not this release's.
    """
    records = Records(data_dir / FILE_NAME)
    await records.open()
    try:
        installation = await SqlInstallation.open(data_dir, records)
        directory = SqlDirectory(records)
        credentials = SqlCredentialStore(records, directory)
        await directory.load()
        await credentials.load()
    except BaseException:
        await records.close()
        raise
    return RecordsStores(
        records=records,
        installation=installation,
        directory=directory,
        credentials=credentials,
        sessions=SqlSessionStore(records, directory),
        subscriptions=SqlSubscriptionStore(records, clock),
        socket_sessions=SqlSocketSessions(records),
    )
