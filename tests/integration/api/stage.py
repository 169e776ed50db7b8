"""One company, its users and applications, behind the real HTTP application; nothing but the stores is a double."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, Field

from bellwire.api.app import build_app
from bellwire.api.authentication import Authenticator, own_extension
from bellwire.api.bodies import optional_json
from bellwire.api.conventions import Conventions
from bellwire.api.directory import directory_routes
from bellwire.api.discovery import discovery_routes
from bellwire.api.oauth import oauth_routes
from bellwire.api.problems import CALLED_WITH_TOKEN, documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateGroup, RateLimits
from bellwire.api.root import root_routes
from bellwire.api.unsupported import unsupported_routes
from bellwire.engine.authorize import Authorization
from bellwire.engine.authorize_codes import AuthorizationCodes
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.secrets import hash_password, hash_secret
from bellwire.engine.wrong_guesses import WrongGuesses
from bellwire.errors import Misconfigured
from bellwire.model.directory import Account, Extension, ExtensionType, PhoneNumber, Status
from bellwire.model.identity import ApiKey, Application, Caller, KeyKind, UserLogin
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission
from tests.doubles.identity import MemoryIdentity, MemoryInstallation
from tests.doubles.stepped_clock import SteppedClock

ACCOUNT = AccountId("400100")
ALICE = ExtensionId("400101")
BOB = ExtensionId("400102")
CARL = ExtensionId("400103")
"""Disabled."""
QUEUE = ExtensionId("400110")
STRANGER = ExtensionId("500101")
"""Of another account."""

MAIN_NUMBER = "+15551230000"
ALICE_NUMBER = "+15551230101"
PASSWORD = "correct horse"
PASSWORD_HASH = hash_password(PASSWORD)

APP = ClientId("app-with-everything")
LIMITED = ClientId("app-with-little")
PUBLIC = ClientId("app-public")
SECRET = "s3cret/with+signs"
REDIRECT = "https://client.example/oauth?from=bellwire"
ORIGIN = "https://console.example"

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Note(BaseModel):
    """What the probe route reads: enough to see how bodies are judged."""

    text: str = Field(max_length=20)
    tags: list[str] = []


def probe_routes(authenticator: Authenticator, directory: MemoryIdentity) -> APIRouter:
    """Routes like those of other resources, to show the conventions on: a body that may be empty, and bugs."""
    router = APIRouter(prefix="/restapi/v1.0/probe", tags=["Probe"], responses=CALLED_WITH_TOKEN | documented(413, 415))
    light = Depends(authenticator.caller(RateGroup.LIGHT))
    note = Depends(optional_json(Note))
    publisher_key = Depends(authenticator.publisher)
    admin_key = Depends(authenticator.admin)

    @router.put("/{probeId}")
    async def put(probeId: str, body: Note | None = note, caller: Caller = light) -> dict[str, Any]:
        return {"probe": probeId, "text": None if body is None else body.text}

    @router.delete("/{probeId}", status_code=204)
    async def delete(probeId: str, caller: Caller = light) -> None:
        return None

    @router.post("/{probeId}/renew")
    async def renew(probeId: str, caller: Caller = light) -> dict[str, str]:
        return {"probe": probeId}

    @router.get("/extension/{extensionId}")
    async def own(extensionId: str, caller: Caller = light) -> dict[str, str]:
        return {"id": own_extension(directory, caller, extensionId).id}

    @router.get("/bug/{kind}", include_in_schema=False)
    async def bug(kind: str) -> None:
        if kind == "operator":
            raise Misconfigured(())
        raise ZeroDivisionError

    @router.get("/key/publisher", responses=documented(401))
    async def publisher(key: ApiKey = publisher_key) -> dict[str, str]:
        return {"key": key.id}

    @router.get("/key/admin", responses=documented(401))
    async def admin(key: ApiKey = admin_key) -> dict[str, str]:
        return {"key": key.id}

    return router


@dataclass
class Stage:
    """The application and what a test needs to set its scene."""

    app: FastAPI
    identity: MemoryIdentity
    clock: SteppedClock
    jwts: UserJwts
    sessions: Sessions
    client: httpx.AsyncClient

    async def jwt(self, user: ExtensionId = ALICE, **limits: Any) -> str:
        token, credential = self.jwts.mint_jwt(user, label="test", **limits)
        await self.identity.save_jwt(credential)
        return token

    async def post_token(self, *, auth: tuple[str, str] | None = (APP, SECRET), **form: str) -> httpx.Response:
        return await self.post_form(form, auth=auth)

    async def post_form(self, form: dict[str, str], *, auth: tuple[str, str] | None = (APP, SECRET)) -> httpx.Response:
        headers = {} if auth is None else {"Authorization": basic(*auth)}
        return await self.client.post("/restapi/oauth/token", data=form, headers=headers)

    async def login(self, user: ExtensionId = ALICE, auth: tuple[str, str] = (APP, SECRET)) -> dict[str, Any]:
        answer = await self.post_token(auth=auth, grant_type=JWT_GRANT, assertion=await self.jwt(user))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def refresh(self, refresh_token: str, **form: str) -> httpx.Response:
        return await self.post_form({"grant_type": "refresh_token", "refresh_token": refresh_token} | form)

    async def get(self, path: str, token: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {token}"} | headers)

    async def status_with(self, token: str) -> int:
        return (await self.get("/restapi/v1.0/account/~", token)).status_code

    async def change_application(self, client: ClientId, **changes: Any) -> None:
        application = self.identity.application(client)
        assert application is not None
        await self.identity.save_application(replace(application, **changes))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def set_stage(
    *,
    public_url: PublicUrl | None = None,
    conventions: Conventions | None = None,
    more: Callable[[Authenticator, MemoryIdentity, SteppedClock], Sequence[APIRouter]] | None = None,
) -> Stage:
    """
    Args:
        more: makes the routes of resources that a stage has beside the usual ones.
    """
    identity, installation, clock = MemoryIdentity(), MemoryInstallation(), SteppedClock()
    await _people(identity)
    await _applications(identity, clock)
    sessions = Sessions(store=identity, directory=identity, installation=installation, clock=clock)
    jwts = UserJwts(credentials=identity, installation=installation, clock=clock)
    authorization = Authorization(
        directory=identity,
        sessions=sessions,
        jwts=jwts,
        passwords=Passwords(
            directory=identity,
            credentials=identity,
            clock=clock,
            max_failed_attempts=3,
            lock=timedelta(minutes=5),
        ),
        codes=AuthorizationCodes(directory=identity, store=identity, installation=installation, clock=clock),
        guesses=WrongGuesses(clock.monotonic),
    )
    public_url = public_url or PublicUrl()
    authenticator = Authenticator(
        sessions=sessions, credentials=identity, limits=RateLimits(), clock=clock, proxies=public_url.proxies
    )
    app = build_app(
        routers=[
            oauth_routes(authorization=authorization, authenticator=authenticator, public_url=public_url),
            root_routes(public_url=public_url, version="0.0"),
            discovery_routes(authenticator=authenticator, public_url=public_url),
            directory_routes(directory=identity, authenticator=authenticator, public_url=public_url),
            probe_routes(authenticator, identity),
            *(more(authenticator, identity, clock) if more is not None else ()),
            unsupported_routes(),
        ],
        conventions=conventions or Conventions(cors_origins=[ORIGIN], body_limit_bytes=10_000),
        version="0.0",
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://bellwire.test")
    return Stage(app=app, identity=identity, clock=clock, jwts=jwts, sessions=sessions, client=client)


async def _people(identity: MemoryIdentity) -> None:
    await identity.save_account(Account(id=ACCOUNT, company_name="Northwind & Co", main_number=MAIN_NUMBER))
    await identity.save_account(Account(id=AccountId("500100"), company_name="Other", main_number="+15559870000"))
    for extension in (
        Extension(
            id=ALICE, account_id=ACCOUNT, extension_number="101", first_name="Alice", last_name="A", is_admin=True
        ),
        Extension(
            id=BOB,
            account_id=ACCOUNT,
            extension_number="102",
            first_name="Bob",
            email="bob@northwind.example",
            permissions=frozenset(),
        ),
        Extension(id=CARL, account_id=ACCOUNT, extension_number="103", first_name="Carl", status=Status.DISABLED),
        Extension(
            id=QUEUE, account_id=ACCOUNT, extension_number="2000", first_name="Support", type=ExtensionType.CALL_QUEUE
        ),
        Extension(id=STRANGER, account_id=AccountId("500100"), extension_number="101", first_name="Sam"),
    ):
        await identity.save_extension(extension)
    for user, name in ((ALICE, "alice@northwind.example"), (BOB, "bob"), (CARL, "carl")):
        await identity.save_login(UserLogin(extension_id=user, user_name=name, password_hash=PASSWORD_HASH))
    for number in (
        PhoneNumber(
            id="701",
            account_id=ACCOUNT,
            phone_number=MAIN_NUMBER,
            usage_type="MainCompanyNumber",
            features=("CallerId", "A2PSmsSender"),
        ),
        PhoneNumber(id="702", account_id=ACCOUNT, phone_number=ALICE_NUMBER, extension_id=ALICE, label="Desk"),
        PhoneNumber(id="703", account_id=ACCOUNT, phone_number="+15551230102", extension_id=BOB),
        PhoneNumber(id="704", account_id=ACCOUNT, phone_number="+15551230109", status=Status.DISABLED),
    ):
        await identity.save_number(number)


async def _applications(identity: MemoryIdentity, clock: SteppedClock) -> None:
    for application in (
        Application(
            client_id=APP,
            name="Everything <b>bold</b>",
            secret_hash=hash_secret(SECRET),
            permissions=frozenset(Permission),
            redirect_uris=(REDIRECT, "myapp://done"),
            rate_limit_factor=100,
        ),
        Application(
            client_id=LIMITED,
            name="Little",
            secret_hash=hash_secret(SECRET),
            permissions=frozenset({Permission.READ_ACCOUNTS}),
            redirect_uris=(REDIRECT,),
        ),
        Application(
            client_id=PUBLIC,
            name="Public",
            secret_hash=None,
            permissions=frozenset(Permission),
            redirect_uris=(REDIRECT,),
            rate_limit_factor=100,
        ),
    ):
        await identity.save_application(application)
    for key_id, kind, status in (
        ("publisher-key", KeyKind.PUBLISHER, Status.ENABLED),
        ("old-publisher-key", KeyKind.PUBLISHER, Status.DISABLED),
        ("admin-key", KeyKind.ADMIN, Status.ENABLED),
    ):
        await identity.save_key(
            ApiKey(
                id=key_id,
                kind=kind,
                label="",
                key_hash=hash_secret(key_id),
                account_id=None,
                created_at=clock.now(),
                status=status,
            )
        )
