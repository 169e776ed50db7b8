"""The checker finds what it is for: each kind of fault, put into books that were in order, is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.e2e.faults.audit import Event, Receipt
from torture.checker import Found, Logged, Verdict, check
from torture.ledger import Entry, Ledger, Promised, Term
from torture.plan import Wanted

COUNT = 6
FIRST = "torture0-0"
SECOND = "torture0-1"


def got(uuid: str, life: int = 0, *, taken: bool = True, at: float = 0.0) -> Receipt:
    return Receipt(uuid, life, taken, at)


@dataclass
class Books:
    """Six acknowledged events of one key, published at 10, 20 … 60 and acknowledged a second later. Three webhooks:
    all, inbound (the odd ones), and `changed`, which was inbound, and outbound from about 35 on. One session. Two
    lives, and everything came in the first one."""

    ledger: Ledger = field(default_factory=Ledger)
    on_record: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    deliveries: dict[str, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for n in range(COUNT):
            uuid = f"torture0-{n}"
            sent = 10.0 * (n + 1)
            self.ledger.entries[uuid] = Entry(Event(uuid, "torture0", n), sent, sent + 1)
        self.all = self.ledger.promise("s1", "all", Wanted.ALL, asked=1, answered=2)
        self.inbound = self.ledger.promise("s2", "inbound", Wanted.INBOUND, asked=1, answered=2)
        self.changed = self.ledger.promise("s3", "changed", Wanted.INBOUND, asked=1, answered=2)
        self.changed.change(Wanted.OUTBOUND, asked=34, answered=36)
        self.session = Promised("s4", "socket", self.ledger, [Term(Wanted.ALL, 1, 2)])
        self.events = [Logged(n + 1, f"torture0-{n}") for n in range(COUNT)]

    def receive(self, whose: Promised, *numbers: int, life: int = 0) -> None:
        for number in numbers:
            whose.receive(got(f"torture0-{number}", life))

    def all_in_order(self) -> None:
        self.receive(self.all, *range(COUNT))
        self.receive(self.inbound, 1, 3, 5)
        self.receive(self.changed, 1, 4)
        self.receive(self.session, *range(COUNT))
        webhooks = (self.all, self.inbound, self.changed)
        self.deliveries = {each.id: Counter(r.uuid for r in each.witness.receipts) for each in webhooks}
        self.on_record = {(each.id, r.uuid): 0 for each in webhooks for r in each.witness.receipts}

    def verdict(self) -> Verdict:
        return check(Found(self.ledger, [self.session], 2, self.on_record, self.failures, self.events, self.deliveries))


@pytest.fixture
def books() -> Books:
    made = Books()
    made.all_in_order()
    return made


def found_in(books: Books, what: str) -> list[str]:
    complaints = [complaint for complaint in books.verdict().complaints if what in complaint]
    assert complaints, books.verdict().complaints
    return complaints


def test_books_in_order_are_not_complained_about(books: Books) -> None:
    verdict = books.verdict()
    assert verdict.complaints == ()
    assert (verdict.matched, verdict.receipts) == (6 + 3 + 2, 11)
    assert (verdict.lost, verdict.repeats, verdict.out_of_order, verdict.missed) == (0, 0, 0, 0)


def without(whose: Promised, uuid: str) -> None:
    whose.witness.receipts = [receipt for receipt in whose.witness.receipts if receipt.uuid != uuid]
    whose.witness.taken.discard(uuid)


def test_a_lost_event_is_found(books: Books) -> None:
    without(books.inbound, "torture0-5")
    assert found_in(books, "lost") == ["inbound (s2): torture0-5 is lost"]
    assert books.verdict().lost == 1


def test_one_that_was_never_taken_is_lost(books: Books) -> None:
    without(books.inbound, "torture0-5")
    books.inbound.receive(got("torture0-5", taken=False))
    assert books.verdict().lost == 1


def test_what_was_not_acknowledged_is_owed_to_nobody(books: Books) -> None:
    books.ledger.entries["torture0-6"] = Entry(Event("torture0-6", "torture0", 6), 70.0)
    assert books.verdict().complaints == ()
    books.receive(books.all, 6)
    assert books.verdict().complaints == (), "and it may have been taken"


def test_a_repeat_after_a_good_answer_is_found(books: Books) -> None:
    books.receive(books.all, 5)
    assert found_in(books, "twice") == ["all (s1): torture0-5 came twice in life 0"]
    assert books.verdict().repeats == 1


def test_a_repeat_after_a_kill_whose_history_had_the_delivery_is_found(books: Books) -> None:
    books.receive(books.all, 5, life=1)
    found_in(books, "its delivery was on record")


def test_a_repeat_after_a_kill_before_the_record_and_one_after_a_failure_are_allowed(books: Books) -> None:
    books.on_record["s1", "torture0-5"] = 1
    books.receive(books.all, 5, life=1)
    books.inbound.witness.receipts.insert(0, got(SECOND, taken=False))
    verdict = books.verdict()
    assert verdict.complaints == ()
    assert (verdict.repeats, verdict.allowed.after_end, verdict.allowed.after_failure) == (2, 1, 1)


def test_a_record_that_was_missing_for_longer_than_a_flush_is_found(books: Books) -> None:
    books.on_record["s1", FIRST] = 1
    receipts = books.all.witness.receipts
    receipts[-1] = got(receipts[-1].uuid, at=1.0)
    found_in(books, "was not on record")


def test_an_order_break_is_found(books: Books) -> None:
    receipts = books.all.witness.receipts
    receipts[-2], receipts[-1] = receipts[-1], receipts[-2]
    found_in(books, "came before")
    assert books.verdict().out_of_order == 2


def test_a_later_one_before_an_earlier_one_was_taken_is_found(books: Books) -> None:
    receipts = books.all.witness.receipts
    receipts[0] = got(FIRST, taken=False)
    receipts.insert(2, got(FIRST))
    found_in(books, "came before torture0-0 was taken")


def test_a_leak_across_subscriptions_is_found(books: Books) -> None:
    books.receive(books.inbound, 4)
    assert found_in(books, "not wanted") == ["inbound (s2): torture0-4 was not wanted"]


def test_a_notification_for_nobody_is_found(books: Books) -> None:
    books.ledger.keep_for_later("s9", "healthy 1", got(FIRST))
    assert found_in(books, "somebody else's") == ["somebody else's subscription: torture0-0 came to healthy 1 for s9"]


def test_an_event_that_nobody_published_is_found(books: Books) -> None:
    books.all.receive(got("torture0-9"))
    found_in(books, "not wanted")


def test_by_an_old_filter_nothing_comes_after_the_change(books: Books) -> None:
    books.receive(books.changed, 5)
    found_in(books, "not wanted")


def test_by_a_new_filter_nothing_comes_from_before_the_change(books: Books) -> None:
    books.changed.witness.receipts.insert(0, got(FIRST))
    found_in(books, "not wanted")


def test_what_is_published_while_a_filter_changes_may_come_or_not(books: Books) -> None:
    change = books.ledger.promise("s5", "moment", Wanted.INBOUND, asked=1, answered=2)
    change.change(Wanted.OUTBOUND, asked=19, answered=22)
    change.end(asked=31.5, answered=45)
    books.receive(change, 2)
    assert books.verdict().complaints == ()
    change.witness.receipts.insert(0, got(SECOND))
    assert books.verdict().complaints == ()


def test_after_a_deletion_nothing_comes(books: Books) -> None:
    books.inbound.end(asked=32, answered=33)
    found_in(books, "not wanted")
    without(books.inbound, "torture0-3")
    without(books.inbound, "torture0-5")
    assert books.verdict().complaints == (), "what waited went with it"


def test_a_notification_that_a_recovered_session_missed_is_found(books: Books) -> None:
    without(books.session, "torture0-5")
    assert found_in(books, "lost") == ["socket (s4): torture0-5 is lost"]
    assert books.verdict().missed == 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda events: events.pop(), "history has torture0-5 at 0 positions"),
        (lambda events: events.append(Logged(9, FIRST)), "history has torture0-0 at 2 positions"),
        (lambda events: events.__setitem__(0, Logged(9, FIRST)), "before an earlier event of torture0"),
    ],
)
def test_history_of_events_is_held_against_what_was_acknowledged(
    books: Books, spoil: Callable[[list[Logged]], object], what: str
) -> None:
    spoil(books.events)
    found_in(books, what)


def test_history_of_deliveries_is_held_against_what_came(books: Books) -> None:
    books.deliveries["s1"][FIRST] = 2
    books.deliveries["s2"][SECOND] = 0
    found_in(books, "history has 2 deliveries of torture0-0")
    found_in(books, "history has no delivery of torture0-1")


def test_what_broke_a_rule_at_once_is_said(books: Books) -> None:
    books.ledger.problems.append("publishing was answered 500")
    assert "publishing was answered 500" in books.verdict().complaints
