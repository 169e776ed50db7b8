"""The stores over a real `records.db` keep their contracts, and say the same after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bellwire.errors import Conflict
from bellwire.model.directory import Device, PhoneNumber
from bellwire.model.identity import KeyKind, UserLogin
from bellwire.model.ids import SessionId
from bellwire.storage.records import RecordsStores, Removal, open_records
from tests.conformance.identity import (
    ACME,
    APP,
    CredentialStoreContract,
    DirectoryContract,
    IdentityStores,
    InstallationContract,
    SessionStoreContract,
    a_key,
    a_session,
    an_extension,
    populate,
)
from tests.conformance.subscription_store import StoppedClock, SubscriptionStoreContract, a_subscription
from tests.doubles.subscriptions import all_of


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def opened(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path / "data", clock)
    yield stores
    await stores.close()


def identity_of(stores: RecordsStores) -> IdentityStores:
    return IdentityStores(
        directory=stores.directory,
        credentials=stores.credentials,
        sessions=stores.sessions,
        installation=stores.installation,
    )


@pytest.fixture
def stores(opened: RecordsStores) -> IdentityStores:
    return identity_of(opened)


@pytest.fixture
def store(opened: RecordsStores) -> object:
    return opened.subscriptions


class TestSqlDirectory(DirectoryContract):
    pass


class TestSqlCredentialStore(CredentialStoreContract):
    pass


class TestSqlSessionStore(SessionStoreContract):
    pass


class TestSqlInstallation(InstallationContract):
    pass


class TestSqlSubscriptionStore(SubscriptionStoreContract):
    pass


async def test_the_directory_and_the_keys_are_the_same_after_a_restart(tmp_path: Path, clock: StoppedClock) -> None:
    before = await open_records(tmp_path, clock)
    anna = an_extension("101", lines=["102"], favorites=["103"])
    gone = an_extension("104")
    stores = identity_of(before)
    await populate(stores, anna, an_extension("102"), an_extension("103", lines=["104", "101"]), gone)
    number = PhoneNumber(id="1", account_id=ACME.id, phone_number="+16505550101", extension_id=gone.id)
    device = Device(id="2", account_id=ACME.id, extension_id=gone.id, name="Desk")
    await before.directory.save_number(number)
    await before.directory.save_device(device)
    await before.credentials.save_key(a_key("k", account=ACME))
    await before.credentials.save_key(replace(a_key("removed", KeyKind.ADMIN)))
    await before.credentials.remove_key("removed")
    await before.directory.remove_extension(gone.id)
    await before.close()

    after = await open_records(tmp_path, clock)
    assert after.installation.id == before.installation.id
    assert after.installation.signing_key == before.installation.signing_key
    assert after.directory.accounts() == before.directory.accounts()
    assert after.directory.extensions(ACME.id) == before.directory.extensions(ACME.id)
    assert after.directory.numbers(ACME.id) == [replace(number, extension_id=None)]
    assert after.directory.devices(ACME.id) == [replace(device, extension_id=None)]
    assert after.directory.applications() == [APP]
    assert after.directory.watchers_of_line(anna.id) == before.directory.watchers_of_line(anna.id) != ()
    assert after.directory.admirers_of(an_extension("103").id) == (anna.id,)
    assert after.credentials.key_with_hash(a_key("k").key_hash) == a_key("k", account=ACME)
    assert await after.credentials.keys(KeyKind.ADMIN) == []
    await after.close()


async def test_removals_tell_what_went_along(opened: RecordsStores) -> None:
    anna = an_extension("101")
    await populate(identity_of(opened), anna)
    await opened.sessions.save_session(a_session("s", anna))
    owned = replace(a_subscription("sub"), account_id=ACME.id, owner_id=anna.id, client_id=APP.client_id)
    await opened.subscriptions.save(owned)
    await opened.subscriptions.save(a_subscription("elsewhere"))
    told: list[Removal] = []
    opened.directory.on_removal(told.append)
    await opened.directory.remove_extension(anna.id)
    assert told == [Removal(extensions=(anna.id,), sessions=(SessionId("s"),), subscriptions=(owned.id,))]
    assert await all_of(opened.subscriptions) == [a_subscription("elsewhere")]


@pytest.mark.parametrize("by", ["account", "application"])
async def test_subscriptions_go_with_their_account_and_application(opened: RecordsStores, by: str) -> None:
    anna = an_extension("101")
    await populate(identity_of(opened), anna)
    await opened.subscriptions.save(
        replace(a_subscription("sub"), account_id=ACME.id, owner_id=anna.id, client_id=APP.client_id)
    )
    if by == "account":
        await opened.directory.remove_account(ACME.id)
    else:
        await opened.directory.remove_application(APP.client_id)
    assert await all_of(opened.subscriptions) == []


async def test_a_record_of_an_account_that_is_not_there_is_a_conflict_and_changes_nothing(
    opened: RecordsStores,
) -> None:
    with pytest.raises(Conflict):
        await opened.directory.save_extension(an_extension("101"))
    assert opened.directory.extension(an_extension("101").id) is None


async def test_a_user_name_or_number_that_another_has_is_a_conflict(opened: RecordsStores) -> None:
    anna, bob = an_extension("101"), an_extension("102")
    await populate(identity_of(opened), anna, bob)
    await opened.credentials.save_login(UserLogin(extension_id=anna.id, user_name="anna", password_hash=None))
    with pytest.raises(Conflict):
        await opened.credentials.save_login(UserLogin(extension_id=bob.id, user_name="anna", password_hash=None))
    await opened.directory.save_number(PhoneNumber(id="1", account_id=ACME.id, phone_number="+16505550101"))
    with pytest.raises(Conflict):
        await opened.directory.save_number(PhoneNumber(id="2", account_id=ACME.id, phone_number="+16505550101"))
    assert [number.id for number in opened.directory.numbers(ACME.id)] == ["1"]
