"""Sessions, passwords and JWTs below the HTTP surface: what the contract's cases don't reach."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bellwire.engine import authorize_passwords
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import GrantedTokens, Lifetimes, Sessions
from bellwire.engine.secrets import hash_password, hash_secret, verify_password
from bellwire.errors import OAuthRefused, Unauthenticated, Unavailable
from bellwire.model.directory import Account, Extension
from bellwire.model.identity import Application, UserLogin
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission
from tests.doubles.identity import MemoryIdentity, MemoryInstallation
from tests.doubles.stepped_clock import SteppedClock

ACCOUNT = Account(id=AccountId("1"), company_name="Northwind")
USER = Extension(id=ExtensionId("11"), account_id=ACCOUNT.id, extension_number="101", first_name="Ann")
APP = Application(client_id=ClientId("app"), name="App", secret_hash=None, permissions=frozenset({Permission.SMS}))
HASH = hash_password("right")


class Bench:
    def __init__(self, *, cached: int = 100) -> None:
        self.store, self.clock = MemoryIdentity(), SteppedClock()
        installation = MemoryInstallation()
        self.sessions = Sessions(
            store=self.store, directory=self.store, installation=installation, clock=self.clock, cached=cached
        )
        self.passwords = Passwords(directory=self.store, credentials=self.store, clock=self.clock)
        self.jwts = UserJwts(credentials=self.store, installation=installation, clock=self.clock)

    async def open(self, application: Application = APP) -> GrantedTokens:
        return await self.sessions.open(
            application,
            USER,
            scope=application.permissions,
            lifetimes=Lifetimes(access_seconds=600, refresh_seconds=1000),
            endpoint_id=None,
        )


@pytest.fixture
async def bench() -> Bench:
    built = Bench()
    await _people(built)
    return built


async def _people(bench: Bench) -> None:
    await bench.store.save_account(ACCOUNT)
    await bench.store.save_extension(USER)
    await bench.store.save_application(APP)
    await bench.store.save_login(UserLogin(extension_id=USER.id, user_name="ann", password_hash=HASH))


async def test_only_hashes_of_tokens_are_stored(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)
    (session,) = await bench.store.sessions_of(APP.client_id, USER.id)
    stored = repr(session)
    assert first.access_token not in stored and first.refresh_token not in stored
    assert session.previous_access_hash == hash_secret(first.access_token)


async def test_a_small_cache_still_finds_every_session() -> None:
    bench = Bench(cached=2)
    await _people(bench)
    tokens = [(await bench.open()).access_token for _ in range(5)]
    for _ in range(3):
        for token in tokens:
            assert (await bench.sessions.caller(token)).extension_id == USER.id


async def test_use_is_remembered_for_the_choice_of_which_session_ends(bench: Bench) -> None:
    tokens = [(await bench.open()).access_token for _ in range(5)]
    for token in tokens:
        await bench.sessions.caller(token)
        bench.clock.advance(1)
    await bench.sessions.caller(tokens[0])  # too soon to be written, and known all the same
    await bench.open()
    with pytest.raises(Unauthenticated) as refused:
        await bench.sessions.caller(tokens[1])
    assert refused.value.code == "OAU-213"
    await bench.sessions.caller(tokens[0])


async def test_a_refresh_keeps_the_refresh_lifetime_and_the_session(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    bench.clock.advance(500)
    second = await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)
    assert (second.refresh_token_expires_in, second.session.id) == (1000, first.session.id)


async def test_an_expired_refresh_token_is_refused(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    bench.clock.advance(1000)
    with pytest.raises(OAuthRefused, match="expired") as refused:
        await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)
    assert refused.value.code == "OAU-213"


async def test_a_refresh_token_of_another_application_is_unknown(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    other = replace(APP, client_id=ClientId("other"))
    await bench.store.save_application(other)
    with pytest.raises(OAuthRefused, match="not found"):
        await bench.sessions.refresh(other, first.refresh_token, access_seconds=600, refresh_seconds=None)


async def test_a_replaced_refresh_token_gives_nothing_after_the_second_refresh(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    second = await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)
    assert second.refresh_token is not None
    await bench.sessions.refresh(APP, second.refresh_token, access_seconds=600, refresh_seconds=None)
    with pytest.raises(OAuthRefused) as refused:
        await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)
    assert refused.value.code == "OAU-213"


async def test_a_removed_user_can_neither_call_nor_refresh(bench: Bench) -> None:
    first = await bench.open()
    assert first.refresh_token is not None
    await bench.store.remove_extension(USER.id)
    with pytest.raises(Unauthenticated):
        await bench.sessions.caller(first.access_token)
    with pytest.raises(OAuthRefused):
        await bench.sessions.refresh(APP, first.refresh_token, access_seconds=600, refresh_seconds=None)


async def test_sweeping_removes_what_nobody_can_use(bench: Bench) -> None:
    await bench.open()
    assert await bench.sessions.sweep() == 0
    bench.clock.advance(1000)
    assert await bench.sessions.sweep() == 1


async def test_a_login_without_a_password_never_matches(bench: Bench) -> None:
    await bench.store.save_login(UserLogin(extension_id=USER.id, user_name="ann", password_hash=None))
    for user in (USER.id, None):
        with pytest.raises(OAuthRefused) as refused:
            await bench.passwords.check(user, "nobody")
        assert refused.value.code == "OAU-140"


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time of a refusal would say who has a login."""
    tried: list[int] = []

    def counted(password: str, stored: bytes) -> bool:
        tried.append(len(stored))
        return verify_password(password, stored)

    monkeypatch.setattr(authorize_passwords, "verify_password", counted)
    ben = replace(USER, id=ExtensionId("12"), extension_number="102")
    await bench.store.save_extension(ben)
    await bench.store.save_login(UserLogin(extension_id=ben.id, user_name="ben", password_hash=None))
    refusals = []
    for user in (USER.id, None, ben.id, ExtensionId("nobody-at-all")):
        with pytest.raises(OAuthRefused) as refused:
            await bench.passwords.check(user, "wrong")
        refusals.append((refused.value.code, refused.value.message))
    assert len(set(refusals)) == 1
    assert len(tried) == 4
    assert len(set(tried)) == 1


async def test_success_forgets_the_failures_before_it(bench: Bench) -> None:
    for _ in range(2):
        for _ in range(5):
            with pytest.raises(OAuthRefused):
                await bench.passwords.check(USER.id, "wrong")
        assert (await bench.passwords.check(USER.id, "right")).id == USER.id
    login = await bench.store.login_of(USER.id)
    assert login is not None and login.failed_attempts == 0


async def test_passwords_that_wait_are_bounded(bench: Bench) -> None:
    passwords = Passwords(directory=bench.store, credentials=bench.store, clock=bench.clock, max_waiting=6)
    results = await asyncio.gather(*(passwords.check(None, "any") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) == 4
    assert sum(isinstance(result, OAuthRefused) for result in results) == 6


async def test_a_jwt_ends_at_the_instant_it_says(bench: Bench) -> None:
    end = bench.clock.now() + timedelta(seconds=10)
    token, credential = bench.jwts.mint_jwt(USER.id, expires_at=end, label="x" * 500)
    assert len(credential.label) == 128
    await bench.store.save_jwt(credential)
    assert await bench.jwts.user_of(token, APP) == USER.id
    bench.clock.advance(10)
    with pytest.raises(OAuthRefused, match="expired"):
        await bench.jwts.user_of(token, APP)


async def test_a_revoked_jwt_is_refused(bench: Bench) -> None:
    token, credential = bench.jwts.mint_jwt(USER.id)
    await bench.store.save_jwt(replace(credential, revoked=True))
    with pytest.raises(OAuthRefused, match="revoked"):
        await bench.jwts.user_of(token, APP)


async def test_a_jwt_of_another_installation_is_refused(bench: Bench) -> None:
    other = UserJwts(credentials=bench.store, installation=MemoryInstallation(), clock=bench.clock)
    token, credential = other.mint_jwt(USER.id)
    await bench.store.save_jwt(credential)
    with pytest.raises(OAuthRefused, match="not one of this server"):
        await bench.jwts.user_of(token, APP)
