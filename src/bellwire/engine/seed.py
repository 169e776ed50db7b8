"""The demo account of `bellwire dev`: one company, its people, applications and keys, made once for a data directory.

Every record has a fixed id and is saved whole, and the credentials are noted last (sealed, `DEMO_MEMO`). So a start
that was interrupted is made good by the next, and a later start finds the note and changes nothing. Where there is a
note but no admin key, the records were thrown away by a reset: all is made again, with the credentials of the note.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.provision_api_keys import new_api_key
from bellwire.engine.secrets import hash_password, hash_secret, new_secret
from bellwire.engine.seed_company import (
    A2P_NUMBER,
    ACCOUNT,
    ADMINISTRATOR,
    DEVICES,
    NUMBERS,
    OTHER_USER,
    PEOPLE,
    TOLL_FREE_NUMBER,
    extensions,
)
from bellwire.model.identity import ApiKey, Application, Grant, KeyKind, UserLogin
from bellwire.model.ids import ClientId, ExtensionId
from bellwire.model.permission import Permission
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, DirectoryWriter, Installation

DEMO_MEMO = "demo credentials"
REDIRECT_URI = "http://localhost:8080/callback"
GENEROUS_FACTOR = 1000.0
"""Times the documented rate limits, for the applications that are not about limits."""

_FULL, _LIMITED, _PUBLIC = (
    ClientId("bellwire-demo"),
    ClientId("bellwire-demo-limited"),
    ClientId("bellwire-demo-public"),
)
_LIMITED_PERMISSIONS = frozenset({Permission.READ_ACCOUNTS, Permission.READ_PRESENCE})
_PASSWORD_BYTES = 9
_JWT_LABEL, _LIMITED_JWT_LABEL = "Demo", "Limited demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    """One who can log in with the demo password."""

    extension_id: ExtensionId
    extension_number: str
    name: str
    user_name: str
    direct_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCredentials:
    """All that one needs to use the demo account; the same for a data directory, always."""

    account_id: str
    extension_id: str
    """The JWTs' user, an account administrator."""
    other_extension_id: str
    """An ordinary user."""
    client_id: str
    client_secret: str
    jwt: str
    limited_client_id: str
    limited_client_secret: str
    limited_jwt: str
    public_client_id: str
    redirect_uri: str
    publisher_key: str
    admin_key: str
    a2p_number: str
    toll_free_number: str
    password: str
    """Every demo user's."""
    users: tuple[DemoUser, ...]

    def env(self, server_url: str) -> dict[str, str]:
        """The variables that `bellwire env` prints, in its order."""
        return {
            "RC_SERVER_URL": server_url,
            "RC_APP_CLIENT_ID": self.client_id,
            "RC_APP_CLIENT_SECRET": self.client_secret,
            "RC_USER_JWT": self.jwt,
            "RINGCENTRAL_SERVER_URL": server_url,
            "RINGCENTRAL_CLIENT_ID": self.client_id,
            "RINGCENTRAL_CLIENT_SECRET": self.client_secret,
            "RINGCENTRAL_JWT_TOKEN": self.jwt,
            "BELLWIRE_PUBLISHER_KEY": self.publisher_key,
            "BELLWIRE_ADMIN_KEY": self.admin_key,
            "BELLWIRE_ACCOUNT_ID": self.account_id,
            "BELLWIRE_EXTENSION_ID": self.extension_id,
            "BELLWIRE_OTHER_EXTENSION_ID": self.other_extension_id,
            "BELLWIRE_A2P_NUMBER": self.a2p_number,
            "BELLWIRE_LIMITED_CLIENT_ID": self.limited_client_id,
            "BELLWIRE_LIMITED_CLIENT_SECRET": self.limited_client_secret,
            "BELLWIRE_LIMITED_JWT": self.limited_jwt,
        }


def demo_credentials_from(memo: str | None) -> DemoCredentials | None:
    """What the note `DEMO_MEMO` says; None where there is none."""
    return None if memo is None else msgspec.json.decode(memo, type=DemoCredentials)


async def seed_demo(
    *, writer: DirectoryWriter, credentials: CredentialStore, installation: Installation, clock: Clock
) -> DemoCredentials:
    """The credentials of the demo account, which is made if this data directory has none."""
    jwts = UserJwts(credentials=credentials, installation=installation, clock=clock)
    earlier = demo_credentials_from(await installation.memo(DEMO_MEMO))
    if earlier is not None:
        if not await credentials.keys(KeyKind.ADMIN):
            await _make_again(earlier, writer, credentials, jwts, clock)
        return earlier
    await _make_company(writer)
    full_secret, limited_secret = new_secret(), new_secret()
    await _make_applications(writer, full_secret, limited_secret)
    password = new_secret(_PASSWORD_BYTES)
    await _make_logins(credentials, password)
    publisher_key, admin_key = new_api_key(KeyKind.PUBLISHER), new_api_key(KeyKind.ADMIN)
    made = DemoCredentials(
        account_id=ACCOUNT.id,
        extension_id=ADMINISTRATOR,
        other_extension_id=OTHER_USER,
        client_id=_FULL,
        client_secret=full_secret,
        jwt=await _make_jwt(credentials, jwts, _FULL, _JWT_LABEL),
        limited_client_id=_LIMITED,
        limited_client_secret=limited_secret,
        limited_jwt=await _make_jwt(credentials, jwts, _LIMITED, _LIMITED_JWT_LABEL),
        public_client_id=_PUBLIC,
        redirect_uri=REDIRECT_URI,
        publisher_key=publisher_key,
        admin_key=admin_key,
        a2p_number=A2P_NUMBER,
        toll_free_number=TOLL_FREE_NUMBER,
        password=password,
        users=tuple(
            DemoUser(
                extension_id=person.extension_id,
                extension_number=person.extension_number,
                name=f"{person.first_name} {person.last_name}",
                user_name=person.user_name,
                direct_number=person.direct_number,
            )
            for person in PEOPLE
        ),
    )
    await _make_keys(credentials, clock, publisher_key, admin_key)
    await installation.set_memo(DEMO_MEMO, msgspec.json.encode(made).decode())
    return made


async def _make_again(
    earlier: DemoCredentials, writer: DirectoryWriter, credentials: CredentialStore, jwts: UserJwts, clock: Clock
) -> None:
    await _make_company(writer)
    await _make_applications(writer, earlier.client_secret, earlier.limited_client_secret)
    await _make_logins(credentials, earlier.password)
    for token, label in ((earlier.jwt, _JWT_LABEL), (earlier.limited_jwt, _LIMITED_JWT_LABEL)):
        await credentials.save_jwt(jwts.credential_of(token, label=label))
    await _make_keys(credentials, clock, earlier.publisher_key, earlier.admin_key)


async def _make_company(writer: DirectoryWriter) -> None:
    await writer.save_account(ACCOUNT)
    for extension in extensions():
        await writer.save_extension(extension)
    for number in NUMBERS:
        await writer.save_number(number)
    for device in DEVICES:
        await writer.save_device(device)


async def _make_applications(writer: DirectoryWriter, full_secret: str, limited_secret: str) -> None:
    for application in (
        Application(
            client_id=_FULL,
            name="Demo application",
            secret_hash=hash_secret(full_secret),
            permissions=frozenset(Permission),
            redirect_uris=(REDIRECT_URI,),
            rate_limit_factor=GENEROUS_FACTOR,
        ),
        Application(
            client_id=_LIMITED,
            name="Limited demo application",
            secret_hash=hash_secret(limited_secret),
            permissions=_LIMITED_PERMISSIONS,
            redirect_uris=(REDIRECT_URI,),
        ),
        Application(
            client_id=_PUBLIC,
            name="Public demo application",
            secret_hash=None,
            permissions=frozenset(Permission),
            grants=frozenset({Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN}),
            redirect_uris=(REDIRECT_URI,),
            rate_limit_factor=GENEROUS_FACTOR,
        ),
    ):
        await writer.save_application(application)


_hashed = lru_cache(maxsize=1)(hash_password)
"""Kept for resets, which make the same logins again: it takes a tenth of a second, on purpose."""


async def _make_logins(credentials: CredentialStore, password: str) -> None:
    """All users have one password, hashed once: a dozen hashes would take most of a second from the first start."""
    password_hash = await asyncio.to_thread(_hashed, password)
    for person in PEOPLE:
        await credentials.save_login(
            UserLogin(extension_id=person.extension_id, user_name=person.user_name, password_hash=password_hash)
        )


async def _make_jwt(credentials: CredentialStore, jwts: UserJwts, client: ClientId, label: str) -> str:
    token, credential = jwts.mint_jwt(ADMINISTRATOR, client_ids=(client,), label=label)
    await credentials.save_jwt(credential)
    return token


async def _make_keys(credentials: CredentialStore, clock: Clock, publisher_key: str, admin_key: str) -> None:
    """The admin key last: it says that all is there."""
    for kind, key in ((KeyKind.PUBLISHER, publisher_key), (KeyKind.ADMIN, admin_key)):
        await credentials.save_key(
            ApiKey(
                id=f"demo-{kind.value}",
                kind=kind,
                label=f"Demo {kind.value} key",
                key_hash=hash_secret(key),
                account_id=None,
                default_account_id=ACCOUNT.id if kind is KeyKind.PUBLISHER else None,
                created_at=clock.now(),
            )
        )
