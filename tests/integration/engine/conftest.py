"""Records with one account and its number, for what stands on them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bellwire.model.directory import Account, PhoneNumber
from bellwire.storage.records import RecordsStores, open_records
from tests.conformance.sms_stores import ACCOUNT, OURS
from tests.doubles.stepped_clock import SteppedClock


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to be copied: making the tables takes most of a second."""
    directory = tmp_path_factory.mktemp("template") / "data"

    async def make() -> None:
        stores = await open_records(directory, SteppedClock())
        await stores.directory.save_account(Account(id=ACCOUNT, company_name="Acme"))
        number = PhoneNumber(id="9", account_id=ACCOUNT, phone_number=OURS, features=("A2PSmsSender",))
        await stores.directory.save_number(number)
        await stores.close()

    asyncio.run(make())
    return directory


@pytest.fixture
async def records(tmp_path: Path, template: Path) -> AsyncIterator[RecordsStores]:
    shutil.copytree(template, tmp_path / "data")
    stores = await open_records(tmp_path / "data", SteppedClock())
    yield stores
    await stores.close()
