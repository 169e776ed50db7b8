"""What must not be, of all that was promised, received and recorded. Knows nothing of the server but its promises.

`tests/e2e/faults/audit.py` says what is lost, unwanted, out of order or repeated without a reason, of one subscription;
here all are held against it, and the server's own history beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.e2e.faults.audit import Audit, Event, Why
from torture.ledger import Ledger, Promised


@dataclass(frozen=True, slots=True)
class Logged:
    """An event in history."""

    position: int
    uuid: str


@dataclass(frozen=True, slots=True)
class Repeats:
    """Notifications that came again, by the reason that allows it."""

    after_failure: int
    """The answer before was an error, or none in time."""
    after_end: int
    """The process ended before it could record the answer: at most what went out in its last 50 ms."""

    @property
    def allowed(self) -> int:
        return self.after_failure + self.after_end


@dataclass(frozen=True, slots=True)
class Verdict:
    """`complaints`: one line for each broken rule; empty when all is well."""

    matched: int
    receipts: int
    lost: int
    repeats: int
    allowed: Repeats
    out_of_order: int
    missed: int
    """Notifications that recovered WebSocket sessions never got."""
    socket_receipts: int
    socket_repeats: int
    """Notifications that came to a session again, after it was recovered."""
    complaints: tuple[str, ...]


@dataclass(slots=True)
class Found:
    """All that the checker is given. Names are subscriptions' ids."""

    ledger: Ledger
    sessions: Sequence[Promised]
    """WebSocket sessions; the ledger's subscriptions are webhooks'."""
    lives: int
    """How many processes there were."""
    on_record: Mapping[tuple[str, str], int]
    """(subscription, uuid) of the deliveries on disk, and at the end of which life they first were."""
    failures: Mapping[tuple[str, str], int]
    events: Sequence[Logged]
    """History of events, by its API, in order."""
    deliveries: Mapping[str, Counter[str]]
    """History of each webhook subscription that is there still, by its API: how often which uuid was delivered."""


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What was on record at the end of a life."""

    since: Mapping[tuple[str, str], int]
    life: int

    def __contains__(self, delivery: object) -> bool:
        return isinstance(delivery, tuple) and self.since.get(delivery, self.life + 1) <= self.life


def check(found: Found) -> Verdict:
    ledger = found.ledger
    webhooks = list(ledger.subscriptions.values())
    by_id = {each.id: each.witness.name for each in webhooks}
    since = {(by_id[id_], uuid): life for (id_, uuid), life in found.on_record.items() if id_ in by_id}
    on_record = [OnRecord(since, life) for life in range(found.lives)]
    failures = {(by_id[id_], uuid): count for (id_, uuid), count in found.failures.items() if id_ in by_id}
    acknowledged = ledger.acknowledged
    audit = Audit(ledger.published, acknowledged, on_record, failures)
    complaints = [
        *ledger.problems,
        *(f"somebody else's subscription: {stranger}" for stranger in ledger.strangers),
        *(complaint for each in webhooks for complaint in audit.complaints(each.witness)),
        *(complaint for each in found.sessions for complaint in audit.complaints_of_session(each.witness)),
        *_not_in_history(acknowledged, found.events),
        *_wrongly_recorded(webhooks, acknowledged, found.deliveries),
    ]
    owed = [each for each in webhooks if each.witness.is_owed]
    reasons = Counter(repeat.why for each in webhooks for repeat in audit.repeats(each.witness))
    return Verdict(
        matched=sum(each.witness.wants(event) for each in owed for event in acknowledged),
        receipts=sum(len(each.witness.receipts) for each in webhooks),
        lost=sum(len(each.witness.lacks(acknowledged)) for each in owed),
        repeats=reasons.total(),
        allowed=Repeats(reasons[Why.FAILED], reasons[Why.UNRECORDED]),
        out_of_order=sum(len(audit.out_of_order(each.witness)) for each in [*webhooks, *found.sessions]),
        missed=sum(len(each.witness.lacks(acknowledged)) for each in found.sessions),
        socket_receipts=sum(len(each.witness.receipts) for each in found.sessions),
        socket_repeats=sum(len(audit.repeats(each.witness)) for each in found.sessions),
        complaints=tuple(complaints),
    )


def _not_in_history(acknowledged: Sequence[Event], logged: Sequence[Logged]) -> Iterable[str]:
    """Each acknowledged event is in history once, and those of a key are in the order in which they were published."""
    positions: dict[str, list[int]] = {}
    for each in logged:
        positions.setdefault(each.uuid, []).append(each.position)
    last: dict[str, int] = {}
    for event in acknowledged:
        places = positions.get(event.uuid, [])
        if len(places) != 1:
            yield f"history has {event.uuid} at {len(places)} positions {places}"
            continue
        if places[0] < last.get(event.key, -1):
            yield f"history has {event.uuid} at {places[0]}, before an earlier event of {event.key}"
        last[event.key] = places[0]


def _wrongly_recorded(
    webhooks: Sequence[Promised], acknowledged: Sequence[Event], deliveries: Mapping[str, Counter[str]]
) -> Iterable[str]:
    """Of each notification that is owed history has one delivery: neither none, nor a second one."""
    for each in webhooks:
        if each.id not in deliveries:
            continue
        recorded = deliveries[each.id]
        if each.witness.is_owed:
            wanted = (event for event in acknowledged if each.witness.wants(event))
            missing = [event.uuid for event in wanted if event.uuid in each.witness.taken and not recorded[event.uuid]]
            yield from (f"{each.witness.name}: history has no delivery of {uuid}" for uuid in missing)
        twice = [uuid for uuid, count in recorded.items() if count > 1]
        yield from (f"{each.witness.name}: history has {recorded[uuid]} deliveries of {uuid}" for uuid in twice)
