"""The demo account, made over a real records database."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.secrets import hash_secret, same_secret, verify_password
from bellwire.engine.seed import DEMO_MEMO, DemoCredentials, demo_credentials_from, seed_demo
from bellwire.engine.seed_company import PEOPLE
from bellwire.model.directory import ExtensionType
from bellwire.model.identity import KeyKind
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission
from bellwire.storage.records import RecordsStores, open_records, read_memo
from tests.conformance.subscription_store import StoppedClock


async def seeded(stores: RecordsStores) -> DemoCredentials:
    return await seed_demo(
        writer=stores.directory,
        credentials=stores.credentials,
        installation=stores.installation,
        clock=StoppedClock(),
    )


async def test_an_earlier_data_directory_has_the_same_credentials(tmp_path: Path) -> None:
    first = await open_records(tmp_path, StoppedClock())
    made = await seeded(first)
    extensions = first.directory.extensions(AccountId(made.account_id))
    await first.close()
    second = await open_records(tmp_path, StoppedClock())
    assert await seeded(second) == made
    assert second.directory.extensions(AccountId(made.account_id)) == extensions
    await second.close()


async def test_the_credentials_can_be_read_from_outside_while_the_server_runs(tmp_path: Path) -> None:
    assert demo_credentials_from(read_memo(tmp_path, DEMO_MEMO)) is None
    stores = await open_records(tmp_path, StoppedClock())
    made = await seeded(stores)
    assert demo_credentials_from(read_memo(tmp_path, DEMO_MEMO)) == made
    await stores.close()


async def test_two_data_directories_have_different_secrets(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        stores = await open_records(tmp_path / name, StoppedClock())
        made.append(await seeded(stores))
        await stores.close()
    one, two = made
    for secret in ("client_secret", "jwt", "limited_client_secret", "limited_jwt", "publisher_key", "admin_key"):
        assert getattr(one, secret) != getattr(two, secret)
    assert one.password != two.password


async def test_a_start_that_was_interrupted_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Exception):
        pass

    async def interrupted(_name: str, _text: str) -> None:
        raise Interrupted

    first = await open_records(tmp_path, StoppedClock())
    with monkeypatch.context() as patch:
        patch.setattr(first.installation, "set_memo", interrupted)
        with pytest.raises(Interrupted):
            await seeded(first)
    await first.close()
    second = await open_records(tmp_path, StoppedClock())
    made = await seeded(second)
    application = second.directory.application(ClientId(made.client_id))
    assert application is not None
    assert application.secret_hash == hash_secret(made.client_secret)
    assert len(await second.credentials.keys(KeyKind.ADMIN)) == 1
    await second.close()


async def test_seeding_is_quick(tmp_path: Path) -> None:
    stores = await open_records(tmp_path, StoppedClock())
    started = time.process_time()
    await seeded(stores)
    assert time.process_time() - started < 1
    await stores.close()


class TestDemoAccount:
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> RecordsStores:
        return await open_records(tmp_path, StoppedClock())

    async def test_it_is_one_company_of_a_dozen_users_and_two_call_queues(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        assert [account.id for account in stores.directory.accounts()] == [made.account_id]
        extensions = stores.directory.extensions(AccountId(made.account_id))
        kinds = [extension.type for extension in extensions]
        assert (kinds.count(ExtensionType.USER), kinds.count(ExtensionType.CALL_QUEUE)) == (12, 2)
        await stores.close()

    async def test_each_user_logs_in_with_a_name_and_the_password_and_has_a_direct_number(
        self, stores: RecordsStores
    ) -> None:
        made = await seeded(stores)
        assert len(made.users) == len(PEOPLE) == len({user.user_name for user in made.users})
        owners = {
            number.phone_number: number.extension_id for number in stores.directory.numbers(AccountId(made.account_id))
        }
        hashes = set()
        for user in made.users:
            login = await stores.credentials.login_named(user.user_name)
            assert login is not None
            assert login.extension_id == user.extension_id
            assert login.password_hash is not None
            hashes.add(login.password_hash)
            assert owners[user.direct_number] == user.extension_id
        assert all(verify_password(made.password, stored) for stored in hashes)
        await stores.close()

    async def test_lines_are_monitored_and_favorites_kept_among_its_users(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        users = {user.extension_id for user in made.users}
        for extension in stores.directory.extensions(AccountId(made.account_id)):
            assert {*extension.monitored_lines, *extension.favorites} <= users - {extension.id}
        administrator, other = ExtensionId(made.extension_id), ExtensionId(made.other_extension_id)
        assert stores.directory.watchers_of_line(other) == (administrator,)
        assert stores.directory.watchers_of_line(administrator) == (other,)
        assert administrator in stores.directory.admirers_of(other)
        await stores.close()

    async def test_the_jwts_user_is_an_administrator_and_the_other_is_not(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        administrator = stores.directory.extension(ExtensionId(made.extension_id))
        other = stores.directory.extension(ExtensionId(made.other_extension_id))
        assert administrator is not None
        assert other is not None
        assert (administrator.is_admin, other.is_admin) == (True, False)
        jwts = UserJwts(credentials=stores.credentials, installation=stores.installation, clock=StoppedClock())
        for client, token in ((made.client_id, made.jwt), (made.limited_client_id, made.limited_jwt)):
            application = stores.directory.application(ClientId(client))
            assert application is not None
            assert await jwts.user_of(token, application) == administrator.id
        await stores.close()

    async def test_a_local_and_a_toll_free_number_may_send_high_volume_sms(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        numbers = stores.directory.numbers(AccountId(made.account_id))
        a2p, other = [number for number in numbers if "A2PSmsSender" in number.features]
        [toll_free] = [number for number in numbers if number.payment_type == "TollFree"]
        assert (a2p.phone_number, a2p.payment_type, a2p.extension_id) == (made.a2p_number, "Local", made.extension_id)
        assert toll_free.phone_number == made.toll_free_number == other.phone_number
        assert made.a2p_number.startswith("+1650555")
        await stores.close()

    async def test_its_applications_are_a_full_a_limited_and_a_public_one(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        full = stores.directory.application(ClientId(made.client_id))
        limited = stores.directory.application(ClientId(made.limited_client_id))
        public = stores.directory.application(ClientId(made.public_client_id))
        assert full is not None
        assert limited is not None
        assert public is not None
        assert full.permissions == frozenset(Permission)
        assert full.redirect_uris == (made.redirect_uri,)
        assert full.rate_limit_factor >= 100
        assert same_secret(made.client_secret, full.secret_hash or b"")
        assert len(limited.permissions) < len(full.permissions) / 2
        assert limited.rate_limit_factor == 1
        assert same_secret(made.limited_client_secret, limited.secret_hash or b"")
        assert public.is_public
        assert public.redirect_uris == (made.redirect_uri,)
        await stores.close()

    async def test_its_keys_are_good_for_all_accounts(self, stores: RecordsStores) -> None:
        made = await seeded(stores)
        publisher = stores.credentials.key_with_hash(hash_secret(made.publisher_key))
        admin = stores.credentials.key_with_hash(hash_secret(made.admin_key))
        assert publisher is not None
        assert admin is not None
        assert (publisher.kind, publisher.account_id) == (KeyKind.PUBLISHER, None)
        assert publisher.default_account_id == made.account_id
        assert (admin.kind, admin.account_id) == (KeyKind.ADMIN, None)
        await stores.close()

    async def test_the_environment_has_every_name_that_is_promised_and_no_empty_value(
        self, stores: RecordsStores
    ) -> None:
        variables = (await seeded(stores)).env("http://127.0.0.1:8710")
        assert list(variables) == [
            "RC_SERVER_URL",
            "RC_APP_CLIENT_ID",
            "RC_APP_CLIENT_SECRET",
            "RC_USER_JWT",
            "RINGCENTRAL_SERVER_URL",
            "RINGCENTRAL_CLIENT_ID",
            "RINGCENTRAL_CLIENT_SECRET",
            "RINGCENTRAL_JWT_TOKEN",
            "BELLWIRE_PUBLISHER_KEY",
            "BELLWIRE_ADMIN_KEY",
            "BELLWIRE_ACCOUNT_ID",
            "BELLWIRE_EXTENSION_ID",
            "BELLWIRE_OTHER_EXTENSION_ID",
            "BELLWIRE_A2P_NUMBER",
            "BELLWIRE_LIMITED_CLIENT_ID",
            "BELLWIRE_LIMITED_CLIENT_SECRET",
            "BELLWIRE_LIMITED_JWT",
        ]
        assert all(value and not set(value) & set(" \"'\\$#\n") for value in variables.values())
        assert variables["RC_SERVER_URL"] == variables["RINGCENTRAL_SERVER_URL"] == "http://127.0.0.1:8710"
        await stores.close()
