"""What was promised: each event with the times of its publication, each subscription with what it is owed.

Times are the event loop's. Where an event was published while a subscription was being changed, it may be matched by
either filter: it is allowed, and not owed.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.faults.audit import Event, Receipt, Witness
from torture.plan import Wanted


@dataclass(slots=True)
class Entry:
    """One event: when it was first sent, and when it was acknowledged, if it was."""

    event: Event
    sent_at: float
    acknowledged_at: float = math.inf


@dataclass(slots=True)
class Term:
    """A filter in force, for certain from `since` until `until`; perhaps from `asked` on, and until `ended`."""

    wanted: Wanted
    asked: float
    since: float = math.inf
    until: float = math.inf
    ended: float = math.inf

    def owes(self, entry: Entry) -> bool:
        return self.since < entry.sent_at and entry.acknowledged_at < self.until and matches(self.wanted, entry.event)

    def allows(self, entry: Entry) -> bool:
        return self.asked <= entry.acknowledged_at and entry.sent_at <= self.ended and matches(self.wanted, entry.event)


class Ledger:
    """Events by uuid, in the order of their publication; subscriptions by id."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.subscriptions: dict[str, Promised] = {}
        self.refusals: Counter[int] = Counter()
        """Of publish requests, by status."""
        self._early: dict[str, list[tuple[str, Receipt]]] = {}
        """What came for subscriptions that are not known yet, with the names of the endpoints where it came."""
        self.problems: list[str] = []
        """What broke a rule at once."""

    @property
    def published(self) -> list[Event]:
        return [entry.event for entry in self.entries.values()]

    @property
    def acknowledged(self) -> list[Event]:
        return [entry.event for entry in self.entries.values() if entry.acknowledged_at < math.inf]

    @property
    def strangers(self) -> list[str]:
        """Subscriptions that nobody made, and what came for them."""
        return [
            f"{receipt.uuid} came to {endpoint} for {id_}"
            for id_, receipts in self._early.items()
            for endpoint, receipt in receipts
        ]

    def keep_for_later(self, id_: str, endpoint: str, receipt: Receipt) -> None:
        """A notification may come before the answer that makes its subscription known."""
        self._early.setdefault(id_, []).append((endpoint, receipt))

    def promise(self, id_: str, name: str, wanted: Wanted, *, asked: float, answered: float) -> Promised:
        """A subscription that was made."""
        return self._add(Promised(id_, name, self, [Term(wanted, asked, answered)]))

    def orphan(self, id_: str, name: str, wanted: Wanted, *, asked: float, ended: float) -> Promised:
        """A subscription whose making was never answered, and which was deleted when it was found."""
        made = Promised(id_, name, self, [Term(wanted, asked, ended=ended)])
        made.witness.is_owed = False
        return self._add(made)

    def _add(self, made: Promised) -> Promised:
        self.subscriptions[made.id] = made
        for _, receipt in self._early.pop(made.id, ()):
            made.receive(receipt)
        return made


@dataclass(slots=True)
class Promised:
    """One subscription: its filters through time, and what came of it."""

    id: str
    name: str
    _ledger: Ledger
    terms: list[Term]
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.witness = Witness(f"{self.name} ({self.id})", self._wants, self._allows)

    def change(self, wanted: Wanted, *, asked: float, answered: float) -> None:
        """Another filter took the place of the last one, between these times."""
        self._end_term(asked, answered)
        self.terms.append(Term(wanted, asked, answered))

    def end(self, *, asked: float, answered: float) -> None:
        """It was deleted: what was owed may come until now, and need not."""
        self._end_term(asked, answered)
        self.witness.is_owed = False

    def receive(self, receipt: Receipt) -> None:
        self.witness.receive(receipt)

    def _end_term(self, asked: float, answered: float) -> None:
        self.terms[-1].until = asked
        self.terms[-1].ended = answered

    def _wants(self, event: Event) -> bool:
        entry = self._ledger.entries[event.uuid]
        return any(term.owes(entry) for term in self.terms)

    def _allows(self, event: Event) -> bool:
        entry = self._ledger.entries[event.uuid]
        return any(term.allows(entry) for term in self.terms)


def matches(wanted: Wanted, event: Event) -> bool:
    match wanted:
        case Wanted.ALL:
            return True
        case Wanted.INBOUND:
            return event.number % 2 == 1
        case Wanted.OUTBOUND:
            return event.number % 2 == 0
