"""Writing High Volume SMS to a real `records.db`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bellwire.errors import Conflict
from bellwire.model.directory import Account
from bellwire.storage.records import RecordsStores, open_records
from bellwire.storage.records.consents import SqlConsentWriter
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_intake import SqlBatchIntake
from bellwire.storage.records.sms_progress import SqlSmsProgress
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_tables import batch, carrier_message, message, submission, unmatched_receipt
from tests.conformance.sms_stores import (
    ACCOUNT,
    NONE,
    NOW,
    SmsStores,
    SmsStoresContract,
    a_batch,
    accepted,
    delivered,
    queued,
    sent,
    some,
)
from tests.conformance.subscription_store import StoppedClock


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the account, to be copied: making the tables takes most of a second."""
    directory = tmp_path_factory.mktemp("template") / "data"

    async def make() -> None:
        stores = await open_records(directory, StoppedClock())
        await stores.directory.save_account(Account(id=ACCOUNT, company_name="Acme"))
        await stores.close()

    asyncio.run(make())
    return directory


@pytest.fixture
async def records(tmp_path: Path, template: Path) -> AsyncIterator[RecordsStores]:
    shutil.copytree(template, tmp_path / "data")
    stores = await open_records(tmp_path / "data", StoppedClock())
    yield stores
    await stores.close()


@pytest.fixture
def stores(records: RecordsStores) -> SmsStores:
    outbox = SqlOutbox(records.records)
    return SmsStores(
        intake=SqlBatchIntake(records.records, outbox),
        progress=SqlSmsProgress(records.records, outbox),
        consents=SqlConsentWriter(outbox),
        outbox=outbox,
        reading=SqlSmsReading(records.records),
        consent_reading=SqlConsentReading(records.records),
    )


class TestSqlSmsStores(SmsStoresContract):
    pass


async def test_nothing_is_left_of_an_account_that_was_removed(stores: SmsStores, records: RecordsStores) -> None:
    _, (first, second) = await queued(stores, 1, 2)
    await stores.progress.hand_over([second], in_doubt=True)
    await stores.progress.record([sent(first, "c-1")], NOW, announce=NONE)
    await records.directory.remove_account(ACCOUNT)
    await stores.progress.record([sent(second, "c-2")], NOW, announce=NONE)
    await stores.progress.receipts([delivered("c-1")], NOW)

    def count(table: object) -> object:
        return records.records.read(
            lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]
        )

    for table in (batch, message, carrier_message, submission):
        assert await count(table) == 0  # type: ignore[misc]
    assert await count(unmatched_receipt) == 1  # type: ignore[misc]


async def test_what_went_with_its_account_is_not_handed_over(stores: SmsStores, records: RecordsStores) -> None:
    _, messages = await queued(stores, 1)
    await records.directory.remove_account(ACCOUNT)
    await stores.progress.hand_over(messages, in_doubt=True)
    assert await stores.progress.handed_over(limit=10) == []


async def test_a_batch_that_was_accepted_can_not_be_discarded(stores: SmsStores) -> None:
    waiting = await accepted(stores, some(1))
    assert waiting.key is not None
    await stores.intake.discard(waiting.key)
    assert len(await stores.listed()) == 1


async def test_a_batch_whose_account_is_removed_while_it_comes_in_is_refused(
    stores: SmsStores, records: RecordsStores
) -> None:
    one = a_batch()
    key = await stores.intake.begin(one)
    await records.directory.remove_account(ACCOUNT)
    with pytest.raises(Conflict):
        await stores.intake.add(key, one, some(1))


async def test_a_large_batch_is_discarded_in_steps(stores: SmsStores, records: RecordsStores) -> None:
    one = a_batch()
    key = await stores.intake.begin(one)
    await stores.intake.add(key, one, some(*range(9000)))
    await stores.intake.discard(key)
    await accepted(stores, some(1), "b-2")
    assert len(await stores.listed()) == 1
