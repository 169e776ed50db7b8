"""`log.db`: positions, bodies, and uuids that were chosen."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import msgspec

from bellwire.storage.embedded.database import rows, single
from bellwire.storage.verification.findings import Findings

NEWEST_FOR_REPEATS = 1_000_000
"""Events, from the newest back, that are searched for repeated uuids."""

_decode_body = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def verify_log(db: apsw.Connection, findings: Findings) -> int:
    """Returns the head: the last position that the log has given."""
    stored = rows(db, "SELECT value FROM meta WHERE name = 'head'")
    if not stored:
        findings.problem("it has lost its head: positions may be given twice")
    first, last = single(db, "SELECT min(seq) FROM event"), single(db, "SELECT max(seq) FROM event")
    head = max(last, stored[0][0] if stored else 0)
    count = single(db, "SELECT count(*) FROM event")
    if first < 0:
        findings.problem(f"its first position is {first}; positions begin at 1")
    findings.problems("events that can't be read", _unreadable(db))
    findings.problems("a chosen uuid is logged more than once", _repeated(db, last))
    if count:
        missing = last - first + 1 - count
        gaps = f"; {missing} positions between were never used or are gone" if missing else ""
        findings.sound(f"{count} events at positions {first} to {last}, head {head}{gaps}")
    else:
        findings.sound(f"no events, head {head}")
    return head


def _unreadable(db: apsw.Connection) -> Iterator[str]:
    for seq, body, attributes in db.execute("SELECT seq, body, attributes FROM event"):
        try:
            _decode_body(body)
            if attributes is not None:
                msgspec.json.decode(attributes)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as problem:
            yield f"position {seq} ({problem})"


def _repeated(db: apsw.Connection, last: int) -> Iterator[str]:
    found = db.execute(
        "SELECT account, uuid, min(seq), max(seq) FROM event WHERE chosen AND seq > ? "
        "GROUP BY account, uuid HAVING count(*) > 1",
        (last - NEWEST_FOR_REPEATS,),
    )
    for account, uuid, first, latest in found:
        yield f"{uuid} of account {account} at positions {first} and {latest}"
