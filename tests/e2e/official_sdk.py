"""The official Python SDK, unmodified, as one logged-in client of a running server; its calls block, so they run in a
thread."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from unittest import mock

from ringcentral import SDK

from bellwire.engine.seed import DemoCredentials

GENERAL = "/restapi/v1.0/subscription"
WEBINAR = "/webinar/notifications/v1/subscriptions"


class OfficialClient:
    """`await OfficialClient.logged_in(url, demo)`; the demo application and its user."""

    def __init__(self, platform: Any) -> None:
        self._platform = platform

    @classmethod
    async def logged_in(cls, url: str, demo: DemoCredentials) -> OfficialClient:
        platform = SDK(demo.client_id, demo.client_secret, url).platform()
        client = cls(platform)
        await client._call(platform.login, jwt=demo.jwt)
        return client

    async def subscribe(self, address: str, *filters: str, path: str = GENERAL) -> dict[str, Any]:
        """Create a webhook subscription; the answer's body."""
        mode = {"transportType": "WebHook", "address": address}
        answer = await self._call(self._platform.post, path, {"eventFilters": list(filters), "deliveryMode": mode})
        created: dict[str, Any] = answer.json_dict()
        return created

    async def delete(self, subscription: str, *, path: str = GENERAL) -> None:
        await self._call(self._platform.delete, f"{path}/{subscription}")

    async def _call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        def call() -> Any:
            with mock.patch.dict(os.environ, {"NO_PROXY": "*", "no_proxy": "*"}):  # requests asks the environment
                return function(*arguments, **named)

        return await asyncio.to_thread(call)
