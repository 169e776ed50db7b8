"""An operator at the own API of a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import httpx

from bellwire.cli.data_directory import demo_environment
from tests.e2e.in_process import JWT_BEARER, Running

ROOT = "/bellwire/v1"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
MANY = 1000


class Operator:
    def __init__(self, running: Running, key: str | None = None) -> None:
        self._running = running
        self._headers = {"Authorization": f"Bearer {key or running.demo.admin_key}"}

    async def ask(self, method: str, path: str, *, status: int = 200, **arguments: Any) -> Any:
        answer = await self._running.http.request(method, ROOT + path, headers=self._headers, **arguments)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        return await self.ask("GET", path, status=status, params=query)

    async def records(self, path: str, limit: int = MANY, **query: Any) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        async for page in self.pages(path, limit, **query):
            found += page
        return found

    async def pages(self, path: str, limit: int, **query: Any) -> AsyncIterator[list[Any]]:
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get(path, limit=limit, **query, **cursor)
            assert len(page["records"]) <= limit
            yield page["records"]
            if page["nextCursor"] is None:
                return
            cursor = {"cursor": page["nextCursor"]}

    async def until(self, path: str, is_so: Callable[[Any], bool], timeout: float = 30.0, **query: Any) -> Any:
        """Ask again until the answer is so."""
        return await until(lambda: self.get(path, **query), is_so, timeout)


class Remote:
    """Everybody at a server that is another process, with the credentials of its data directory."""

    def __init__(self, data: Path) -> None:
        self._variables = demo_environment(data)
        self._http = httpx.AsyncClient(base_url=self._variables["RC_SERVER_URL"], timeout=20, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, **arguments: Any) -> Any:
        return await self._ask(method, ROOT + path, self._variables["BELLWIRE_ADMIN_KEY"], **arguments)

    async def publish(self, *events: dict[str, Any]) -> None:
        key = self._variables["BELLWIRE_PUBLISHER_KEY"]
        answer = await self._ask("POST", ROOT + "/events", key, json=list(events))
        assert answer["accepted"] == len(events), answer

    async def subscribe(self, address: str, *filters: str) -> str:
        known = self._variables
        token = await self._http.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_BEARER, "assertion": known["RC_USER_JWT"]},
            auth=(known["RC_APP_CLIENT_ID"], known["RC_APP_CLIENT_SECRET"]),
        )
        body = {"eventFilters": filters, "deliveryMode": {"transportType": "WebHook", "address": address}}
        made = await self._ask("POST", "/restapi/v1.0/subscription", token.json()["access_token"], json=body)
        return str(made["id"])

    async def _ask(self, method: str, path: str, key: str, **arguments: Any) -> Any:
        answer = await self._http.request(method, path, headers={"Authorization": f"Bearer {key}"}, **arguments)
        assert answer.is_success, answer.text
        return answer.json()


async def until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool], timeout: float = 30.0) -> Any:
    found: Any = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                found = await ask()
                if is_so(found):
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in {timeout} s it came to no more than {found}") from None


def message(running: Running, number: int, **more: Any) -> dict[str, Any]:
    """An inbound message of the demo account, to be published; its uuid is `m{number}`."""
    return {
        "event": f"/restapi/v1.0/account/{running.demo.account_id}/a2p-sms/messages",
        "uuid": f"m{number}",
        "body": {
            "id": str(number),
            "from": "+14842910071",
            "to": ["+16505550100"],
            "direction": "Inbound",
            "messageStatus": "Delivered",
            "text": "hi",
        },
        **more,
    }
