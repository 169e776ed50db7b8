"""The example programs for WebSockets, as they are in `examples/`, against a running server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.in_process import Running, running_server
from tests.e2e.processes import clean_environment
from tests.e2e.publish.publishing import event, published
from tests.e2e.socket_programs import HAS_NODE, JAVASCRIPT, NODE

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_node = pytest.mark.skipif(not HAS_NODE, reason="node and its packages are not here (tests/e2e/javascript)")

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize(
    "name",
    [
        "python_sdk_websocket.py",
        pytest.param("javascript/subscriptions.cjs", marks=needs_node),
        pytest.param("javascript/rc_ex.cjs", marks=needs_node),
    ],
)
async def test_an_example_prints_what_it_is_sent_and_again_after_a_cut(running: Running, name: str) -> None:
    program = [sys.executable] if name.endswith(".py") else [str(NODE)]
    process = await asyncio.create_subprocess_exec(
        *program,
        str(EXAMPLES / name),
        OPT_OUTS,
        env={
            **clean_environment(running.demo.env(running.url)),
            "NO_PROXY": "127.0.0.1",
            "NODE_PATH": str(JAVASCRIPT / "node_modules"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None

    async def line_with(stream: asyncio.StreamReader, text: str) -> str:
        async with asyncio.timeout(60):
            while line := (await stream.readline()).decode():
                if text in line:
                    return line
        raise AssertionError(f"{name} ended without {text!r}")

    async def is_printed(uuid: str) -> None:
        body = {"from": "+14155550111", "to": "+16505550181", "active": True}
        await published(running, event(OPT_OUTS, body, uuid=uuid))
        assert json.loads(await line_with(process.stdout, uuid))["event"] == OPT_OUTS  # type: ignore[arg-type]

    try:
        assert OPT_OUTS in await line_with(process.stdout, "subscribed to")
        await is_printed(f"{Path(name).stem}-first")
        for socket in list(running.server.engine.gateway.hub._sockets):
            socket.protocol.abort()
        if name.endswith(".py"):
            await line_with(process.stderr, "connection lost")
            await line_with(process.stdout, "subscribed to")
        await is_printed(f"{Path(name).stem}-again")
        assert process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@needs_node
async def test_the_examples_packages_are_those_that_are_tested() -> None:
    wanted = json.loads((EXAMPLES / "javascript" / "package.json").read_text())["dependencies"]
    tested = json.loads((JAVASCRIPT / "package.json").read_text())["dependencies"]
    assert wanted.items() <= tested.items()
