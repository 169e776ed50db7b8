"""A server with everyone who might knock at it, and a record of each kind in the demo account."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.security.routes import ADMIN, EXTENSION_FILTER, PRESENCE, PRESENCE_BODY, WEBINAR_FILTER, Row, filled

PASSWORD = "of-nobody-in-particular"


@dataclass(frozen=True, slots=True)
class Stage:
    """The server, those who knock, and the ids that stand for path parameters.

    Attributes:
        http: asks the application itself, which spares a thousand requests the way through sockets.
        shown: what each puts into the header `Authorization`; None is nothing.
    """

    running: Running
    http: httpx.AsyncClient
    ids: dict[str, str]
    shown: Mapping[str, str | None]

    async def ask(self, row: Row, who: str, **headers: str) -> httpx.Response:
        """Make the request of a row as one of those in `shown`."""
        credentials = self.shown[who]
        given = headers if credentials is None else {"Authorization": credentials, **headers}
        return await self.http.request(
            row.method,
            row.target(self.ids),
            json=None if row.body is None else row.body(self.ids),
            headers=[(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        )

    async def answers(self, rows: Iterable[Row], who: str, **headers: str) -> list[tuple[Row, httpx.Response]]:
        """The answers to one of those in `shown`, a few requests at a time."""
        turns = asyncio.Semaphore(8)

        async def one(row: Row) -> tuple[Row, httpx.Response]:
            async with turns:
                return row, await self.ask(row, who, **headers)

        return await asyncio.gather(*map(one, rows))


def code_of(answer: httpx.Response) -> str:
    """The protocol's error code of an answer; empty if it is no refusal."""
    return "" if answer.is_success else str(answer.json()["errorCode"])


@contextlib.asynccontextmanager
async def set_stage(data: Path) -> AsyncIterator[Stage]:
    async with (
        running_server(data) as running,
        WebhookReceiver() as receiver,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(running.server.app), base_url=running.url, trust_env=False
        ) as http,
    ):
        expired = (await running.token())["access_token"]
        running.clock.advance(timedelta(hours=1, seconds=1))
        revoked, replaced = [(await running.token()) for _ in range(2)]
        basic = (running.demo.client_id, running.demo.client_secret)
        await running.http.post("/restapi/oauth/revoke", data={"token": revoked["access_token"]}, auth=basic)
        refresh = {"grant_type": "refresh_token", "refresh_token": replaced["refresh_token"]}
        refreshed = (await running.http.post("/restapi/oauth/token", data=refresh, auth=basic)).json()
        ids = {
            "accountId": running.demo.account_id,
            "extensionId": running.demo.users[2].extension_id,
            "apiVersion": "v1.0",
            "name": "presence",
            "faultId": "1",
            "number": running.demo.a2p_number,
            "address": receiver.url,
        }
        admin = _Admin(running)
        people = await _people(admin, running)
        await _records(admin, running, ids)
        yield Stage(
            running,
            http,
            ids,
            {
                "nobody": None,
                "an empty token": "Bearer",
                "another scheme": "Basic dTpw",
                "garbage": "Bearer garbage",
                "a token of strange characters": "Bearer \xe9\xff",
                "a token without end": "Bearer " + "x" * 20_000,
                "an expired token": f"Bearer {expired}",
                "a revoked session": f"Bearer {revoked['access_token']}",
                "a replaced token": f"Bearer {replaced['access_token']}",
                "a refresh token": f"Bearer {refreshed['refresh_token']}",
                "a login JWT": f"Bearer {running.demo.jwt}",
                "a client secret": f"Bearer {running.demo.client_secret}",
                "the user": f"Bearer {refreshed['access_token']}",
                "the publisher key": f"Bearer {running.demo.publisher_key}",
                "the admin key": f"Bearer {running.demo.admin_key}",
                **{who: f"Bearer {secret}" for who, secret in people.items()},
            },
        )


@dataclass(frozen=True, slots=True)
class _Admin:
    running: Running

    async def __call__(self, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.running.demo.admin_key}"}
        answer = await self.running.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def login(self, extension: str, client: tuple[str, str]) -> str:
        jwt = (await self(f"{ADMIN}/extensions/{extension}/jwts", {"label": "stage"}))["token"]
        return str((await self.running.token(client=client, jwt=jwt))["access_token"])


async def _people(admin: _Admin, running: Running) -> dict[str, str]:
    """Tokens and keys of those who may do something, but not this."""
    demo = running.demo
    full = (demo.client_id, demo.client_secret)
    poor = await admin(f"{ADMIN}/applications", {"name": "Poor", "permissions": [], "rateLimitFactor": 1000})
    other = await admin(f"{ADMIN}/applications", {"name": "Other", "permissions": ["ReadPresence"]})
    plain = await admin(
        f"{ADMIN}/accounts/{demo.account_id}/extensions",
        {"extensionNumber": "800", "firstName": "Plain", "permissions": []},
    )
    elsewhere = (await admin(f"{ADMIN}/accounts", {"companyName": "Elsewhere"}))["id"]
    stranger = await admin(
        f"{ADMIN}/accounts/{elsewhere}/extensions",
        {"extensionNumber": "100", "firstName": "Stranger", "isAdmin": True},
    )
    keys = {}
    for kind in ("publisher", "admin"):
        scoped = await admin(f"{ADMIN}/{kind}-keys", {"label": "Elsewhere", "accountId": elsewhere})
        keys[f"another account's {kind} key"] = scoped["key"]
        disabled = await admin(f"{ADMIN}/{kind}-keys", {"label": "Disabled"})
        await admin(f"{ADMIN}/{kind}-keys/{disabled['id']}", {"status": "Disabled"}, "PATCH")
        keys[f"a disabled {kind} key"] = disabled["key"]
    return {
        "an application without permissions": await admin.login(
            demo.extension_id, (poor["clientId"], poor["clientSecret"])
        ),
        "another application": await admin.login(demo.extension_id, (other["clientId"], other["clientSecret"])),
        "a user without permissions": await admin.login(plain["id"], full),
        "another account's user": await admin.login(stranger["id"], full),
        **keys,
    }


async def _records(admin: _Admin, running: Running, ids: dict[str, str]) -> None:
    """One of each kind, in the demo account; their ids are put into `ids`."""
    account = f"{ADMIN}/accounts/{ids['accountId']}"
    one_account = {"accountId": ids["accountId"]}
    ids["spareExtensionId"] = spare = (
        await admin(f"{account}/extensions", {"extensionNumber": "801", "firstName": "Spare"})
    )["id"]
    ids["numberId"] = (await admin(f"{account}/numbers", {"phoneNumber": "+16505550171"}))["id"]
    ids["deviceId"] = (await admin(f"{account}/devices", {"name": "Spare"}))["id"]
    application = {"name": "Spare", "permissions": [], **one_account}
    ids["clientId"] = (await admin(f"{ADMIN}/applications", application))["clientId"]
    ids["jti"] = (await admin(f"{ADMIN}/extensions/{spare}/jwts", {"label": "Spare"}))["jti"]
    await admin(f"{ADMIN}/extensions/{spare}/password", {"userName": "spare@x.example", "password": PASSWORD}, "PUT")
    for kind in ("publisher", "admin"):
        made = await admin(f"{ADMIN}/{kind}-keys", {"label": "Spare", **one_account})
        ids[f"{kind}KeyId"] = made["id"]

    presence = filled(EXTENSION_FILTER, ids)
    ids["subscriptionId"] = subscription = (await running.subscribe(ids["address"], presence))["id"]
    made = await running.subscribe(ids["address"], WEBINAR_FILTER, webinar=True)
    ids["webinarSubscriptionId"] = made["id"]
    ids["event"] = "an-event-of-the-demo-account"
    event = {"event": filled(PRESENCE, ids), "uuid": ids["event"], "body": PRESENCE_BODY}
    assert (await running.publish(event))["accepted"] == 1
    await _until(running, f"/bellwire/v1/events/{ids['event']}", lambda answer: answer.is_success)
    replay = await admin(f"/bellwire/v1/subscriptions/{subscription}/replay", {"event": ids["event"]})
    ids["replayId"] = replay["id"]

    a2p = f"/restapi/v1.0/account/{ids['accountId']}/a2p-sms"
    bearer = await running.bearer()
    batch = {"from": ids["number"], "text": "Hello", "messages": [{"to": ["+12025550199"]}]}
    answer = await running.http.post(f"{a2p}/batches", json=batch, headers=bearer)
    ids["batchId"] = answer.json()["id"]
    listed = await running.http.get(f"{a2p}/messages", params={"batchId": ids["batchId"]}, headers=bearer)
    ids["messageId"] = listed.json()["records"][0]["id"]
    await _until(
        running,
        f"/bellwire/v1/replays/{ids['replayId']}",
        lambda answer: answer.json()["state"] == "done",
    )


async def _until(running: Running, path: str, is_so: Callable[[httpx.Response], bool]) -> None:
    """Wait for what an answer to the admin key says."""
    key = {"Authorization": f"Bearer {running.demo.admin_key}"}
    async with asyncio.timeout(30):
        while not is_so(await running.http.get(path, headers=key)):  # noqa: ASYNC110 - it is the server's work
            await asyncio.sleep(0.02)
