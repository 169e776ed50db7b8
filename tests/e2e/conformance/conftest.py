"""One server for each module of conformance tests, and a stage on it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.conformance.stage import Stage, conforming_server, set_stage
from tests.e2e.in_process import Running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with conforming_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def stage(running: Running) -> AsyncIterator[Stage]:
    async with set_stage(running) as stage:
        yield stage
