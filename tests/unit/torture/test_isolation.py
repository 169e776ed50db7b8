"""What counts for isolation: receipts of what was published in a stretch, outside of everything that disturbs."""

from __future__ import annotations

import pytest

from tests.e2e.faults.audit import Event, Receipt
from torture.isolation import Isolation, measured
from torture.ledger import Entry, Ledger
from torture.plan import Stretch, Wanted

BEGAN = 1000.0
QUIET = [Stretch(0, 10)]
TROUBLED = [Stretch(10, 20)]


def isolation(took: dict[float, float], disturbed: list[Stretch] | None = None) -> Isolation:
    """Of one healthy subscription that received what was published so many seconds from the beginning so much later."""
    ledger = Ledger()
    healthy = ledger.promise("s1", "healthy", Wanted.ALL, asked=0, answered=0)
    for number, (at, seconds) in enumerate(took.items()):
        uuid = f"torture0-{number}"
        ledger.entries[uuid] = Entry(Event(uuid, "torture0", number), BEGAN + at, BEGAN + at)
        healthy.receive(Receipt(uuid, 0, taken=True, at=BEGAN + at + seconds))
        healthy.receive(Receipt(uuid, 0, taken=True, at=BEGAN + at + 90))  # a repeat is not what it took
    return measured(ledger, [healthy], BEGAN, quiet=QUIET, troubled=TROUBLED, disturbed=disturbed or [])


def test_each_receipt_counts_by_when_its_event_was_published() -> None:
    found = isolation({1: 0.1, 2: 0.2, 11: 0.4})
    assert found.quiet == pytest.approx(0.2)
    assert found.troubled == pytest.approx(0.4)
    assert (found.quiet_receipts, found.troubled_receipts) == (2, 1)
    assert found.ratio == pytest.approx(2.0)
    assert not found.is_broken


def test_what_was_published_while_the_server_suffered_or_just_before_a_stretch_ends_does_not_count() -> None:
    found = isolation({1: 0.1, 9.9: 7.0, 11: 0.1, 15: 8.0, 25: 9.0}, disturbed=[Stretch(14, 16)])
    assert (found.quiet_receipts, found.troubled_receipts) == (1, 1)
    assert found.troubled == pytest.approx(0.1)


def test_who_waits_for_a_broken_endpoint_is_found_and_who_is_a_little_slower_is_not() -> None:
    assert isolation({1: 0.05, 11: 3.1}).is_broken
    assert not isolation({1: 0.05, 11: 1.5}).is_broken
    assert not isolation({1: 0.5, 11: 3.1}).is_broken, "everything was slow"


def test_without_receipts_there_is_no_ratio() -> None:
    found = isolation({1: 0.1})
    assert (found.troubled, found.ratio, found.is_broken) == (None, None, False)
