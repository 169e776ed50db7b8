"""What the directory and every store of who is who must do. A backend's test class gives the fixture `stores`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bellwire.model.directory import Account, Device, Extension, ExtensionType, PhoneNumber, Status
from bellwire.model.identity import (
    ApiKey,
    Application,
    AuthorizationCode,
    Grant,
    JwtCredential,
    KeyKind,
    Session,
    TokenPair,
    UserLogin,
)
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SessionId
from bellwire.model.permission import Permission, UserPermission
from bellwire.ports.identity import CredentialStore, Directory, DirectoryWriter, Installation, SessionStore

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
ACME = Account(id=AccountId("100"), company_name="Acme", main_number="+16505550100")
OTHER = Account(id=AccountId("200"), company_name="Other")
APP = Application(
    client_id=ClientId("app"),
    name="App",
    secret_hash=b"s" * 32,
    permissions=frozenset({Permission.SMS, Permission.READ_PRESENCE}),
    redirect_uris=("https://example.org/back",),
    rate_limit_factor=2.5,
)


class WritableDirectory(Directory, DirectoryWriter, Protocol):
    """Both sides of the directory in one object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityStores:
    """The stores of one backend, over the same records."""

    directory: WritableDirectory
    credentials: CredentialStore
    sessions: SessionStore
    installation: Installation


def an_extension(
    number: str, account: Account = ACME, *, lines: Sequence[str] = (), favorites: Sequence[str] = ()
) -> Extension:
    return Extension(
        id=ExtensionId(f"{account.id}{number}"),
        account_id=account.id,
        extension_number=number,
        first_name=f"User {number}",
        monitored_lines=tuple(ExtensionId(f"{account.id}{line}") for line in lines),
        favorites=tuple(ExtensionId(f"{account.id}{favorite}") for favorite in favorites),
    )


def a_session(name: str, extension: Extension, *, client: ClientId = APP.client_id) -> Session:
    return Session(
        id=SessionId(name),
        client_id=client,
        extension_id=extension.id,
        account_id=extension.account_id,
        scope=frozenset({Permission.SMS}),
        endpoint_id=f"endpoint-{name}",
        tokens=TokenPair(
            access_hash=f"{name} access".encode(),
            access_expires_at=NOW + timedelta(hours=1),
            refresh_hash=f"{name} refresh".encode(),
            refresh_expires_at=NOW + timedelta(days=7),
        ),
        refresh_ttl_seconds=604800,
        created_at=NOW,
        last_used_at=NOW,
    )


def a_code(name: str, extension: Extension) -> AuthorizationCode:
    return AuthorizationCode(
        code_hash=name.encode(),
        client_id=APP.client_id,
        extension_id=extension.id,
        redirect_uri="https://example.org/back",
        redirect_uri_given=True,
        scope=frozenset(Permission),
        code_challenge="challenge",
        code_challenge_method="S256",
        expires_at=NOW + timedelta(seconds=60),
    )


def a_key(name: str, kind: KeyKind = KeyKind.PUBLISHER, *, account: Account | None = None) -> ApiKey:
    return ApiKey(
        id=name,
        kind=kind,
        label=f"Key {name}",
        key_hash=f"hash of {name}".encode(),
        account_id=account.id if account else None,
        created_at=NOW,
    )


async def populate(stores: IdentityStores, *extensions: Extension) -> None:
    """Two accounts, one application, and these extensions."""
    await stores.directory.save_account(ACME)
    await stores.directory.save_account(OTHER)
    await stores.directory.save_application(APP)
    for extension in extensions:
        await stores.directory.save_extension(extension)


class DirectoryContract:
    async def test_a_saved_account_is_in_the_directory_when_the_save_returns(self, stores: IdentityStores) -> None:
        await stores.directory.save_account(ACME)
        assert stores.directory.account(ACME.id) == ACME
        assert list(stores.directory.accounts()) == [ACME]

    async def test_saving_an_account_again_replaces_it_and_keeps_what_belongs_to_it(
        self, stores: IdentityStores
    ) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        changed = replace(ACME, company_name="Acme Ltd", main_number=None, status=Status.DISABLED)
        await stores.directory.save_account(changed)
        assert stores.directory.account(ACME.id) == changed
        assert list(stores.directory.extensions(ACME.id)) == [anna]

    async def test_an_extension_comes_back_with_every_field(self, stores: IdentityStores) -> None:
        anna = replace(
            an_extension("101", lines=["102"], favorites=["103", "102"]),
            last_name="Ågren",
            email="anna@example.org",
            type=ExtensionType.CALL_QUEUE,
            status=Status.DISABLED,
            is_admin=True,
            permissions=frozenset({UserPermission.READ_COMPANY_TELEPHONY}),
        )
        await populate(stores, anna)
        assert stores.directory.extension(anna.id) == anna

    async def test_numbers_devices_and_applications_come_back_with_every_field(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        number = PhoneNumber(
            id="1",
            account_id=ACME.id,
            phone_number="+16505550101",
            extension_id=anna.id,
            usage_type="CompanyNumber",
            type="VoiceOnly",
            payment_type="TollFree",
            features=("A2PSmsSender", "CallerId"),
            label="Front desk",
            status=Status.DISABLED,
        )
        device = Device(id="1", account_id=ACME.id, extension_id=None, name="Lobby", type="SoftPhone")
        public = Application(
            client_id=ClientId("public"),
            name="Public",
            secret_hash=None,
            permissions=frozenset(),
            grants=frozenset({Grant.AUTHORIZATION_CODE}),
            account_id=ACME.id,
            status=Status.DISABLED,
        )
        await stores.directory.save_number(number)
        await stores.directory.save_device(device)
        await stores.directory.save_application(public)
        assert list(stores.directory.numbers(ACME.id)) == [number]
        assert list(stores.directory.devices(ACME.id)) == [device]
        assert stores.directory.application(public.client_id) == public
        assert {application.client_id for application in stores.directory.applications()} == {"app", "public"}

    async def test_an_account_sees_only_its_own(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("101", OTHER)
        await populate(stores, anna, bob)
        assert list(stores.directory.extensions(ACME.id)) == [anna]
        assert list(stores.directory.extensions(OTHER.id)) == [bob]

    async def test_unknown_ids_are_none_and_empty(self, stores: IdentityStores) -> None:
        directory = stores.directory
        assert directory.account(AccountId("9")) is None
        assert directory.extension(ExtensionId("9")) is None
        assert directory.application(ClientId("9")) is None
        assert not directory.extensions(AccountId("9"))
        assert not directory.numbers(AccountId("9"))
        assert not directory.devices(AccountId("9"))
        assert not directory.watchers_of_line(ExtensionId("9"))
        assert not directory.admirers_of(ExtensionId("9"))

    async def test_removing_unknown_ids_changes_nothing(self, stores: IdentityStores) -> None:
        await populate(stores, an_extension("101"))
        await stores.directory.remove_account(AccountId("9"))
        await stores.directory.remove_extension(ExtensionId("9"))
        await stores.directory.remove_number("9")
        await stores.directory.remove_device("9")
        await stores.directory.remove_application(ClientId("9"))
        assert len(stores.directory.accounts()) == 2
        assert len(stores.directory.extensions(ACME.id)) == 1
        assert len(stores.directory.applications()) == 1

    async def test_watchers_and_admirers_are_those_whose_lists_name_the_extension(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        bob = an_extension("102", lines=["101"], favorites=["103"])
        cleo = an_extension("103", lines=["101", "102"], favorites=["101"])
        await populate(stores, anna, bob, cleo)
        assert set(stores.directory.watchers_of_line(anna.id)) == {bob.id, cleo.id}
        assert set(stores.directory.watchers_of_line(bob.id)) == {cleo.id}
        assert set(stores.directory.admirers_of(anna.id)) == {cleo.id}
        assert set(stores.directory.admirers_of(cleo.id)) == {bob.id}

    async def test_a_changed_list_changes_the_watchers(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102", lines=["101"])
        await populate(stores, anna, bob, an_extension("103"))
        await stores.directory.save_extension(an_extension("102", lines=["103"]))
        assert not stores.directory.watchers_of_line(anna.id)
        assert list(stores.directory.watchers_of_line(an_extension("103").id)) == [bob.id]

    async def test_an_extension_named_twice_in_a_list_is_told_once(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102", lines=["101", "101"])
        await populate(stores, anna, bob)
        assert list(stores.directory.watchers_of_line(anna.id)) == [bob.id]

    async def test_a_removed_extension_is_in_nobodys_lists(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        bob = an_extension("102", lines=["101", "103"], favorites=["101"])
        await populate(stores, anna, bob, an_extension("103"))
        await stores.directory.remove_extension(anna.id)
        assert stores.directory.extension(anna.id) is None
        assert stores.directory.extension(bob.id) == an_extension("102", lines=["103"])
        assert not stores.directory.watchers_of_line(anna.id)
        assert not stores.directory.admirers_of(anna.id)

    async def test_a_removed_extension_watches_nobody(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102", lines=["101"], favorites=["101"])
        await populate(stores, anna, bob)
        await stores.directory.remove_extension(bob.id)
        assert not stores.directory.watchers_of_line(anna.id)
        assert not stores.directory.admirers_of(anna.id)

    async def test_numbers_and_devices_of_a_removed_extension_become_nobodys(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        number = PhoneNumber(id="1", account_id=ACME.id, phone_number="+16505550101", extension_id=anna.id)
        device = Device(id="2", account_id=ACME.id, extension_id=anna.id, name="Desk")
        await stores.directory.save_number(number)
        await stores.directory.save_device(device)
        await stores.directory.remove_extension(anna.id)
        assert list(stores.directory.numbers(ACME.id)) == [replace(number, extension_id=None)]
        assert list(stores.directory.devices(ACME.id)) == [replace(device, extension_id=None)]

    async def test_removed_numbers_and_devices_are_gone(self, stores: IdentityStores) -> None:
        await populate(stores)
        await stores.directory.save_number(PhoneNumber(id="1", account_id=ACME.id, phone_number="+16505550101"))
        await stores.directory.save_device(Device(id="1", account_id=ACME.id, extension_id=None, name="Desk"))
        await stores.directory.remove_number("1")
        assert not stores.directory.numbers(ACME.id)
        assert len(stores.directory.devices(ACME.id)) == 1
        await stores.directory.remove_device("1")
        assert not stores.directory.devices(ACME.id)

    async def test_removing_an_account_removes_all_that_belongs_to_it(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("101", OTHER)
        await populate(stores, anna, bob)
        own = replace(APP, client_id=ClientId("own"), account_id=ACME.id)
        await stores.directory.save_application(own)
        await stores.directory.save_number(PhoneNumber(id="1", account_id=ACME.id, phone_number="+16505550101"))
        await stores.credentials.save_login(UserLogin(extension_id=anna.id, user_name="anna", password_hash=None))
        await stores.credentials.save_key(a_key("scoped", account=ACME))
        await stores.credentials.save_key(replace(a_key("default"), default_account_id=ACME.id))
        await stores.directory.remove_account(ACME.id)
        assert stores.directory.account(ACME.id) is None
        assert stores.directory.extension(anna.id) is None
        assert not stores.directory.numbers(ACME.id)
        assert stores.directory.application(own.client_id) is None
        assert await stores.credentials.login_named("anna") is None
        assert await stores.credentials.keys(KeyKind.PUBLISHER) == [a_key("default")]
        assert stores.credentials.key_with_hash(a_key("scoped").key_hash) is None
        assert stores.credentials.key_with_hash(a_key("default").key_hash) == a_key("default")
        assert list(stores.directory.accounts()) == [OTHER]
        assert stores.directory.extension(bob.id) == bob


class CredentialStoreContract:
    async def test_a_login_is_found_by_extension_and_by_user_name(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        login = UserLogin(
            extension_id=anna.id, user_name="anna", password_hash=b"hash", failed_attempts=3, locked_until=NOW
        )
        await stores.credentials.save_login(login)
        assert await stores.credentials.login_of(anna.id) == login
        assert await stores.credentials.login_named("anna") == login

    async def test_a_replaced_user_name_is_not_found_any_more(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        await stores.credentials.save_login(UserLogin(extension_id=anna.id, user_name="anna", password_hash=b"1"))
        await stores.credentials.save_login(UserLogin(extension_id=anna.id, user_name=None, password_hash=b"1"))
        assert await stores.credentials.login_named("anna") is None
        assert await stores.credentials.login_of(anna.id) is not None

    async def test_several_extensions_may_have_no_user_name(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102")
        await populate(stores, anna, bob)
        for extension in (anna, bob):
            await stores.credentials.save_login(
                UserLogin(extension_id=extension.id, user_name=None, password_hash=None)
            )
        assert await stores.credentials.login_of(bob.id) is not None

    async def test_the_jwts_of_a_user_come_back_with_every_field(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102")
        await populate(stores, anna, bob)
        old = JwtCredential(
            jti="z",
            extension_id=anna.id,
            label="Old",
            created_at=NOW,
            client_ids=(APP.client_id, ClientId("gone")),
            expires_at=NOW + timedelta(days=1),
        )
        new = JwtCredential(jti="a", extension_id=anna.id, label="New", created_at=NOW + timedelta(seconds=1))
        for credential in (new, old, replace(new, jti="b", extension_id=bob.id)):
            await stores.credentials.save_jwt(credential)
        assert sorted(await stores.credentials.jwts_of(anna.id), key=lambda one: one.created_at) == [old, new]
        assert await stores.credentials.jwt("z") == old
        assert await stores.credentials.jwt("unknown") is None

    async def test_a_revoked_jwt_says_so(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        credential = JwtCredential(jti="a", extension_id=anna.id, label="", created_at=NOW)
        await stores.credentials.save_jwt(credential)
        await stores.credentials.save_jwt(replace(credential, revoked=True))
        assert await stores.credentials.jwt("a") == replace(credential, revoked=True)

    async def test_logins_and_jwts_go_with_their_extension(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        await stores.credentials.save_login(UserLogin(extension_id=anna.id, user_name="anna", password_hash=b"1"))
        await stores.credentials.save_jwt(JwtCredential(jti="a", extension_id=anna.id, label="", created_at=NOW))
        await stores.directory.remove_extension(anna.id)
        assert await stores.credentials.login_of(anna.id) is None
        assert await stores.credentials.login_named("anna") is None
        assert await stores.credentials.jwt("a") is None

    async def test_keys_are_listed_by_kind_and_found_by_hash(self, stores: IdentityStores) -> None:
        await populate(stores)
        publisher, admin = a_key("p", account=ACME), a_key("a", KeyKind.ADMIN)
        await stores.credentials.save_key(publisher)
        await stores.credentials.save_key(admin)
        assert await stores.credentials.keys(KeyKind.PUBLISHER) == [publisher]
        assert await stores.credentials.keys(KeyKind.ADMIN) == [admin]
        assert stores.credentials.key_with_hash(admin.key_hash) == admin
        assert stores.credentials.key_with_hash(b"unknown") is None

    async def test_a_changed_key_is_found_changed_and_a_removed_one_not_at_all(self, stores: IdentityStores) -> None:
        await populate(stores)
        key = a_key("p")
        await stores.credentials.save_key(key)
        disabled = replace(key, status=Status.DISABLED, key_hash=b"new")
        await stores.credentials.save_key(disabled)
        assert stores.credentials.key_with_hash(b"new") == disabled
        assert stores.credentials.key_with_hash(key.key_hash) is None
        await stores.credentials.remove_key(key.id)
        await stores.credentials.remove_key("unknown")
        assert stores.credentials.key_with_hash(b"new") is None
        assert await stores.credentials.keys(KeyKind.PUBLISHER) == []


class SessionStoreContract:
    async def test_a_session_comes_back_with_every_field(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        session = replace(
            a_session("s", anna),
            previous_access_hash=b"previous access",
            previous_refresh_hash=b"previous refresh",
            refreshed_at=NOW + timedelta(microseconds=1),
            present_pair_sealed=b"sealed",
            present_access_used_at=NOW + timedelta(seconds=1),
        )
        await stores.sessions.save_session(session)
        assert await stores.sessions.session_by_access(session.tokens.access_hash) == session

    async def test_a_session_is_found_by_present_and_previous_tokens_of_the_right_kind(
        self, stores: IdentityStores
    ) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        session = replace(
            a_session("s", anna), previous_access_hash=b"old access", previous_refresh_hash=b"old refresh"
        )
        await stores.sessions.save_session(session)
        for access in (b"s access", b"old access"):
            assert await stores.sessions.session_by_access(access) == session
            assert await stores.sessions.session_by_refresh(access) is None
        for refresh in (b"s refresh", b"old refresh"):
            assert await stores.sessions.session_by_refresh(refresh) == session
            assert await stores.sessions.session_by_access(refresh) is None

    async def test_a_replaced_token_is_found_no_more(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        session = a_session("s", anna)
        await stores.sessions.save_session(session)
        await stores.sessions.save_session(
            replace(session, tokens=replace(session.tokens, access_hash=b"new", refresh_hash=None))
        )
        assert await stores.sessions.session_by_access(b"s access") is None
        assert await stores.sessions.session_by_refresh(b"s refresh") is None
        found = await stores.sessions.session_by_access(b"new")
        assert found is not None
        assert found.tokens.refresh_hash is None

    async def test_sessions_of_are_those_of_one_user_and_application(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102")
        await populate(stores, anna, bob)
        second = replace(APP, client_id=ClientId("second"))
        await stores.directory.save_application(second)
        for session in (
            a_session("1", anna),
            a_session("2", anna),
            a_session("3", bob),
            a_session("4", anna, client=second.client_id),
        ):
            await stores.sessions.save_session(session)
        assert {session.id for session in await stores.sessions.sessions_of(APP.client_id, anna.id)} == {"1", "2"}

    async def test_listeners_hear_once_of_each_removed_session(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        ended: list[SessionId] = []
        stores.sessions.on_session_end(ended.append)
        await stores.sessions.save_session(a_session("s", anna))
        await stores.sessions.remove_session(SessionId("s"))
        await stores.sessions.remove_session(SessionId("s"))
        assert ended == ["s"]
        assert await stores.sessions.session_by_access(b"s access") is None

    async def test_sessions_end_with_their_extension(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("102")
        await populate(stores, anna, bob)
        ended: list[SessionId] = []
        stores.sessions.on_session_end(ended.append)
        for session in (a_session("1", anna), a_session("2", bob)):
            await stores.sessions.save_session(session)
        await stores.directory.remove_extension(anna.id)
        assert ended == ["1"]
        assert await stores.sessions.session_by_access(b"1 access") is None
        assert await stores.sessions.session_by_access(b"2 access") is not None

    async def test_sessions_end_with_their_application(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        ended: list[SessionId] = []
        stores.sessions.on_session_end(ended.append)
        await stores.sessions.save_session(a_session("1", anna))
        await stores.sessions.save_code(a_code("code", anna))
        await stores.directory.remove_application(APP.client_id)
        assert ended == ["1"]
        assert await stores.sessions.take_code(b"code") is None

    async def test_sessions_end_with_their_account(self, stores: IdentityStores) -> None:
        anna, bob = an_extension("101"), an_extension("101", OTHER)
        await populate(stores, anna, bob)
        own = replace(APP, client_id=ClientId("own"), account_id=ACME.id)
        await stores.directory.save_application(own)
        ended: list[SessionId] = []
        stores.sessions.on_session_end(ended.append)
        for session in (a_session("1", anna), a_session("2", anna, client=own.client_id), a_session("3", bob)):
            await stores.sessions.save_session(session)
        await stores.directory.remove_account(ACME.id)
        assert sorted(ended) == ["1", "2"]

    async def test_a_code_is_taken_once_with_every_field(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        await stores.sessions.save_code(a_code("code", anna))
        assert await stores.sessions.take_code(b"code") == a_code("code", anna)
        assert await stores.sessions.take_code(b"code") is None

    async def test_of_two_takers_one_gets_the_code(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        await stores.sessions.save_code(a_code("code", anna))
        taken = await asyncio.gather(*(stores.sessions.take_code(b"code") for _ in range(8)))
        assert [code for code in taken if code is not None] == [a_code("code", anna)]

    async def test_what_nobody_can_use_any_more_is_removed_in_steps(self, stores: IdentityStores) -> None:
        anna = an_extension("101")
        await populate(stores, anna)
        spent = replace(
            a_session("spent", anna).tokens, refresh_hash=None, refresh_expires_at=None, access_expires_at=NOW
        )
        await stores.sessions.save_session(replace(a_session("spent", anna), tokens=spent))
        await stores.sessions.save_session(a_session("refreshable", anna))
        await stores.sessions.save_code(a_code("old code", anna))
        later = NOW + timedelta(hours=2)
        assert await stores.sessions.remove_expired(later, 1) == 1
        assert await stores.sessions.remove_expired(later, 10) == 1
        assert await stores.sessions.remove_expired(later, 10) == 0
        assert await stores.sessions.session_by_access(b"spent access") is None
        assert await stores.sessions.session_by_refresh(b"refreshable refresh") is not None
        assert await stores.sessions.take_code(b"old code") is None
        assert await stores.sessions.remove_expired(NOW + timedelta(days=7), 10) == 1


class InstallationContract:
    async def test_what_was_sealed_can_be_unsealed(self, stores: IdentityStores) -> None:
        sealed = stores.installation.seal("whsec_ünïcode")
        assert b"whsec" not in sealed
        assert stores.installation.unseal(sealed) == "whsec_ünïcode"

    async def test_the_same_text_is_sealed_differently_each_time(self, stores: IdentityStores) -> None:
        assert stores.installation.seal("text") != stores.installation.seal("text")

    async def test_the_signing_key_is_long_enough_for_hs256(self, stores: IdentityStores) -> None:
        assert len(stores.installation.signing_key) >= 32

    async def test_a_memo_is_kept_and_replaced(self, stores: IdentityStores) -> None:
        assert await stores.installation.memo("demo") is None
        await stores.installation.set_memo("demo", "one")
        await stores.installation.set_memo("demo", "two")
        assert await stores.installation.memo("demo") == "two"
        assert await stores.installation.memo("other") is None
