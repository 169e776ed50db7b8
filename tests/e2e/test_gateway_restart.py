"""Sessions of the gateway over a restart of the server, and clients that do not read."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.e2e.conformance.stage import GENERAL, conforming_server, set_stage
from tests.e2e.raw_socket import Login

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"


async def test_a_session_on_disk_misses_nothing_over_a_restart(tmp_path: Path) -> None:
    environment = {"BELLWIRE_WEBSOCKET_RECOVERY_MESSAGES": "150"}
    async with conforming_server(tmp_path, environment=environment) as running, set_stage(running) as stage:
        login = await Login.of(running.http, running.demo)
        socket = await login.connect()
        assert (await socket.details())["recoveryBufferSize"] == 150
        made = await socket.subscribe(PRESENCE)
        await stage.publish(stage.presence(uuid="read"))
        assert (await socket.frame("ServerNotification"))[1]["uuid"] == "read"
        other = await login.connect()
        await other.details()
        socket.cut()
        await stage.publish(*(stage.presence(uuid=f"before-{number}") for number in range(3)))
        await stage.settle()
    assert (await other.frame("Error"))[1]["errorCode"] == "WSG-901"
    assert await other.closed() == 1001

    async with conforming_server(tmp_path, environment=environment) as running, set_stage(running) as stage:
        login = Login(running.http, running.demo, login.tokens)
        await stage.publish(*(stage.presence(uuid=f"after-{number}") for number in range(3)))
        again = await login.connect(wsc=socket.wsc)
        assert (await again.details())["recoveryState"] == "Successful"
        await stage.publish(stage.presence(uuid="live"))
        received = [(await again.frame("ServerNotification"))[1] for _ in range(7)]
        assert [each["uuid"] for each in received] == [
            *(f"before-{number}" for number in range(3)),
            *(f"after-{number}" for number in range(3)),
            "live",
        ]
        assert {each["subscriptionId"] for each in received} == {made["id"]}
        await again.nothing_more()
        once_more = await login.connect(wsc=again.wsc)
        assert (await once_more.details())["recoveryState"] == "Successful"
        await once_more.until_pinged(1)
        await once_more.nothing_more()
        (meta,) = await once_more.request("DELETE", f"{GENERAL}/{made['id']}")
        assert meta["status"] == 204


async def test_by_default_a_restart_ends_sessions_and_their_subscriptions(tmp_path: Path) -> None:
    async with conforming_server(tmp_path) as running:
        login = await Login.of(running.http, running.demo)
        socket = await login.connect()
        await socket.details()
        await socket.subscribe(PRESENCE)
    async with conforming_server(tmp_path) as running:
        login = Login(running.http, running.demo, login.tokens)
        assert (await login.call("GET", GENERAL)).json()["records"] == []
        again = await login.connect(wsc=socket.wsc)
        details = await again.details()
        assert (details["recoveryState"], details["recoveryErrorCode"]) == ("Failed", "WSG-1005")
        await again.close()


async def test_a_client_that_does_not_read_is_cut_off_and_others_do_not_notice(tmp_path: Path) -> None:
    environment = {"BELLWIRE_WEBSOCKET_SEND_BUFFER_BYTES": "65536"}
    async with conforming_server(tmp_path, environment=environment) as running, set_stage(running) as stage:
        login = await Login.of(running.http, running.demo)
        deaf, reader = await login.connect(), await login.connect()
        for socket in (deaf, reader):
            await socket.details()
            await socket.subscribe(MESSAGES)
            await socket.until_pinged(1)
        hub = running.server.engine.gateway.hub
        number = 0
        async with asyncio.timeout(60):
            while not hub.cut_off:
                message = stage.message("+16505550181", uuid=f"large-{number}")
                message["body"]["padding"] = "x" * 200_000
                await stage.publish(message)
                assert (await reader.frame("ServerNotification"))[1]["uuid"] == f"large-{number}"
                number += 1
        assert hub.machine.connections == 1
        await reader.close()
