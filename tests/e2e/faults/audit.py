"""What endpoints received, held against what was promised them. Knows nothing of the engine but its promises.

It is told, in order: what each endpoint received and how it answered, when the server was killed, and what the server's
history had on disk at that moment. From that it says what must not be:

- **Lost.** An acknowledged event that an endpoint's filter wants, and that it never answered with 200.
- **Unwanted.** An event that the filter neither wants nor allows, or that nobody published.
- **Out of order.** Within an ordering key an event comes for the first time before the one before it was answered with
  200; or, within the life of one process, after a later one.
- **Repeated.** An event comes again although it was answered with 200 before, unless a kill lies between, *and* the
  history on disk at that kill had no delivery of it. So a repeat needs one of two reasons: the answer before was a
  failure or none, or the process died before its record was written.
- **Unrecorded.** Such records may be missing for the last flush interval only: of what was answered with 200 before a
  kill, all that came earlier than `FLUSH_SECONDS` before the last answer on record has to be on record. (Ages are
  compared among answers, not with the kill, since a busy machine may let the server read none of them for a while.)

An answer with 200 that comes after three seconds, since the tests' own process had no processor, is a failure to the
server. Then history has more failures of that event than the endpoint knows of, and the last two rules pass over it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

FLUSH_SECONDS = 0.05
"""How often outcomes are committed (docs/delivery.md, Promised)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as published: number `number` of its ordering key, which all events before it precede in the log."""

    uuid: str
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """One notification at one endpoint. `life`: the how-manieth process sent it. `taken`: it was answered with 200."""

    uuid: str
    life: int
    taken: bool
    at: float


class Why(Enum):
    """Why an event came again: by the first two it may, by the others it must not."""

    FAILED = "the answer before was a failure, or none in time"
    UNRECORDED = "the process ended before it could record the answer"
    TWICE = "twice in one life"
    ON_RECORD = "although its delivery was on record"


@dataclass(frozen=True, slots=True)
class Repeat:
    receipt: Receipt
    why: Why


@dataclass(slots=True)
class Witness:
    """One subscription's endpoint: what it wants, and what it received, in order."""

    name: str
    wants: Callable[[Event], bool] = lambda _event: True
    allows: Callable[[Event], bool] = lambda _event: False
    """What may come beside what it wants: events published while its subscription was being changed."""
    is_owed: bool = True
    """Whether what it wants has to come: not where its subscription has ended."""
    receipts: list[Receipt] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def receive(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)
        if receipt.taken:
            self.taken.add(receipt.uuid)

    def lacks(self, events: Collection[Event]) -> list[str]:
        """Which of the events it wants it has not answered with 200 yet."""
        if not self.is_owed:
            return []
        return [event.uuid for event in events if event.uuid not in self.taken and self.wants(event)]


@dataclass(slots=True)
class Audit:
    """`published`: all that may have reached the log. `acknowledged`: all that was answered 202."""

    published: Sequence[Event]
    acknowledged: Sequence[Event]
    on_record: Sequence[Container[tuple[str, str]]]
    """For each life that was killed: (witness, uuid) of the deliveries in its history, at its death and before."""
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many failed attempts of each history has in the end."""

    def complaints(self, witness: Witness) -> list[str]:
        """Everything about one endpoint that must not be; empty when all is well."""
        return [
            *(f"{witness.name}: {uuid} is lost" for uuid in witness.lacks(self.acknowledged)),
            *self._unwanted(witness),
            *self.out_of_order(witness),
            *self._repeated(witness),
            *self._unrecorded(witness),
        ]

    def complaints_of_session(self, witness: Witness) -> list[str]:
        """The same about one WebSocket session, which is not asked whether it took something."""
        return [
            *(f"{witness.name}: {uuid} is lost" for uuid in witness.lacks(self.acknowledged)),
            *self._unwanted(witness),
            *self.out_of_order(witness),
        ]

    def repeats(self, witness: Witness) -> list[Repeat]:
        """What came again, in order."""
        before: dict[str, Receipt] = {}
        late = self._answered_late(witness)
        found = []
        for receipt in witness.receipts:
            earlier = before.get(receipt.uuid)
            if earlier is not None:
                found.append(Repeat(receipt, self._why(witness.name, earlier, receipt, late)))
            before[receipt.uuid] = receipt
        return found

    def _why(self, name: str, earlier: Receipt, receipt: Receipt, late: Collection[str]) -> Why:
        if not earlier.taken or receipt.uuid in late:
            return Why.FAILED
        if earlier.life == receipt.life:
            return Why.TWICE
        return Why.ON_RECORD if (name, receipt.uuid) in self.on_record[earlier.life] else Why.UNRECORDED

    def _answered_late(self, witness: Witness) -> set[str]:
        untaken = Counter(receipt.uuid for receipt in witness.receipts if not receipt.taken)
        return {uuid for (name, uuid), count in self.failures.items() if name == witness.name and count > untaken[uuid]}

    def _unwanted(self, witness: Witness) -> list[str]:
        wanted = {event.uuid for event in self.published if witness.wants(event) or witness.allows(event)}
        return [f"{witness.name}: {r.uuid} was not wanted" for r in witness.receipts if r.uuid not in wanted]

    def out_of_order(self, witness: Witness) -> list[str]:
        """The complaints of that rule."""
        known = {event.uuid: event for event in self.published}
        wanted: dict[str, list[int]] = defaultdict(list)
        for event in self.published:
            if witness.wants(event):
                wanted[event.key].append(event.number)
        due = {key: iter(sorted(numbers)) for key, numbers in wanted.items()}
        head = {key: next(numbers) for key, numbers in due.items()}
        """Of each key, the first event that was not answered with 200 yet."""
        newest: dict[tuple[str, int], int] = {}
        found = []
        for receipt in witness.receipts:
            if receipt.uuid not in known or not witness.wants(known[receipt.uuid]):
                continue
            event = known[receipt.uuid]
            if event.number > head[event.key]:
                found.append(f"{witness.name}: {event.uuid} came before {event.key}-{head[event.key]} was taken")
            if event.number < newest.get((event.key, receipt.life), -1):
                found.append(f"{witness.name}: {event.uuid} came after a later one in life {receipt.life}")
            newest[event.key, receipt.life] = event.number
            if receipt.taken and event.number == head[event.key]:
                head[event.key] = next(due[event.key], 1 << 62)
        return found

    def _repeated(self, witness: Witness) -> list[str]:
        found = []
        for repeat in self.repeats(witness):
            if repeat.why is Why.TWICE:
                found.append(f"{witness.name}: {repeat.receipt.uuid} came twice in life {repeat.receipt.life}")
            elif repeat.why is Why.ON_RECORD:
                found.append(f"{witness.name}: {repeat.receipt.uuid} came again, and its delivery was on record")
        return found

    def _unrecorded(self, witness: Witness) -> list[str]:
        late = self._answered_late(witness)
        found = []
        for life, recorded in enumerate(self.on_record):
            taken = [r for r in witness.receipts if r.taken and r.life == life and r.uuid not in late]
            last = max((r.at for r in taken if (witness.name, r.uuid) in recorded), default=0.0)
            found += [
                f"{witness.name}: {r.uuid} was not on record {last - r.at:.3f} s after it was taken"
                for r in taken
                if r.at < last - FLUSH_SECONDS and (witness.name, r.uuid) not in recorded
            ]
        return found
