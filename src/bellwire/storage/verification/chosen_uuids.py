"""`dedupe.db`: whether it still knows the uuids at the log's end."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from bellwire.storage.embedded.database import rows, single
from bellwire.storage.embedded.dedupe_file import State, hash_of
from bellwire.storage.verification.findings import Findings

NEWEST = 20_000
"""Events with a chosen uuid, from the newest that the file knows back, that are looked up in it."""


def verify_dedupe(db: apsw.Connection, log: apsw.Connection, head: int, findings: Findings) -> None:
    """What lies above `indexed_to` is read from the log at the next start, and needs no look."""
    indexed_to = single(db, "SELECT value FROM meta WHERE name = 'indexed_to'")
    if indexed_to > head:
        findings.problem(
            f"it knows positions up to {indexed_to}, past the log's head {head}: the log is older than this file"
        )
        return
    live = [number for (number,) in rows(db, "SELECT id FROM run WHERE state = ? ORDER BY id", (State.LIVE,))]
    present = {name for (name,) in rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    missing = [number for number in live if f"run_{number}" not in present]
    findings.problems("runs without their table", map(str, missing))
    if not missing:
        findings.problems("uuids that it has forgotten, and would take again", _forgotten(db, log, live, indexed_to))
    findings.sound(f"{len(live)} runs, in step with the log up to position {indexed_to}")


def _forgotten(db: apsw.Connection, log: apsw.Connection, runs: list[int], indexed_to: int) -> Iterator[str]:
    chosen = rows(
        log,
        "SELECT seq, account, uuid FROM event WHERE seq <= ? AND chosen ORDER BY seq DESC LIMIT ?",
        (indexed_to, NEWEST),
    )
    for seq, account, uuid in chosen:
        number = hash_of(account, uuid)
        # Newest run first: that is where the newest uuids are.
        if not any(
            rows(db, f"SELECT 1 FROM run_{run} WHERE hash = ? AND seq = ?", (number, seq))  # noqa: S608 - our name
            for run in reversed(runs)
        ):
            yield f"{uuid} of account {account} (position {seq})"
