"""A whole server in the test's own event loop: real files, real sockets, real HTTP; only the clock can be moved."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bellwire.api.http_protocol import HttpProtocol
from bellwire.cli.listener_config import listener_config
from bellwire.cli.listening_socket import listening_socket
from bellwire.compose import open_server
from bellwire.configuration import load_settings
from bellwire.development import open_dev_server
from bellwire.engine.seed import DemoCredentials
from bellwire.observe.system_clock import SystemClock
from bellwire.running import Server
from bellwire.settings import Mode

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(slots=True)
class Running:
    """A server that answers at `url`."""

    url: str
    server: Server
    demo: DemoCredentials
    clock: SystemClock
    http: httpx.AsyncClient

    async def token(
        self, *, client: tuple[str, str] | None = None, jwt: str | None = None, **fields: str
    ) -> dict[str, Any]:
        """Log in with a JWT, the demo application's by default; the whole token answer."""
        answer = await self.http.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_BEARER, "assertion": jwt or self.demo.jwt, **fields},
            auth=client or (self.demo.client_id, self.demo.client_secret),
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def bearer(self) -> dict[str, str]:
        """Request headers of the demo application's administrator."""
        return {"Authorization": f"Bearer {(await self.token())['access_token']}"}

    async def limited(self) -> dict[str, str]:
        """Request headers of the application with few permissions."""
        demo = self.demo
        answer = await self.token(client=(demo.limited_client_id, demo.limited_client_secret), jwt=demo.limited_jwt)
        return {"Authorization": f"Bearer {answer['access_token']}"}

    async def publish(self, *events: dict[str, Any], key: str | None = None, **headers: str) -> dict[str, Any]:
        """Publish events; the answer's body."""
        answer = await self.http.post(
            "/bellwire/v1/events",
            json=list(events),
            headers={"Authorization": f"Bearer {key or self.demo.publisher_key}", **headers},
        )
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def settled(self, *, timeout: float = 20) -> None:
        """Wait until all that was published has gone to whom it goes."""
        async with asyncio.timeout(timeout):
            while True:
                ready = (await self.http.get("/bellwire/v1/ready")).json()
                if ready["watermark"] == ready["logHead"]:
                    return
                await asyncio.sleep(0.02)

    async def subscribe(self, address: str, *filters: str, **more: Any) -> dict[str, Any]:
        """Create a webhook subscription of the demo user; the answer's body."""
        mode = {"transportType": "WebHook", "address": address, **more.pop("mode", {})}
        path = "/webinar/notifications/v1/subscriptions" if more.pop("webinar", False) else "/restapi/v1.0/subscription"
        answer = await self.http.post(
            path,
            json={"eventFilters": list(filters), "deliveryMode": mode, **more},
            headers=await self.bearer(),
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def running_server(
    data: Path,
    *,
    environment: dict[str, str] | None = None,
    dev: bool = True,
    clock: SystemClock | None = None,
    seed: bytes | None = None,
    protocol: type[HttpProtocol] = HttpProtocol,
) -> AsyncIterator[Running]:
    """Start a server on a free port of the loopback interface, and stop it."""
    listening = listening_socket("127.0.0.1", 0)
    port = listening.getsockname()[1]
    settings = load_settings(
        {"BELLWIRE_MIN_FREE_MIB": "0", **(environment or {})},
        None,
        Mode.DEV if dev else Mode.SERVE,
        overrides={"data_dir": data, "port": port},
    )
    clock = clock or SystemClock()
    server: Server
    if dev:
        server = await open_dev_server(settings, clock=clock, seed=seed)
    else:
        server = await open_server(settings, clock=clock, dev=True)
    try:
        await server.start()
        uvicorn_server = uvicorn.Server(listener_config(server.app, settings, http=protocol))
        serving = asyncio.create_task(uvicorn_server._serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
                await _until_ready(http)
                assert server.demo is not None
                yield Running(str(http.base_url).rstrip("/"), server, server.demo, clock, http)
        finally:
            uvicorn_server.should_exit = True
            await serving
    finally:
        await server.stop()


async def _until_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/bellwire/v1/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.01)
