"""What is old goes, in steps; what is not at its end, and what holds now, stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bellwire.engine.forget_sms import SmsForgetting
from bellwire.model.sms import ConsentSource, ConsentStatus, MessageStatus
from bellwire.ports.consents import ConsentQuery
from bellwire.ports.slices import Slice
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.consents import SqlConsentWriter
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_intake import SqlBatchIntake
from bellwire.storage.records.sms_progress import SqlSmsProgress
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_retention import SqlSmsRetention
from bellwire.storage.records.sms_tables import batch, message
from tests.conformance.sms_stores import (
    ACCOUNT,
    NONE,
    NOW,
    SmsStores,
    a_batch,
    a_change,
    a_text,
    accepted,
    delivered,
    received,
    refused,
    sent,
    some,
)
from tests.doubles.stepped_clock import SteppedClock

OLD = NOW - timedelta(days=100)
KEEP = timedelta(days=90)


class Shelf:
    def __init__(self, records: RecordsStores) -> None:
        outbox = SqlOutbox(records.records)
        self.records = records
        self.retention = SqlSmsRetention(records.records)
        self.stores = SmsStores(
            intake=SqlBatchIntake(records.records, outbox),
            progress=SqlSmsProgress(records.records, outbox),
            consents=SqlConsentWriter(outbox),
            outbox=outbox,
            reading=SqlSmsReading(records.records),
            consent_reading=SqlConsentReading(records.records),
        )

    async def forget(self, *, keep: timedelta = KEEP) -> None:
        clock = SteppedClock()
        clock.advance((NOW - clock.now()).total_seconds())
        await SmsForgetting(retention=self.retention, clock=clock, keep=keep).run()

    async def done(self, name: str, numbers: Sequence[int], at: Any, *, reported: bool = True) -> None:
        """A batch that was sent at a time, the first to fail, and reported on."""
        waiting = await accepted(self.stores, some(*numbers), name)
        first, *others = await self.stores.progress.queued(waiting, after=None, limit=1000)
        await self.stores.progress.record([refused(first)], at, announce=NONE)
        for one in others:
            await self.stores.progress.record([sent(one, f"c-{one.id}")], at, announce=NONE)
        if reported:
            await self.stores.progress.receipts([delivered(f"c-{one.id}") for one in others], at)

    async def batches(self) -> list[str]:
        def read(connection: Any) -> list[str]:
            return list(connection.execute(select(batch.c.id).order_by(batch.c.key)).scalars())

        return await self.records.records.read(read)

    async def rows(self) -> int:
        return await self.records.records.read(
            lambda connection: connection.execute(select(func.count()).select_from(message)).scalar_one()
        )


@pytest.fixture
def shelf(records: RecordsStores) -> Shelf:
    return Shelf(records)


async def test_a_batch_goes_whole_once_it_is_old_and_others_stay(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.engine.forget_sms.STEP", 2)
    await shelf.done("old", range(1, 8), OLD)
    await shelf.done("new", range(1, 4), NOW)
    await shelf.forget()
    assert await shelf.batches() == ["new"]
    assert await shelf.rows() == 3
    assert [one.batch_id for one in await shelf.stores.listed()] == ["new"] * 3


async def test_a_batch_of_which_more_is_to_come_stays_whatever_its_age(shelf: Shelf) -> None:
    await shelf.done("unreported", range(1, 4), OLD, reported=False)
    waiting = await accepted(shelf.stores, some(1, 2), "unfinished")
    first, _ = await shelf.stores.progress.queued(waiting, after=None, limit=10)
    await shelf.stores.progress.record([refused(first)], OLD, announce=NONE)
    await shelf.stores.intake.begin(replace(a_batch("coming in"), created_at=OLD, modified_at=OLD))
    await shelf.forget()
    assert await shelf.batches() == ["unreported", "unfinished", "coming in"]
    assert await shelf.rows() == 5


async def test_a_batch_that_is_half_forgotten_is_seen_by_nobody_and_goes_at_the_next_time(shelf: Shelf) -> None:
    await shelf.done("old", range(1, 6), OLD)
    key = await shelf.retention.over_batch(before=NOW)
    assert key is not None
    assert await shelf.retention.forget_batch(key, limit=2)
    assert await shelf.stores.listed() == []
    assert await shelf.stores.reading.batch(ACCOUNT, a_batch("old").id) is None
    assert await shelf.stores.intake.discard_leftovers() == 0
    await shelf.forget()
    assert (await shelf.batches(), await shelf.rows()) == ([], 0)


async def test_texts_that_came_in_go_and_answers_that_wait_stay(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.engine.forget_sms.STEP", 2)
    old = [received(replace(a_text(f"old {number}"), received_at=OLD)) for number in range(5)]
    await shelf.stores.progress.receive(old, OLD)
    answered = received(replace(a_text("stop"), received_at=OLD), reply="Bye", reply_segments=1)
    await shelf.stores.progress.receive([answered], OLD)
    await shelf.stores.progress.receive([received(a_text("new"))], NOW)
    await shelf.forget()
    assert [(one.text, one.status) for one in await shelf.stores.listed()] == [
        ("Bye", MessageStatus.QUEUED),
        ("new", MessageStatus.DELIVERED),
    ]


async def test_consents_stay_and_so_does_the_last_change_of_each(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.engine.forget_sms.STEP", 2)
    out, in_ = ConsentStatus.OPT_OUT, ConsentStatus.OPT_IN
    changes = [
        replace(a_change(out, 1), created_at=OLD),
        replace(a_change(in_, 1), created_at=OLD),
        replace(a_change(out, 2), created_at=OLD),
        replace(a_change(out, 1, ConsentSource.RECIPIENT), created_at=OLD),
        a_change(in_, 2),
        replace(a_change(out, 3), created_at=OLD),
    ]
    await shelf.stores.consents.change(changes)
    before = await shelf.stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10))
    await shelf.forget()
    history = await shelf.stores.consent_reading.history(ACCOUNT, (), Slice(10))
    assert [change for _, change in history] == changes[3:]
    assert await shelf.stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10)) == before


async def test_nothing_goes_where_all_is_kept(shelf: Shelf) -> None:
    await shelf.done("old", range(1, 4), OLD)
    await shelf.forget(keep=timedelta(0))
    assert await shelf.batches() == ["old"]
