"""An operator at the own API of a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.e2e.in_process import Running

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

    async def until(self, path: str, is_so: Callable[[Any], bool], timeout: float = 10.0, **query: Any) -> Any:
        """Ask again until the answer is so."""
        return await until(lambda: self.get(path, **query), is_so, timeout)


async def until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool], timeout: float = 10.0) -> Any:
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
