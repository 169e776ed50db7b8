"""`delivery.db`: the watermark, the backlog and its events, the tables of attempts."""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from itertools import islice

import apsw
import msgspec

from bellwire.model.event import Event
from bellwire.storage.embedded.attempt_tables import read_hours
from bellwire.storage.embedded.database import rows, single
from bellwire.storage.verification.findings import Findings

PAGE = 10_000

_decode_event = msgspec.msgpack.Decoder(Event).decode


def verify_deliveries(db: apsw.Connection, log: apsw.Connection, head: int, findings: Findings) -> None:
    watermark = single(db, "SELECT max(position) FROM watermark")
    waiting, subscriptions = rows(db, "SELECT count(*), count(DISTINCT subscription) FROM backlog")[0]
    if watermark > head:
        findings.problem(
            f"the watermark {watermark} is past the log's head {head}: events are lost, "
            "or log.db is from an older backup than delivery.db"
        )
    last = single(db, "SELECT max(seq) FROM backlog")
    if last > head:
        findings.problem(f"the backlog names position {last}, past the log's head {head}")
    findings.problems("waiting notifications whose event is gone", _without_event(db, log, head))
    findings.problems("kept events that can't be read", _unreadable_kept(db))
    _verify_attempts(db, findings)
    findings.sound(
        f"watermark {watermark}, {max(0, head - watermark)} events to be routed again; "
        f"{waiting} notifications of {subscriptions} subscriptions wait"
    )


def _without_event(db: apsw.Connection, log: apsw.Connection, head: int) -> Iterator[str]:
    """Positions above the head are another problem."""
    needed = db.execute(
        "SELECT DISTINCT seq FROM backlog WHERE seq <= ? AND seq NOT IN (SELECT seq FROM kept) ORDER BY seq", (head,)
    )
    while page := [seq for (seq,) in islice(needed, PAGE)]:
        present = _logged(log, page)
        yield from (f"position {seq}" for seq in page if seq not in present)


def _logged(log: apsw.Connection, seqs: Sequence[int]) -> set[int]:
    found = rows(
        log,
        "SELECT e.seq FROM carray(?) a CROSS JOIN event e ON e.seq = a.value",
        (apsw.carray(array.array("q", seqs)),),
    )
    return {seq for (seq,) in found}


def _unreadable_kept(db: apsw.Connection) -> Iterator[str]:
    for seq, event in db.execute("SELECT seq, event FROM kept"):
        try:
            _decode_event(event)
        except msgspec.DecodeError as problem:
            yield f"position {seq} ({problem})"


def _verify_attempts(db: apsw.Connection, findings: Findings) -> None:
    present = {name for (name,) in rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    hours = read_hours(db)
    findings.problems(
        "hours of attempts without their tables",
        (str(hour.hour) for hour in hours if not {hour.table, hour.index} <= present),
    )
    count = 0
    before = 0
    for hour in hours:
        if hour.table not in present:
            continue
        first = single(db, f"SELECT min(id) FROM {hour.table}")  # noqa: S608 - our name
        last = single(db, f"SELECT max(id) FROM {hour.table}")  # noqa: S608 - our name
        count += single(db, f"SELECT count(*) FROM {hour.table}")  # noqa: S608 - our name
        if first and (first < hour.first_id or first <= before):
            findings.problem(f"the attempts of hour {hour.hour} are not after those of the hour before")
        before = max(before, last)
    findings.sound(f"{count} attempts of {len(hours)} hours")
