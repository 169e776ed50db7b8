"""What the contract says of the official JavaScript SDK, `@ringcentral/sdk`, by that package itself, unmodified."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conformance.stage import GENERAL, Stage

FOLDER = Path(__file__).resolve().parents[1] / "javascript"
NODE = shutil.which("node")

if NODE is None or not (FOLDER / "node_modules" / "@ringcentral" / "sdk").is_dir():
    missing = "node and its packages are not here: npm install in tests/e2e/javascript"
    if os.environ.get("CI") == "true":
        raise RuntimeError(missing)
    pytest.skip(missing, allow_module_level=True)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Program:
    """`sdk.cjs` at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.steps: list[dict[str, Any]] = []

    async def until(self, step: str) -> list[dict[str, Any]]:
        """Wait for a step; those up to it, from the last that was waited for."""
        assert self._process.stdout is not None
        steps: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while not steps or steps[-1]["step"] != step:
                line = await self._process.stdout.readline()
                assert line, f"ended without {step}: {steps}"
                steps.append(json.loads(line))
        return steps

    async def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self._process.wait()


@asynccontextmanager
async def running_program(stage: Stage, task: str, **environment: str) -> AsyncIterator[Program]:
    assert NODE is not None
    process = await asyncio.create_subprocess_exec(
        NODE,
        str(FOLDER / "sdk.cjs"),
        task,
        env={"PATH": os.environ["PATH"], **stage.running.demo.env(stage.running.url), **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_case_28_on_an_expired_token_the_sdk_refreshes_and_repeats_its_request_once(stage: Stage) -> None:
    async with running_program(stage, "expiry") as program:
        steps = await program.until("waiting")
        assert {"step": "login", "expires_in": 600} in steps
        assert {"step": "read", "status": 200, "id": stage.running.demo.account_id} in steps

        stage.advance(seconds=600)
        await program.go_on()
        steps = await program.until("token")
        assert await program.ended() == 0

    account, token = "/restapi/v1.0/account/~", "/restapi/oauth/token"
    assert [step for step in steps if step["step"] != "refused"] == [
        {"step": "request", "method": "POST", "path": token, "status": 200},
        {"step": "refreshed"},
        {"step": "request", "method": "GET", "path": account, "status": 200},
        {"step": "read", "status": 200, "id": stage.running.demo.account_id},
        {"step": "token", "expires_in": 600},
    ]
    (refused,) = [step for step in steps if step["step"] == "refused"]
    assert refused["status"] == 401
    assert steps[0] == refused


async def test_a_subscription_lives_its_life_through_the_sdk(stage: Stage) -> None:
    """Cases 26, 27, 37, 43 and 44: a content type on requests without a body, and `null` for a body."""
    async with running_program(stage, "lifecycle", WEBHOOK_URL=stage.receiver.url) as program:
        steps = {step["step"]: step for step in await program.until("logout")}
        assert await program.ended() == 0
    made = steps["create"]["body"]
    assert made["uri"] == f"{stage.running.url}{GENERAL}/{made['id']}"
    assert [steps[name]["status"] for name in ("create", "list", "read", "null", "renew", "delete", "gone")] == [
        200,
        200,
        200,
        200,
        200,
        204,
        404,
    ]
    assert [record["id"] for record in steps["list"]["body"]["records"]] == [made["id"]]
    assert steps["null"]["body"]["eventFilters"] == [f"{stage.own}/presence"]
    assert steps["null"]["body"]["expiresIn"] > 3600
    assert made["id"] in steps["gone"]["message"]
    assert len(stage.receiver.handshakes) == 1
