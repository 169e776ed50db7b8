"""What a closed connection leaves: nothing that only the garbage collector would find.

A server's collector comes round seldom (cli/collector.py); each closed connection used to leave 27 KiB for it.
"""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

from tests.e2e.conformance.stage import GENERAL, conforming_server, set_stage
from tests.e2e.raw_socket import Login

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
OURS = ("bellwire.", "uvicorn.", "websockets.", "httptools.")


async def test_a_connection_that_ended_leaves_nothing_to_the_collector(tmp_path: Path) -> None:
    async with conforming_server(tmp_path) as running, set_stage(running) as stage:
        login = await Login.of(running.http, running.demo)

        async def come_and_go() -> None:
            sockets = [await login.connect() for _ in range(4)]
            subscriptions = []
            for socket in sockets:
                await socket.details()
                subscriptions.append((await socket.subscribe(PRESENCE))["id"])
            await stage.publish(stage.presence())
            for socket in sockets:
                await socket.frame("ServerNotification")
            await sockets[0].request("DELETE", f"{GENERAL}/{subscriptions[0]}")
            await sockets[0].close()
            await sockets[1].close()
            sockets[2].cut()
            again = await login.connect(wsc=sockets[3].wsc)  # takes the session over
            await again.details()
            await again.close()
            gateway = running.server.engine.gateway.hub
            async with asyncio.timeout(30):
                while gateway.machine.connections:  # noqa: ASYNC110 - there is nothing to be told by
                    await asyncio.sleep(0.01)
                stage.advance(seconds=181)
                while gateway.machine.sessions or await login_lists_any():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        async def login_lists_any() -> bool:
            headers = {"Authorization": f"Bearer {running.demo.admin_key}"}
            return bool((await running.http.get("/bellwire/v1/subscriptions", headers=headers)).json()["records"])

        await come_and_go()
        login = await Login.of(running.http, running.demo)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await come_and_go()
            gc.collect()
            left = sorted({f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage})
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert [name for name in left if name.startswith(OURS)] == []
