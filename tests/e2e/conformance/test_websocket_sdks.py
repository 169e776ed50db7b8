"""Cases 62, 67, 74, 76, 81 and 97 to 100 of the wire contract, by the official packages, unmodified.

Node programs die of an exception that no promise catches, which exit status 3 shows.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

from tests.e2e.conformance.stage import Stage
from tests.e2e.processes import BellwireProcess, bellwire, clean_environment, env_of
from tests.e2e.socket_programs import HAS_NODE, JAVASCRIPT, NODE, running_program

SMOKE = Path(__file__).resolve().parents[4] / "shared" / "smoke"

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_node = pytest.mark.skipif(not HAS_NODE, reason="node and its packages are not here (tests/e2e/javascript)")
needs_smoke = pytest.mark.skipif(not SMOKE.is_dir(), reason="../shared/smoke is not here")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens in this process."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


def environment_of(stage: Stage, **more: str) -> dict[str, str]:
    return {**stage.running.demo.env(stage.running.url), **more}


@needs_node
@pytest.mark.parametrize("task", ["subscriptions", "extensible"])
async def test_cases_67_and_74_a_node_program_gets_its_events_and_what_it_missed(stage: Stage, task: str) -> None:
    filters = f"{PRESENCE},{MESSAGES}"
    async with running_program(task, environment_of(stage, FILTERS=filters)) as program:
        made = await program.until("subscribed")
        await stage.publish(stage.presence(uuid=f"{task}-first"))
        assert (await program.until("notification", uuid=f"{task}-first"))["subscriptionId"] == made["id"]

        for socket in list(stage.running.server.engine.gateway.hub._sockets):
            socket.protocol.abort()
        await stage.publish(*(stage.presence(uuid=f"{task}-missed-{number}") for number in range(5)))
        for number in range(5):
            await program.until("notification", uuid=f"{task}-missed-{number}")
        await stage.publish(stage.presence(uuid=f"{task}-last"))
        await program.until("notification", uuid=f"{task}-last")
        received = [step["uuid"] for step in program.steps("notification")]
        assert received == [f"{task}-first", *(f"{task}-missed-{number}" for number in range(5)), f"{task}-last"]
        assert {step["subscriptionId"] for step in program.steps("notification")} == {made["id"]}

        text = "a text with ,--Boundary in it"
        message = stage.message("+16505550181", uuid=f"{task}-case-81")
        message["body"]["text"] = text
        await stage.publish(message)
        assert (await program.until("notification", uuid=f"{task}-case-81"))["body"]["text"] == text

        await program.go_on()
        assert await program.ended() == 0


@needs_node
async def test_case_76_a_node_program_that_comes_back_too_late_subscribes_anew(stage: Stage) -> None:
    async with running_program("subscriptions", environment_of(stage, FILTERS=PRESENCE)) as program:
        made = await program.until("subscribed")
        hub = stage.running.server.engine.gateway.hub
        for socket in list(hub._sockets):
            socket.protocol.abort()
        await until(lambda: not hub.machine.connections)
        stage.running.clock.advance(timedelta(seconds=181))
        async with asyncio.timeout(60):
            while True:  # it is back when its new subscription is there
                listed = [record["id"] for record in await stage.listed()]
                if listed and listed != [made["id"]]:
                    break
        await stage.publish(stage.presence(uuid="after-all"))
        assert (await program.until("notification", uuid="after-all"))["subscriptionId"] in listed
        await program.go_on()
        assert await program.ended() == 0


@needs_node
async def test_case_62_a_node_program_survives_tokens_that_are_no_good(stage: Stage) -> None:
    async with running_program("subscriptions", environment_of(stage, FILTERS=PRESENCE)) as program:
        await program.until("subscribed")
        parts = stage.running.server.engine.gateway
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(parts.tokens), "caller", lambda _self, _token: None)
            for socket in list(parts.hub._sockets):
                socket.protocol.abort()
            await until(lambda: parts.hub.refused["WSG-401"] > 0)
        assert program.is_alive
        await stage.publish(stage.presence(uuid="survived"))
        await program.until("notification", uuid="survived")
        await program.go_on()
        assert await program.ended() == 0


@needs_node
async def test_rest_over_the_socket_by_rc_ex(stage: Stage) -> None:
    async with running_program("rest", environment_of(stage, FILTERS=PRESENCE)) as program:
        assert (await program.until("read"))["id"] == stage.running.demo.account_id
        missing = await program.until("missing")
        assert missing["status"] == 404
        assert "CMN-102" in missing["message"]
        assert await program.ended() == 0


@needs_node
async def test_case_100_a_failing_subscribe_rejects_with_the_status(stage: Stage) -> None:
    async with running_program("failing", environment_of(stage, FILTERS="/restapi/v1.0/nonsense")) as program:
        failed = await program.until("rejected")
        assert failed["status"] == 400
        assert await program.ended() == 0


async def test_case_100_python_gets_no_subscription_created(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    demo = stage.running.demo
    sdk = SDK(demo.client_id, demo.client_secret, stage.running.url)
    await asyncio.to_thread(sdk.platform().login, jwt=demo.jwt)
    client = sdk.create_web_socket_client()
    created: list[Any] = []
    frames: asyncio.Queue[Any] = asyncio.Queue()
    client.on(WebSocketEvents.subscriptionCreated, created.append)
    client.on(WebSocketEvents.receiveMessage, lambda frame: frames.put_nowait(json.loads(frame)))
    # The SDK asks for its token in the loop's own thread, where our server lives: give it one beforehand.
    token = await asyncio.to_thread(lambda: sdk.platform().post("/restapi/oauth/wstoken", {}).json_dict())
    reader = asyncio.create_task(client.open_connection(token["uri"], token["ws_access_token"]))
    try:
        await client.create_subscription(["/restapi/v1.0/nonsense"])
        async with asyncio.timeout(20):
            while (frame := await frames.get())[0]["type"] != "ClientRequest":
                pass
        assert (frame[0]["status"], frame[1]["errorCode"]) == (400, "SUB-508")
        await asyncio.sleep(0)
        assert created == []
    finally:
        await client.close_connection()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await asyncio.to_thread(sdk.platform().logout)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[BellwireProcess, dict[str, str]]]:
    """A server in a process of its own, for clients that block."""
    data = tmp_path_factory.mktemp("smoke")
    arguments = ("dev", "--data", str(data), "--port", "0", "--no-traffic")
    with BellwireProcess(*arguments) as server:
        await asyncio.to_thread(server.url)
        made = await asyncio.to_thread(bellwire, "env", "--data", str(data))
        yield server, env_of(made.stdout)


def smoke_environment(variables: dict[str, str]) -> dict[str, str]:
    return {
        **clean_environment(),
        "NO_PROXY": "127.0.0.1",
        "BW_SERVER_URL": variables["RC_SERVER_URL"],
        "BW_CLIENT_ID": variables["RC_APP_CLIENT_ID"],
        "BW_CLIENT_SECRET": variables["RC_APP_CLIENT_SECRET"],
        "BW_JWT": variables["RC_USER_JWT"],
        "BW_WS_SECONDS": "0.2",
        "NODE_PATH": str(JAVASCRIPT / "node_modules"),
    }


@needs_smoke
@pytest.mark.parametrize("case", [97, pytest.param(98, marks=needs_node)])
async def test_cases_97_and_98_the_smoke_clients_exit_with_0(
    stage: Stage, process: tuple[BellwireProcess, dict[str, str]], case: int
) -> None:
    program = [sys.executable, str(SMOKE / "smoke_python.py")] if case == 97 else [NODE, str(SMOKE / "smoke_node.cjs")]
    environment = smoke_environment(process[1]) | {"BW_WEBHOOK_URL": stage.receiver.url}
    client = await asyncio.create_subprocess_exec(
        *map(str, program), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(client.communicate(), 120)
    assert client.returncode == 0, output.decode()
    steps = [json.loads(line)["step"] for line in output.decode().splitlines() if line.startswith("{")]
    assert steps[-1] == "logout"
    assert {"webhook.gone", "ws.subscribed", "ws.unsubscribed"} <= set(steps)


@needs_node
async def test_case_99_a_node_program_lives_through_a_restart_of_five_seconds(tmp_path: Path) -> None:
    async def publish(variables: dict[str, str], uuid: str) -> None:
        topic = f"/restapi/v1.0/account/{variables['BELLWIRE_ACCOUNT_ID']}/a2p-sms/opt-outs"
        event = {"event": topic, "uuid": uuid, "body": {"from": "+14155550111", "to": "+16505550181", "active": True}}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(
                variables["RC_SERVER_URL"] + "/bellwire/v1/events",
                json=event,
                headers={"Authorization": f"Bearer {variables['BELLWIRE_PUBLISHER_KEY']}"},
            )
        assert answer.json()["accepted"] == 1, answer.text

    arguments = ["dev", "--data", str(tmp_path), "--no-traffic", "--port"]
    with BellwireProcess(*arguments, "0") as server:
        url = await asyncio.to_thread(server.url)
        variables = env_of((await asyncio.to_thread(bellwire, "env", "--data", str(tmp_path))).stdout)
        filters = "/restapi/v1.0/account/~/a2p-sms/opt-outs"
        async with running_program("subscriptions", {**variables, "FILTERS": filters}) as program:
            await program.until("subscribed")
            await publish(variables, "before")
            await program.until("notification", uuid="before")
            assert await asyncio.to_thread(server.stop) == 0
            await asyncio.sleep(5)  # the case's own figure
            with BellwireProcess(*arguments, url.rpartition(":")[2]) as again:
                await asyncio.to_thread(again.url)
                async with asyncio.timeout(60):
                    while not await _has_subscription(variables):
                        pass
                await publish(variables, "after")
                await program.until("notification", uuid="after")
                assert program.is_alive
                await program.go_on()
                assert await program.ended() == 0


async def _has_subscription(variables: dict[str, str]) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        listed = await http.get(
            variables["RC_SERVER_URL"] + "/bellwire/v1/subscriptions",
            headers={"Authorization": f"Bearer {variables['BELLWIRE_ADMIN_KEY']}"},
        )
    return bool(listed.json()["records"])
