"""The stage that API tests play on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from tests.integration.api.stage import Stage, set_stage


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, kept instead of printed."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    built = await set_stage()
    async with built.client:
        yield built
