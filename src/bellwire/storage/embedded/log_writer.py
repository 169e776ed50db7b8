"""What the writer thread does with a group of appends: tell duplicates, give positions, commit once.

The log commits first and alone; the dedupe file learns of it afterwards, in memory. Trimming rides along: each commit
deletes one chunk of what retention asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import Position
from bellwire.ports.event_log import Appended, Duplicate
from bellwire.storage.embedded.dedupe_file import DedupeFile, hash_of
from bellwire.storage.embedded.log_file import Identity, LogFile

Answers = list[Appended | Duplicate]


@dataclass(slots=True, eq=False)
class Append:
    """One waiting call. `size_bytes` counts bodies and a share for the rest."""

    events: Sequence[Event]
    size_bytes: int
    future: asyncio.Future[Answers]


class Trimmed(msgspec.Struct, frozen=True):
    events: int
    first: Position
    """Position of the oldest event that is left, or the one after the head."""


@dataclass(slots=True, eq=False)
class Trim:
    """A wish to delete, filled chunk by chunk."""

    before: Position
    max_events: int
    future: asyncio.Future[Trimmed]
    deleted: int = field(default=0)


class LogWriter:
    """Used by the writer thread alone."""

    def __init__(self, log: LogFile, dedupe: DedupeFile, chunk_rows: int) -> None:
        self._log = log
        self._dedupe = dedupe
        self._chunk_rows = chunk_rows
        self._trims: deque[Trim] = deque()

    @property
    def is_trimming(self) -> bool:
        return bool(self._trims)

    def trim(self, trim: Trim) -> None:
        self._trims.append(trim)

    def abandon_trims(self) -> list[Trim]:
        """Give the unfinished ones back, for whoever tells their callers why."""
        trims = list(self._trims)
        self._trims.clear()
        return trims

    def write(self, group: Sequence[Append]) -> tuple[list[LoggedEvent], list[Answers], Trim | None]:
        """Commit a group (which may be empty, to trim) and say what became of each event.

        Returns:
            the events logged, in order; for each call its answers; a trim that this commit finished.

        Raises:
            apsw.Error: nothing of the group was logged.
        """
        hashes: dict[Identity, int] = {
            (event.account, event.uuid): hash_of(event.account, event.uuid)
            for append in group
            for event in append.events
            if event.chosen
        }
        known = self._known(hashes) if hashes else {}
        fresh: dict[Identity, int] = {}
        logged: list[LoggedEvent] = []
        answers: list[Answers] = []
        seq = self._log.head
        for append in group:
            answer: Answers = []
            for event in append.events:
                if event.chosen:
                    identity = (event.account, event.uuid)
                    original = known.get(identity) or fresh.get(identity)
                    if original is not None:
                        answer.append(Duplicate(Position(original)))
                        continue
                    fresh[identity] = seq + 1
                seq += 1
                position = Position(seq)
                logged.append(LoggedEvent(position, event))
                answer.append(Appended(position))
            answers.append(answer)
        trim = self._commit(logged)
        self._dedupe.remember([(hashes[identity], seq) for identity, seq in fresh.items()], self._log.head)
        return logged, answers, trim

    def make_room(self) -> None:
        """Keep the memory of chosen uuids within its bound; to be called after each `write`."""
        self._dedupe.make_room()

    def find(self, identities: Sequence[Identity]) -> dict[Identity, int]:
        """Positions of those of the events that are in the log under a uuid that their producer chose."""
        return self._known({identity: hash_of(*identity) for identity in identities})

    def first_event(self) -> Position:
        return Position(self._log.first_event())

    def _known(self, hashes: dict[Identity, int]) -> dict[Identity, int]:
        """Those of the identities that the log has, by comparing the real uuids of all candidates."""
        candidates = self._dedupe.lookup(list(hashes.values()))
        if not candidates:
            return {}
        identities = self._log.identities(sorted({seq for seqs in candidates.values() for seq in seqs}))
        return {identity: seq for seq, identity in identities.items() if identity in hashes}

    def _commit(self, logged: list[LoggedEvent]) -> Trim | None:
        if not self._trims:
            if logged:
                self._log.write(logged, 0, 0)
            return None
        trim = self._trims[0]
        rows = min(self._chunk_rows, trim.max_events - trim.deleted)
        deleted = self._log.write(logged, trim.before, rows)
        trim.deleted += deleted
        if deleted == rows and trim.deleted < trim.max_events:
            return None
        self._trims.popleft()
        self._dedupe.forget_before(self._log.first_event())
        return trim
