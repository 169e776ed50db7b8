"""Who gets a socket, and what an open one may still do once a right was taken away that it was opened with."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from bellwire.families import presence
from tests.e2e.in_process import Running, running_server
from tests.e2e.raw_socket import SUBSCRIPTION, Login, RawSocket
from tests.e2e.security.routes import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERMISSIONS = ["ReadAccounts", "ReadPresence", "WebSocketsSubscription"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_server(tmp_path_factory.mktemp("sockets")) as running:
        yield running


async def administer(running: Running, method: str, path: str, body: Any = None) -> Any:
    key = {"Authorization": f"Bearer {running.demo.admin_key}"}
    answer = await running.http.request(method, ADMIN + path, json=body, headers=key)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@dataclass(frozen=True, slots=True)
class Somebody:
    """A user of its own account, through an application of its own: all of it may be taken away."""

    running: Running
    account: str
    extension: str
    client: str
    secret: str
    tokens: dict[str, Any]

    @classmethod
    async def signed_in(cls, running: Running) -> Somebody:
        account = (await administer(running, "POST", "/accounts", {"companyName": "Somebody"}))["id"]
        user = {"extensionNumber": "100", "firstName": "Some"}
        extension = (await administer(running, "POST", f"/accounts/{account}/extensions", user))["id"]
        application = {"name": "Some", "permissions": PERMISSIONS, "rateLimitFactor": 100}
        made = await administer(running, "POST", "/applications", application)
        client, secret = made["clientId"], made["clientSecret"]
        jwt = (await administer(running, "POST", f"/extensions/{extension}/jwts", {"label": "x"}))["token"]
        return cls(running, account, extension, client, secret, await running.token(client=(client, secret), jwt=jwt))

    @property
    def topic(self) -> str:
        return f"/restapi/v1.0/account/{self.account}/extension/{self.extension}/presence"

    async def socket_token(self) -> str:
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        answer = await self.running.http.post("/restapi/oauth/wstoken", headers=bearer)
        assert answer.is_success, answer.text
        return str(answer.json()["ws_access_token"])

    async def lose(self, what: str) -> None:
        """Have a right taken away."""
        account, application = f"/accounts/{self.account}", f"/applications/{self.client}"
        extension = f"{account}/extensions/{self.extension}"
        method, path, body = {
            "the application is disabled": ("PATCH", application, {"status": "Disabled"}),
            "the application is removed": ("DELETE", application, None),
            "the application lost its permissions": ("PATCH", application, {"permissions": ["WebSocketsSubscription"]}),
            "the user is disabled": ("PATCH", extension, {"status": "Disabled"}),
            "the user is removed": ("DELETE", extension, None),
            "the account is disabled": ("PATCH", account, {"status": "Disabled"}),
            "the account is removed": ("DELETE", account, None),
        }[what]
        await administer(self.running, method, path, body)


def url_of(running: Running, token: str | None) -> str:
    return running.url.replace("http", "ws", 1) + "/ws" + ("" if token is None else f"?access_token={token}")


async def assert_refused(running: Running, token: str | None, why: str) -> None:
    socket = await RawSocket.connected(url_of(running, token))
    meta, body = await socket.frame("Error")
    assert (meta["status"], body["errorCode"]) == (401, "WSG-401"), why
    assert await socket.closed() == 1008, why


async def test_no_other_token_or_key_opens_a_socket(running: Running) -> None:
    demo, somebody = running.demo, await Somebody.signed_in(running)
    revoked = await Login.of(running.http, demo)
    of_revoked = (await revoked.socket_token())["ws_access_token"]
    await revoked.revoke()
    expired = await somebody.socket_token()
    running.clock.advance(timedelta(seconds=61))
    for why, token in {
        "nothing": None,
        "empty": "",
        "garbage": "garbage",
        "something long": "x" * 5_000,
        "an access token": somebody.tokens["access_token"],
        "a refresh token": somebody.tokens["refresh_token"],
        "a JWT": demo.jwt,
        "a client's secret": demo.client_secret,
        "the publisher key": demo.publisher_key,
        "the admin key": demo.admin_key,
        "an expired socket token": expired,
        "a revoked session's": of_revoked,
    }.items():
        await assert_refused(running, token, why)


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("the application is disabled", 401, "OAU-141"),
        ("the application is removed", 401, "OAU-141"),
        ("the application lost its permissions", 403, "CMN-401"),
        ("the user is disabled", 401, "OAU-141"),
        ("the user is removed", 401, "OAU-141"),
        ("the account is disabled", 401, "OAU-141"),
        ("the account is removed", 401, "OAU-141"),
    ],
)
async def test_what_is_taken_away_is_gone_from_open_sockets_at_once(
    running: Running, what: str, status: int, code: str
) -> None:
    somebody = await Somebody.signed_in(running)
    token = await somebody.socket_token()
    socket = await RawSocket.connected(url_of(running, token))
    await socket.details()
    await socket.subscribe(somebody.topic)
    await publish(running, somebody)
    await socket.frame("ServerNotification")
    assert (await socket.request("GET", "/restapi/v1.0/account/~"))[0]["status"] == 200

    await somebody.lose(what)

    if "removed" in what:
        assert await socket.closed() == 1008
        await assert_refused(running, token, what)
        return
    wanted = {"eventFilters": [somebody.topic], "deliveryMode": {"transportType": "WebSocket"}}
    for method, path, sent in (("GET", "/restapi/v1.0/account/~", None), ("POST", SUBSCRIPTION + "/", wanted)):
        meta, body = await socket.request(method, path, sent)
        assert (meta["status"], body["errorCode"]) == (status, code), path
    if status == 401:
        await assert_refused(running, token, what)
    await publish(running, somebody)
    await socket.nothing_more()
    await socket.close()


async def publish(running: Running, somebody: Somebody) -> None:
    """Publish an event for somebody; returns when it has gone to whom it goes."""
    name = str(uuid.uuid4())
    event = {"event": somebody.topic, "uuid": name, "body": dict(presence.FAMILY.sample)}
    await running.publish(event)
    await running.settled()
