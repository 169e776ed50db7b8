"""Provisioning, over a real records database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.provision import ALL_ACCOUNTS, Provisioning, Scope
from bellwire.engine.provision_applications import why_not_redirected_to
from bellwire.engine.provision_commands import (
    AccountChanges,
    ApplicationChanges,
    DeviceChanges,
    ExtensionChanges,
    KeyChanges,
    LoginChanges,
    NewAccount,
    NewAdminKey,
    NewApplication,
    NewDevice,
    NewExtension,
    NewJwt,
    NewNumber,
    NewPublisherKey,
    NumberChanges,
)
from bellwire.engine.secrets import hash_secret, verify_password
from bellwire.errors import Conflict, Forbidden, InvalidRequest, NotFound
from bellwire.model.directory import Account, Extension, Status
from bellwire.model.identity import KeyKind
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission
from bellwire.storage.records import RecordsStores, open_records
from tests.conformance.subscription_store import NOW, StoppedClock

PASSWORD = SecretStr("correct horse")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def stores(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[RecordsStores]:
    stores = await open_records(tmp_path, clock)
    yield stores
    await stores.close()


def provisioning_over(stores: RecordsStores, clock: StoppedClock) -> Provisioning:
    return Provisioning(
        directory=stores.directory,
        writer=stores.directory,
        credentials=stores.credentials,
        installation=stores.installation,
        clock=clock,
    )


@pytest.fixture
def provisioning(stores: RecordsStores, clock: StoppedClock) -> Provisioning:
    return provisioning_over(stores, clock)


@pytest.fixture
async def acme(provisioning: Provisioning) -> Account:
    return await provisioning.accounts.create(ALL_ACCOUNTS, NewAccount(company_name="Acme", main_number="+16505550100"))


@pytest.fixture
async def other(provisioning: Provisioning) -> Account:
    return await provisioning.accounts.create(ALL_ACCOUNTS, NewAccount(company_name="Other"))


async def an_extension(provisioning: Provisioning, account: Account, number: str) -> Extension:
    new = NewExtension(extension_number=number, first_name=f"User {number}")
    return await provisioning.extensions.create(ALL_ACCOUNTS, account.id, new)


class TestIds:
    async def test_ids_are_digits_that_rise_and_never_repeat(self, provisioning: Provisioning) -> None:
        made = [(await provisioning.accounts.create(ALL_ACCOUNTS, NewAccount(company_name="A"))).id for _ in range(5)]
        assert all(one.isdecimal() for one in made)
        assert sorted(set(made), key=int) == made

    async def test_ids_are_not_given_out_again_after_a_restart_with_the_clock_set_back(
        self, stores: RecordsStores, provisioning: Provisioning, acme: Account, clock: StoppedClock
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        clock.time = NOW - timedelta(days=365)
        after = await an_extension(provisioning_over(stores, clock), acme, "102")
        assert int(after.id) > int(anna.id)


class TestAccounts:
    async def test_an_account_is_changed_field_by_field(self, provisioning: Provisioning, acme: Account) -> None:
        await provisioning.accounts.change(ALL_ACCOUNTS, acme.id, AccountChanges(status=Status.DISABLED))
        await provisioning.accounts.change(ALL_ACCOUNTS, acme.id, AccountChanges(main_number=None))
        assert provisioning.accounts.get(ALL_ACCOUNTS, acme.id) == Account(
            id=acme.id, company_name="Acme", main_number=None, status=Status.DISABLED
        )

    async def test_null_leaves_what_can_not_be_cleared(self, provisioning: Provisioning, acme: Account) -> None:
        changes = AccountChanges.model_validate({"companyName": None, "status": None})
        assert await provisioning.accounts.change(ALL_ACCOUNTS, acme.id, changes) == acme

    async def test_a_main_number_belongs_to_one_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        taken = "+16505550100"
        with pytest.raises(Conflict, match="mainNumber"):
            await provisioning.accounts.change(ALL_ACCOUNTS, other.id, AccountChanges(main_number=taken))
        with pytest.raises(Conflict, match="phoneNumber"):
            await provisioning.numbers.create(ALL_ACCOUNTS, other.id, NewNumber(phone_number=taken))
        await provisioning.numbers.create(ALL_ACCOUNTS, acme.id, NewNumber(phone_number=taken))

    async def test_a_deleted_account_is_not_found(self, provisioning: Provisioning, acme: Account) -> None:
        await provisioning.accounts.delete(ALL_ACCOUNTS, acme.id)
        with pytest.raises(NotFound):
            provisioning.accounts.get(ALL_ACCOUNTS, acme.id)
        with pytest.raises(NotFound):
            await provisioning.accounts.delete(ALL_ACCOUNTS, acme.id)

    async def test_pages_go_through_all_accounts_in_order_though_some_are_deleted_meanwhile(
        self, provisioning: Provisioning
    ) -> None:
        made = [await provisioning.accounts.create(ALL_ACCOUNTS, NewAccount(company_name="A")) for _ in range(5)]
        first = provisioning.accounts.page(ALL_ACCOUNTS, limit=2)
        assert first.records == tuple(made[:2])
        await provisioning.accounts.delete(ALL_ACCOUNTS, made[1].id)
        second = provisioning.accounts.page(ALL_ACCOUNTS, cursor=first.next_cursor, limit=2)
        third = provisioning.accounts.page(ALL_ACCOUNTS, cursor=second.next_cursor, limit=2)
        assert (second.records, third.records) == (tuple(made[2:4]), tuple(made[4:]))
        assert third.next_cursor is None


class TestExtensions:
    async def test_an_extension_number_is_unique_in_its_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        await an_extension(provisioning, acme, "101")
        bob = await an_extension(provisioning, acme, "102")
        await an_extension(provisioning, other, "101")
        with pytest.raises(Conflict, match="extensionNumber"):
            await an_extension(provisioning, acme, "101")
        with pytest.raises(Conflict, match="extensionNumber"):
            await provisioning.extensions.change(
                ALL_ACCOUNTS, acme.id, bob.id, ExtensionChanges(extension_number="101")
            )
        same = await provisioning.extensions.change(
            ALL_ACCOUNTS, acme.id, bob.id, ExtensionChanges(extension_number="102")
        )
        assert same == bob

    async def test_of_two_at_once_that_want_the_same_number_one_gets_it(
        self, provisioning: Provisioning, acme: Account
    ) -> None:
        outcomes = await asyncio.gather(
            *(an_extension(provisioning, acme, "101") for _ in range(4)), return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 3 + ["Extension"]

    async def test_lines_and_favorites_are_extensions_of_the_same_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        stranger = await an_extension(provisioning, other, "101")
        changes = ExtensionChanges(monitored_lines=(anna.id, anna.id), favorites=(anna.id,))
        bob = await an_extension(provisioning, acme, "102")
        changed = await provisioning.extensions.change(ALL_ACCOUNTS, acme.id, bob.id, changes)
        assert (changed.monitored_lines, changed.favorites) == ((anna.id,), (anna.id,))
        for wrong in (stranger.id, ExtensionId("1")):
            with pytest.raises(InvalidRequest, match="favorites") as refused:
                await provisioning.extensions.change(
                    ALL_ACCOUNTS, acme.id, bob.id, ExtensionChanges(favorites=(wrong,))
                )
            assert refused.value.entries[0].value == wrong

    async def test_an_extension_is_not_found_under_another_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        with pytest.raises(NotFound):
            provisioning.extensions.get(ALL_ACCOUNTS, other.id, anna.id)


class TestNumbersAndDevices:
    async def test_a_number_is_listed_once_anywhere(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        new = NewNumber(phone_number="+16505550101", features=("A2PSmsSender", "A2PSmsSender"))
        number = await provisioning.numbers.create(ALL_ACCOUNTS, acme.id, new)
        assert number.features == ("A2PSmsSender",)
        for account in (acme, other):
            with pytest.raises(Conflict, match="phoneNumber"):
                await provisioning.numbers.create(ALL_ACCOUNTS, account.id, new)

    async def test_numbers_and_devices_go_to_extensions_of_their_account_only(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        stranger = await an_extension(provisioning, other, "101")
        number = await provisioning.numbers.create(ALL_ACCOUNTS, acme.id, NewNumber(phone_number="+16505550101"))
        device = await provisioning.devices.create(ALL_ACCOUNTS, acme.id, NewDevice(name="Desk"))
        with pytest.raises(InvalidRequest, match="extensionId"):
            await provisioning.numbers.change(ALL_ACCOUNTS, acme.id, number.id, NumberChanges(extension_id=stranger.id))
        with pytest.raises(InvalidRequest, match="extensionId"):
            await provisioning.devices.change(ALL_ACCOUNTS, acme.id, device.id, DeviceChanges(extension_id=stranger.id))

    async def test_null_takes_a_number_and_a_device_away_from_their_extension(
        self, provisioning: Provisioning, acme: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        number = await provisioning.numbers.create(
            ALL_ACCOUNTS, acme.id, NewNumber(phone_number="+16505550101", extension_id=anna.id, label="Desk")
        )
        device = await provisioning.devices.create(ALL_ACCOUNTS, acme.id, NewDevice(name="Desk", extension_id=anna.id))
        number = await provisioning.numbers.change(
            ALL_ACCOUNTS, acme.id, number.id, NumberChanges(extension_id=None, label=None)
        )
        device = await provisioning.devices.change(ALL_ACCOUNTS, acme.id, device.id, DeviceChanges(extension_id=None))
        assert (number.extension_id, number.label, device.extension_id) == (None, None, None)

    async def test_deleted_numbers_and_devices_are_not_found(self, provisioning: Provisioning, acme: Account) -> None:
        number = await provisioning.numbers.create(ALL_ACCOUNTS, acme.id, NewNumber(phone_number="+16505550101"))
        device = await provisioning.devices.create(ALL_ACCOUNTS, acme.id, NewDevice(name="Desk"))
        await provisioning.numbers.delete(ALL_ACCOUNTS, acme.id, number.id)
        await provisioning.devices.delete(ALL_ACCOUNTS, acme.id, device.id)
        with pytest.raises(NotFound):
            await provisioning.numbers.delete(ALL_ACCOUNTS, acme.id, number.id)
        with pytest.raises(NotFound):
            await provisioning.devices.delete(ALL_ACCOUNTS, acme.id, device.id)

    @pytest.mark.parametrize(
        "phone_number", ["6505550101", "+06505550101", "+1650555010123456", "+1650 5550101", "+", "+1", "+१२३४"]
    )
    def test_a_number_that_is_not_e164_is_refused(self, phone_number: str) -> None:
        with pytest.raises(ValidationError):
            NewNumber(phone_number=phone_number)


class TestApplications:
    async def test_the_secret_is_stored_as_a_hash_and_its_replacement_too(self, provisioning: Provisioning) -> None:
        new = NewApplication(name="App", permissions=frozenset({Permission.SMS}))
        made = await provisioning.applications.create(ALL_ACCOUNTS, new)
        assert made.client_secret is not None
        assert made.application.secret_hash == hash_secret(made.client_secret)
        rotated = await provisioning.applications.rotate_secret(ALL_ACCOUNTS, made.application.client_id)
        assert rotated.client_secret not in (None, made.client_secret)
        present = provisioning.applications.get(ALL_ACCOUNTS, made.application.client_id)
        assert rotated.client_secret is not None
        assert present.secret_hash == hash_secret(rotated.client_secret)

    async def test_a_public_client_has_no_secret(self, provisioning: Provisioning) -> None:
        new = NewApplication(name="App", permissions=frozenset(), is_public=True)
        made = await provisioning.applications.create(ALL_ACCOUNTS, new)
        assert made.client_secret is None
        assert made.application.is_public
        with pytest.raises(Conflict, match="public"):
            await provisioning.applications.rotate_secret(ALL_ACCOUNTS, made.application.client_id)

    async def test_a_redirect_uri_that_can_not_be_used_is_refused_by_place_and_reason(
        self, provisioning: Provisioning
    ) -> None:
        uris = ("https://example.org/back", "https://user@example.org/back")
        with pytest.raises(InvalidRequest, match=r"redirectUris\[1\].*user"):
            await provisioning.applications.create(
                ALL_ACCOUNTS, NewApplication(name="App", permissions=frozenset(), redirect_uris=uris)
            )
        made = await provisioning.applications.create(ALL_ACCOUNTS, NewApplication(name="App", permissions=frozenset()))
        with pytest.raises(InvalidRequest, match=r"redirectUris\[0\]"):
            await provisioning.applications.change(
                ALL_ACCOUNTS, made.application.client_id, ApplicationChanges(redirect_uris=("javascript:back()",))
            )

    @pytest.mark.parametrize(
        "uri",
        [
            "back",
            "//example.org/back",
            "https:///back",
            "http://",
            "https://user@example.org/",
            "https://example.org:port/",
            "https://[::1/",
            "https://example.org/ back",
            "https://example.org\\@evil.example/",
            "https://exämple.org/",
            "https://example.org/#",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,hello",
            "file:///etc/passwd",
        ],
    )
    def test_these_can_not_be_redirected_to(self, uri: str) -> None:
        assert why_not_redirected_to(uri) is not None

    @pytest.mark.parametrize(
        "uri",
        [
            "https://example.org/back?a=1",
            "http://localhost:8080/callback",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
            "com.example.app:/callback",
        ],
    )
    def test_these_can(self, uri: str) -> None:
        assert why_not_redirected_to(uri) is None

    def test_a_permission_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="permissions"):
            NewApplication.model_validate({"name": "App", "permissions": ["Everything"]})


class TestLogins:
    async def test_a_password_is_stored_as_a_hash(
        self, provisioning: Provisioning, stores: RecordsStores, acme: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name="anna", password=PASSWORD))
        login = await stores.credentials.login_named("anna")
        assert login is not None
        assert login.password_hash is not None
        assert verify_password("correct horse", login.password_hash)

    async def test_name_and_password_change_apart(self, provisioning: Provisioning, acme: Account) -> None:
        anna = await an_extension(provisioning, acme, "101")
        first = await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(password=PASSWORD))
        named = await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name="anna"))
        assert (named.user_name, named.password_hash) == ("anna", first.password_hash)
        nameless = await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name=None))
        assert (nameless.user_name, nameless.password_hash) == (None, first.password_hash)

    async def test_a_new_password_lifts_a_lock(
        self, provisioning: Provisioning, stores: RecordsStores, acme: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        login = await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(password=PASSWORD))
        locked = type(login)(
            extension_id=anna.id, user_name=None, password_hash=b"", failed_attempts=6, locked_until=NOW
        )
        await stores.credentials.save_login(locked)
        changed = await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(password=PASSWORD))
        assert (changed.failed_attempts, changed.locked_until) == (0, None)

    async def test_a_user_name_is_unique_over_all_accounts(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        bob = await an_extension(provisioning, other, "101")
        await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name="anna"))
        await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name="anna"))
        with pytest.raises(Conflict, match="userName"):
            await provisioning.logins.change(ALL_ACCOUNTS, bob.id, LoginChanges(user_name="anna"))

    @pytest.mark.parametrize("password", ["", "seven77", "x" * 257, "ü" * 129])
    async def test_a_password_of_a_wrong_length_is_refused_without_repeating_it(
        self, provisioning: Provisioning, acme: Account, password: str
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        with pytest.raises(InvalidRequest, match="password") as refused:
            await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(password=SecretStr(password)))
        assert refused.value.entries[0].value is None
        assert (await provisioning.logins.get(ALL_ACCOUNTS, anna.id)).password_hash is None

    async def test_a_password_that_was_taken_away_is_not_found(self, provisioning: Provisioning, acme: Account) -> None:
        anna = await an_extension(provisioning, acme, "101")
        await provisioning.logins.change(ALL_ACCOUNTS, anna.id, LoginChanges(user_name="anna", password=PASSWORD))
        await provisioning.logins.delete_password(ALL_ACCOUNTS, anna.id)
        login = await provisioning.logins.get(ALL_ACCOUNTS, anna.id)
        assert (login.user_name, login.password_hash) == ("anna", None)
        with pytest.raises(NotFound):
            await provisioning.logins.delete_password(ALL_ACCOUNTS, anna.id)

    @pytest.mark.parametrize("user_name", ["", "+16505550100", "101", "a*b", "an na", "a\x00", "x" * 129])
    def test_a_user_name_that_could_be_a_phone_number_or_is_not_writable_is_refused(self, user_name: str) -> None:
        with pytest.raises(ValidationError):
            LoginChanges(user_name=user_name)

    def test_a_change_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="have to be given"):
            LoginChanges()


class TestJwts:
    async def test_a_jwt_logs_in_as_its_user_until_it_is_revoked(
        self, provisioning: Provisioning, stores: RecordsStores, acme: Account, clock: StoppedClock
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        app = await provisioning.applications.create(ALL_ACCOUNTS, NewApplication(name="App", permissions=frozenset()))
        made = await provisioning.jwts.create(
            ALL_ACCOUNTS, anna.id, NewJwt(label="CI", client_ids=(app.application.client_id,))
        )
        checking = UserJwts(credentials=stores.credentials, installation=stores.installation, clock=clock)
        assert await checking.user_of(made.token, app.application) == anna.id
        await provisioning.jwts.revoke(ALL_ACCOUNTS, anna.id, made.credential.jti)
        with pytest.raises(InvalidRequest, match="revoked"):
            await checking.user_of(made.token, app.application)
        with pytest.raises(NotFound):
            await provisioning.jwts.revoke(ALL_ACCOUNTS, anna.id, made.credential.jti)
        page = await provisioning.jwts.page(ALL_ACCOUNTS, anna.id, limit=10)
        assert [(one.label, one.revoked) for one in page.records] == [("CI", True)]

    async def test_a_jwt_is_not_found_under_another_user(self, provisioning: Provisioning, acme: Account) -> None:
        anna, bob = await an_extension(provisioning, acme, "101"), await an_extension(provisioning, acme, "102")
        made = await provisioning.jwts.create(ALL_ACCOUNTS, anna.id, NewJwt())
        with pytest.raises(NotFound):
            await provisioning.jwts.revoke(ALL_ACCOUNTS, bob.id, made.credential.jti)

    async def test_clients_of_a_jwt_have_to_be_ones_that_the_user_can_log_in_with(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        foreign = await provisioning.applications.create(
            ALL_ACCOUNTS, NewApplication(name="App", permissions=frozenset(), account_id=other.id)
        )
        for client in (foreign.application.client_id, ClientId("unknown")):
            with pytest.raises(InvalidRequest, match=r"clientIds\[0\]"):
                await provisioning.jwts.create(ALL_ACCOUNTS, anna.id, NewJwt(client_ids=(client,)))

    @pytest.mark.parametrize("expires_at", [NOW, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
    async def test_an_expiry_in_the_past_or_beyond_all_lives_is_refused(
        self, provisioning: Provisioning, acme: Account, expires_at: datetime
    ) -> None:
        anna = await an_extension(provisioning, acme, "101")
        with pytest.raises(InvalidRequest, match="expiresAt"):
            await provisioning.jwts.create(ALL_ACCOUNTS, anna.id, NewJwt(expires_at=expires_at))


class TestKeys:
    async def test_a_key_is_stored_as_a_hash_and_found_by_it(
        self, provisioning: Provisioning, stores: RecordsStores, acme: Account
    ) -> None:
        made = await provisioning.publisher_keys.create(
            ALL_ACCOUNTS, NewPublisherKey(label="Relay", default_account_id=acme.id)
        )
        assert made.key.startswith("bwp_")
        assert stores.credentials.key_with_hash(hash_secret(made.key)) == made.record
        assert (made.record.account_id, made.record.default_account_id) == (None, acme.id)

    async def test_a_default_account_is_only_for_keys_of_all_accounts(
        self, provisioning: Provisioning, acme: Account
    ) -> None:
        new = NewPublisherKey(label="Relay", account_id=acme.id, default_account_id=acme.id)
        with pytest.raises(InvalidRequest, match="defaultAccountId"):
            await provisioning.publisher_keys.create(ALL_ACCOUNTS, new)

    async def test_a_key_for_an_account_that_is_not_there_is_refused(self, provisioning: Provisioning) -> None:
        with pytest.raises(InvalidRequest, match="accountId"):
            await provisioning.admin_keys.create(ALL_ACCOUNTS, NewAdminKey(label="A", account_id=AccountId("1")))

    async def test_a_disabled_key_says_so_and_a_deleted_one_is_not_found(
        self, provisioning: Provisioning, stores: RecordsStores
    ) -> None:
        made = await provisioning.publisher_keys.create(ALL_ACCOUNTS, NewPublisherKey(label="Relay"))
        await provisioning.publisher_keys.change(ALL_ACCOUNTS, made.record.id, KeyChanges(status=Status.DISABLED))
        found = stores.credentials.key_with_hash(hash_secret(made.key))
        assert found is not None
        assert found.status is Status.DISABLED
        await provisioning.publisher_keys.delete(ALL_ACCOUNTS, made.record.id)
        assert stores.credentials.key_with_hash(hash_secret(made.key)) is None
        with pytest.raises(NotFound):
            await provisioning.publisher_keys.delete(ALL_ACCOUNTS, made.record.id)

    async def test_kinds_of_keys_do_not_see_each_other(self, provisioning: Provisioning) -> None:
        made = await provisioning.publisher_keys.create(ALL_ACCOUNTS, NewPublisherKey(label="Relay"))
        with pytest.raises(NotFound):
            await provisioning.admin_keys.get(ALL_ACCOUNTS, made.record.id)

    async def test_the_first_admin_key_is_made_once(self, provisioning: Provisioning, stores: RecordsStores) -> None:
        key = await provisioning.ensure_first_admin_key()
        assert key is not None
        found = stores.credentials.key_with_hash(hash_secret(key))
        assert found is not None
        assert (found.kind, found.account_id) == (KeyKind.ADMIN, None)
        assert await provisioning.ensure_first_admin_key() is None

    async def test_the_last_admin_key_of_all_accounts_stays(self, provisioning: Provisioning, acme: Account) -> None:
        await provisioning.ensure_first_admin_key()
        [first] = (await provisioning.admin_keys.page(ALL_ACCOUNTS, limit=10)).records
        await provisioning.admin_keys.create(ALL_ACCOUNTS, NewAdminKey(label="Scoped", account_id=acme.id))
        with pytest.raises(Conflict, match="last admin key"):
            await provisioning.admin_keys.delete(ALL_ACCOUNTS, first.id)
        with pytest.raises(Conflict, match="last admin key"):
            await provisioning.admin_keys.change(ALL_ACCOUNTS, first.id, KeyChanges(status=Status.DISABLED))
        await provisioning.admin_keys.create(ALL_ACCOUNTS, NewAdminKey(label="Second"))
        await provisioning.admin_keys.delete(ALL_ACCOUNTS, first.id)


class TestScope:
    """A key of one account sees and changes only that account."""

    async def test_it_sees_only_its_account(self, provisioning: Provisioning, acme: Account, other: Account) -> None:
        scope = Scope(acme.id)
        assert provisioning.accounts.page(scope, limit=10).records == (acme,)
        for see in (
            lambda: provisioning.accounts.get(scope, other.id),
            lambda: provisioning.extensions.page(scope, other.id, limit=10),
            lambda: provisioning.numbers.page(scope, other.id, limit=10),
            lambda: provisioning.devices.page(scope, other.id, limit=10),
        ):
            with pytest.raises(NotFound):
                see()

    async def test_it_changes_nothing_of_another_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        scope = Scope(acme.id)
        bob = await an_extension(provisioning, other, "101")
        number = await provisioning.numbers.create(ALL_ACCOUNTS, other.id, NewNumber(phone_number="+16505550101"))
        device = await provisioning.devices.create(ALL_ACCOUNTS, other.id, NewDevice(name="Desk"))
        jwt = await provisioning.jwts.create(ALL_ACCOUNTS, bob.id, NewJwt())
        new = NewExtension(extension_number="102", first_name="New")
        for attempt in (
            provisioning.accounts.change(scope, other.id, AccountChanges(company_name="Mine")),
            provisioning.extensions.create(scope, other.id, new),
            provisioning.extensions.change(scope, other.id, bob.id, ExtensionChanges(is_admin=True)),
            provisioning.extensions.change(scope, acme.id, bob.id, ExtensionChanges(is_admin=True)),
            provisioning.extensions.delete(scope, other.id, bob.id),
            provisioning.numbers.create(scope, other.id, NewNumber(phone_number="+16505550102")),
            provisioning.numbers.delete(scope, other.id, number.id),
            provisioning.numbers.delete(scope, acme.id, number.id),
            provisioning.devices.delete(scope, other.id, device.id),
            provisioning.logins.change(scope, bob.id, LoginChanges(password=PASSWORD)),
            provisioning.logins.get(scope, bob.id),
            provisioning.logins.delete_password(scope, bob.id),
            provisioning.jwts.create(scope, bob.id, NewJwt()),
            provisioning.jwts.page(scope, bob.id, limit=10),
            provisioning.jwts.revoke(scope, bob.id, jwt.credential.jti),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert provisioning.extensions.get(ALL_ACCOUNTS, other.id, bob.id) == bob

    async def test_it_neither_makes_nor_disables_nor_deletes_accounts(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        scope = Scope(acme.id)
        for attempt in (
            provisioning.accounts.create(scope, NewAccount(company_name="New")),
            provisioning.accounts.change(scope, acme.id, AccountChanges(status=Status.DISABLED)),
            provisioning.accounts.delete(scope, acme.id),
        ):
            with pytest.raises(Forbidden):
                await attempt
        with pytest.raises(NotFound):
            await provisioning.accounts.delete(scope, other.id)
        renamed = await provisioning.accounts.change(scope, acme.id, AccountChanges(company_name="Acme Ltd"))
        assert renamed.company_name == "Acme Ltd"

    async def test_its_applications_are_those_of_its_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        scope = Scope(acme.id)
        common = await provisioning.applications.create(
            ALL_ACCOUNTS, NewApplication(name="Common", permissions=frozenset())
        )
        own = await provisioning.applications.create(scope, NewApplication(name="Own", permissions=frozenset()))
        assert own.application.account_id == acme.id
        assert provisioning.applications.page(scope, limit=10).records == (own.application,)
        client = common.application.client_id
        for attempt in (
            provisioning.applications.change(scope, client, ApplicationChanges(name="Mine")),
            provisioning.applications.rotate_secret(scope, client),
            provisioning.applications.delete(scope, client),
        ):
            with pytest.raises(NotFound):
                await attempt
        with pytest.raises(InvalidRequest, match="accountId"):
            await provisioning.applications.create(
                scope, NewApplication(name="Theirs", permissions=frozenset(), account_id=other.id)
            )

    async def test_its_keys_are_those_of_its_account(
        self, provisioning: Provisioning, acme: Account, other: Account
    ) -> None:
        scope = Scope(acme.id)
        all_accounts = await provisioning.admin_keys.create(ALL_ACCOUNTS, NewAdminKey(label="All"))
        own = await provisioning.admin_keys.create(scope, NewAdminKey(label="Own"))
        assert own.record.account_id == acme.id
        assert (await provisioning.admin_keys.page(scope, limit=10)).records == (own.record,)
        with pytest.raises(NotFound):
            await provisioning.admin_keys.delete(scope, all_accounts.record.id)
        with pytest.raises(InvalidRequest, match="accountId"):
            await provisioning.publisher_keys.create(scope, NewPublisherKey(label="A", account_id=other.id))
        with pytest.raises(InvalidRequest, match="defaultAccountId"):
            await provisioning.publisher_keys.create(scope, NewPublisherKey(label="A", default_account_id=other.id))
