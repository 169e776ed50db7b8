"""Reading High Volume SMS and consents from a real `records.db`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bellwire.model.directory import Account
from bellwire.storage.records import RecordsStores, open_records
from tests.conformance.consents_reading import ConsentReadingContract
from tests.conformance.sms_reading import ACCOUNT, OTHERS, SmsReadingContract
from tests.conformance.subscription_store import StoppedClock
from tests.integration.storage.sms_shelf import SqlConsentShelf, SqlShelf


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path / "data", StoppedClock())
    for account in (ACCOUNT, OTHERS):
        await stores.directory.save_account(Account(id=account, company_name="Acme"))
    yield stores
    await stores.close()


class TestSqlSmsReading(SmsReadingContract):
    @pytest.fixture
    def shelf(self, opened: RecordsStores) -> SqlShelf:
        return SqlShelf(opened.records)


class TestSqlConsentReading(ConsentReadingContract):
    @pytest.fixture
    def shelf(self, opened: RecordsStores) -> SqlConsentShelf:
        return SqlConsentShelf(opened.records)
