"""What every store that clients read consents from must do. A backend's test class gives `shelf`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from bellwire.model.sms_records import Consent, ConsentChange
from bellwire.ports.consents import ConsentQuery, ConsentReading, PairCursor
from bellwire.ports.slices import Slice

ACCOUNT = AccountId("1")
OTHERS = AccountId("2")
NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
A, B = "+16505550180", "+18885550190"
X, Y, Z = "+12025550101", "+12025550102", "+12025550103"
ALL = Slice[PairCursor](1000)


class ConsentShelf(Protocol):
    reading: ConsentReading

    async def put(self, *records: Consent | ConsentChange) -> None: ...


def a_consent(sender: str, recipient: str, status: ConsentStatus = ConsentStatus.OPT_OUT) -> Consent:
    return Consent(
        account_id=ACCOUNT,
        sender=sender,
        recipient=recipient,
        status=status,
        source=ConsentSource.RECIPIENT,
        coverage=ConsentCoverage.PHONE_NUMBER,
        campaign_type=None,
        notes="said so by phone",
        modified_at=NOW,
    )


def a_change(recipient: str, *, seconds: int = 0, actor: ExtensionId | None = None) -> ConsentChange:
    return ConsentChange(
        account_id=ACCOUNT,
        sender=A,
        recipient=recipient,
        status=ConsentStatus.OPT_OUT,
        source=ConsentSource.RECIPIENT if actor is None else ConsentSource.API,
        actor=actor,
        method="keyword STOP",
        created_at=NOW + timedelta(seconds=seconds),
    )


class ConsentReadingContract:
    async def test_consents_come_back_with_every_field_in_the_order_of_their_pairs(self, shelf: ConsentShelf) -> None:
        records = [a_consent(A, X), a_consent(A, Y), a_consent(B, X)]
        await shelf.put(*reversed(records), replace(a_consent(A, X), account_id=OTHERS))
        assert await shelf.reading.consents(ACCOUNT, ConsentQuery(), ALL) == records

    async def test_consents_are_found_by_what_is_asked(self, shelf: ConsentShelf) -> None:
        ax, ay, bx = a_consent(A, X), a_consent(A, Y, ConsentStatus.OPT_IN), a_consent(B, X)
        await shelf.put(ax, ay, bx)
        expected = [
            (ConsentQuery(senders=(A,)), [ax, ay]),
            (ConsentQuery(recipients=(X, Z)), [ax, bx]),
            (ConsentQuery(senders=(A, B), recipients=(Y,)), [ay]),
            (ConsentQuery(statuses=frozenset({ConsentStatus.OPT_OUT})), [ax, bx]),
            (ConsentQuery(statuses=frozenset(ConsentStatus)), [ax, ay, bx]),
            (ConsentQuery(coverages=frozenset({ConsentCoverage.PHONE_NUMBER})), [ax, ay, bx]),
            (ConsentQuery(coverages=frozenset({ConsentCoverage.ACCOUNT})), []),
            (ConsentQuery(campaign_types=frozenset({"Promotional"})), [ax, ay, bx]),
        ]
        for query, records in expected:
            assert await shelf.reading.consents(ACCOUNT, query, ALL) == records, query

    async def test_a_consent_for_one_kind_of_campaign_is_found_by_that_kind(self, shelf: ConsentShelf) -> None:
        promotional = replace(a_consent(A, X), campaign_type="Promotional")
        await shelf.put(promotional)
        for kind, records in (("Promotional", [promotional]), ("Informational", [])):
            query = ConsentQuery(campaign_types=frozenset({kind}))
            assert await shelf.reading.consents(ACCOUNT, query, ALL) == records

    async def test_following_the_pairs_meets_each_once_forward_and_back(self, shelf: ConsentShelf) -> None:
        records = [a_consent(sender, recipient) for sender in (A, B) for recipient in (X, Y, Z)]
        await shelf.put(*records)
        seen: list[Consent] = []
        part = Slice[PairCursor](4)
        while page := await shelf.reading.consents(ACCOUNT, ConsentQuery(), part):
            seen += page
            part = Slice(4, PairCursor(page[-1].sender, page[-1].recipient))
        assert seen == records
        back = await shelf.reading.consents(ACCOUNT, ConsentQuery(), Slice(2, part.start, backward=True))
        assert back == records[3:5]

    async def test_history_has_who_when_and_how_in_the_order_of_the_changes(self, shelf: ConsentShelf) -> None:
        changes = [a_change(Y), a_change(X, seconds=1, actor=ExtensionId("7")), a_change(Y, seconds=2)]
        await shelf.put(*changes, replace(a_change(X), account_id=OTHERS))
        found = await shelf.reading.history(ACCOUNT, (), Slice[int](1000))
        assert [change for _, change in found] == changes
        of_y = await shelf.reading.history(ACCOUNT, (Y, Z), Slice[int](1000))
        assert [change for _, change in of_y] == [changes[0], changes[2]]

    async def test_following_the_serial_meets_each_change_once_forward_and_back(self, shelf: ConsentShelf) -> None:
        changes = [a_change(X, seconds=second) for second in range(5)]
        await shelf.put(*changes)
        seen: list[ConsentChange] = []
        part = Slice[int](2)
        while page := await shelf.reading.history(ACCOUNT, (), part):
            seen += [change for _, change in page]
            part = Slice(2, page[-1][0])
        assert seen == changes
        back = await shelf.reading.history(ACCOUNT, (), Slice(2, part.start, backward=True))
        assert [change for _, change in back] == changes[2:4]
