"""The audit finds what it is for: each kind of fault, put into a history that was in order, is named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.e2e.faults.audit import Audit, Event, Receipt, Witness

EVENTS = [Event(f"a-{n}", "a", n) for n in range(4)] + [Event(f"b-{n}", "b", n) for n in range(2)]


def audit(
    receipts: Sequence[Receipt], *, recorded: Sequence[str] = (), failed: Sequence[str] = (), odd_only: bool = False
) -> list[str]:
    """Complaints about one endpoint, killed once, where so much was on record when it was."""
    witness = Witness("hook", (lambda event: event.number % 2 == 1) if odd_only else (lambda _event: True))
    for receipt in receipts:
        witness.receive(receipt)
    failures = {("hook", uuid): failed.count(uuid) for uuid in failed}
    return Audit(EVENTS, EVENTS, [{("hook", uuid) for uuid in recorded}], failures).complaints(witness)


def got(uuid: str, life: int = 0, *, taken: bool = True, at: float = 0.0) -> Receipt:
    return Receipt(uuid, life, taken, at)


IN_ORDER = [got("a-0"), got("b-0"), got("a-1"), got("a-2"), got("b-1"), got("a-3")]


def test_a_history_in_order_is_not_complained_about() -> None:
    assert audit(IN_ORDER) == []
    assert audit([got("a-1"), got("b-1"), got("a-3")], odd_only=True) == []


def test_a_failure_before_and_a_record_that_was_not_written_are_reasons_for_a_repeat() -> None:
    assert audit([got("a-0", taken=False), got("a-0", taken=False), *IN_ORDER]) == []
    assert audit([*IN_ORDER, got("a-2", 1), got("a-3", 1)], recorded=["a-0", "a-1", "b-0"]) == []


def test_a_failure_that_history_has_and_the_endpoint_did_not_notice_is_a_reason_too() -> None:
    assert audit([*IN_ORDER, got("b-1")], failed=["b-1"]) == []
    assert audit([got("b-0", taken=False), *IN_ORDER, got("b-0")], failed=["b-0"]) != [], "that one it did notice"


@pytest.mark.parametrize(
    ("receipts", "recorded", "complaint"),
    [
        (IN_ORDER[:-1], [], "hook: a-3 is lost"),
        ([*IN_ORDER[:-1], got("a-3", taken=False)], [], "hook: a-3 is lost"),
        ([*IN_ORDER, got("c-0")], [], "hook: c-0 was not wanted"),
        ([got("a-0", taken=False), got("a-1"), *IN_ORDER[:2], *IN_ORDER[3:]], [], "a-1 came before a-0 was taken"),
        ([*IN_ORDER, got("a-3", 1), got("a-2", 1)], [], "hook: a-2 came after a later one in life 1"),
        ([*IN_ORDER, got("b-1")], [], "hook: b-1 came twice in life 0"),
        ([*IN_ORDER, got("b-1", 1)], ["b-1"], "hook: b-1 came again, and its delivery was on record"),
        ([got("a-0", at=-1.0), *IN_ORDER[1:]], ["a-3"], "hook: a-0 was not on record 1.000 s after it was taken"),
    ],
)
def test_each_fault_is_named(receipts: Sequence[Receipt], recorded: Sequence[str], complaint: str) -> None:
    complaints = audit(receipts, recorded=recorded)
    assert any(complaint in found for found in complaints), complaints


def test_what_the_filter_does_not_want_is_named() -> None:
    assert "hook: a-2 was not wanted" in audit([got("a-1"), got("a-2"), got("b-1"), got("a-3")], odd_only=True)
