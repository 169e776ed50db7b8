"""Programs that use the gateway by official packages, for tests: each prints a JSON object a line for each step."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.e2e.processes import clean_environment

HERE = Path(__file__).resolve().parent
JAVASCRIPT = HERE / "javascript"
NODE = shutil.which("node")
_PACKAGES = ("@ringcentral/subscriptions", "@rc-ex/core", "@rc-ex/ws", "@rc-ex/rcsdk")
HAS_NODE = NODE is not None and all((JAVASCRIPT / "node_modules" / name).is_dir() for name in _PACKAGES)
if not HAS_NODE and os.environ.get("CI") == "true":
    raise RuntimeError("node and its packages are not here: npm install in tests/e2e/javascript")


class Program:
    """A program that is running; its `steps` so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: list[dict[str, Any]] = []

    async def until(self, step: str, **facts: Any) -> dict[str, Any]:
        """Wait for a step with these facts."""
        assert self._process.stdout is not None
        async with asyncio.timeout(90):
            while True:
                line = await self._process.stdout.readline()
                assert line, f"ended without {step}: {self.seen}"
                found: dict[str, Any] = json.loads(line)
                self.seen.append(found)
                if found["step"] == step and all(found.get(name) == fact for name, fact in facts.items()):
                    return found

    async def go_on(self, line: str = "") -> None:
        """Write a line of input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def ended(self) -> int:
        """Wait for the end; the exit status."""
        assert self._process.stdout is not None
        async with asyncio.timeout(90):
            while line := await self._process.stdout.readline():
                self.seen.append(json.loads(line))
            return await self._process.wait()

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    def steps(self, name: str) -> list[dict[str, Any]]:
        return [step for step in self.seen if step["step"] == name]


@asynccontextmanager
async def running_program(task: str, environment: dict[str, str]) -> AsyncIterator[Program]:
    """`python` is socket_python.py; any other task is one of javascript/socket.cjs."""
    if task == "python":
        command = [sys.executable, "-u", str(HERE / "socket_python.py")]
    else:
        assert NODE is not None
        command = [NODE, str(JAVASCRIPT / "socket.cjs"), task]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**clean_environment(), "NO_PROXY": "127.0.0.1", **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
